// A member of a group: prints each record of topics whose names begin with the topic's until it is told to end.
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func group(boot, name, topic string) {
	consumer := must(kgo.NewClient(kgo.SeedBrokers(boot), kgo.ConsumerGroup(name), kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(100*time.Millisecond), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll()))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for ctx.Err() == nil {
		fetches := consumer.PollRecords(ctx, 5000)
		var lines strings.Builder
		fetches.EachRecord(func(r *kgo.Record) {
			lines.Write(r.Value)
			lines.WriteByte('\n')
		})
		os.Stdout.WriteString(lines.String())
		_ = consumer.CommitUncommittedOffsets(context.Background())
		consumer.AllowRebalance()
	}
	consumer.LeaveGroup()
	consumer.Close()
}
