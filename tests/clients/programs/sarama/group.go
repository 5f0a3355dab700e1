// A member of a group: prints each record of the topic until it is told to end. Sarama has no subscription by pattern.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

type printing struct{ sync.Mutex }

func (*printing) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*printing) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (p *printing) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		var lines strings.Builder
		for more := true; more; {
			lines.Write(message.Value)
			lines.WriteByte('\n')
			session.MarkMessage(message, "")
			select {
			case message, more = <-claim.Messages():
			default:
				more = false
			}
		}
		p.Lock()
		os.Stdout.WriteString(lines.String())
		p.Unlock()
	}
	return nil
}

func group(boot, name, topic string) {
	c := sarama.NewConfig()
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Interval = 500 * time.Millisecond
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	c.Metadata.RefreshFrequency = time.Second
	consumer := must(sarama.NewConsumerGroup([]string{boot}, name, c))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for ctx.Err() == nil {
		if err := consumer.Consume(ctx, []string{topic}, &printing{}); err != nil {
			log.Print(err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	must(0, consumer.Close())
}
