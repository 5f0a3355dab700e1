// Creates a topic, produces with lz4 (idempotent by default), reads its partitions back without a group.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	if os.Args[1] == "group" {
		group(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	if os.Args[1] == "transactional" {
		transactional(os.Args[2])
		return
	}
	boot, topic, n := kgo.SeedBrokers(os.Args[1]), "t-franz-go", 1000
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	producer := must(kgo.NewClient(boot, kgo.ProducerBatchCompression(kgo.Lz4Compression())))
	must(kadm.NewClient(producer).CreateTopic(ctx, 3, 1, nil, topic))
	var sent []*kgo.Record
	for i := range n {
		sent = append(sent, &kgo.Record{Topic: topic, Key: fmt.Append(nil, "k", i), Value: fmt.Append(nil, "v", i)})
	}
	must(0, producer.ProduceSync(ctx, sent...).FirstErr())
	producer.Close()

	from := map[int32]kgo.Offset{}
	for p := range int32(3) {
		from[p] = kgo.NewOffset().AtStart()
	}
	consumer := must(kgo.NewClient(boot, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})))
	got := map[string]string{}
	for len(got) < n {
		fetches := consumer.PollFetches(ctx)
		must(0, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if _, twice := got[string(r.Key)]; twice {
				log.Fatal("twice: ", string(r.Key))
			}
			got[string(r.Key)] = string(r.Value)
		})
	}
	consumer.Close()
	for i := range n {
		if got[fmt.Sprint("k", i)] != fmt.Sprint("v", i) {
			log.Fatal("wrong value of k", i)
		}
	}
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if d.Path == "github.com/twmb/franz-go" {
			fmt.Printf("franz-go %s ok: created, produced %d, consumed %d\n", d.Version, n, len(got))
		}
	}
}
