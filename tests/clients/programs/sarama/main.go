// Creates a topic, produces with lz4, reads its partitions back without a group.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"time"

	"github.com/IBM/sarama"
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
	boot, topic, n := []string{os.Args[1]}, "t-sarama", 1000
	c := sarama.NewConfig() // Sarama's default is not idempotent
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Compression = sarama.CompressionLZ4
	c.Producer.Return.Successes = true
	admin := must(sarama.NewClusterAdmin(boot, c))
	must(0, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false))
	must(0, admin.Close())

	producer := must(sarama.NewSyncProducer(boot, c))
	var sent []*sarama.ProducerMessage
	for i := range n {
		sent = append(sent, &sarama.ProducerMessage{Topic: topic,
			Key: sarama.StringEncoder(fmt.Sprint("k", i)), Value: sarama.StringEncoder(fmt.Sprint("v", i))})
	}
	must(0, producer.SendMessages(sent))
	must(0, producer.Close())

	client := must(sarama.NewClient(boot, c))
	consumer := must(sarama.NewConsumerFromClient(client))
	got := map[string]string{}
	for p := range int32(3) {
		end := must(client.GetOffset(topic, p, sarama.OffsetNewest))
		if end == 0 {
			continue
		}
		pc := must(consumer.ConsumePartition(topic, p, sarama.OffsetOldest))
		for at := int64(-1); at < end-1; {
			select {
			case m := <-pc.Messages():
				if _, twice := got[string(m.Key)]; twice {
					log.Fatal("twice: ", string(m.Key))
				}
				at, got[string(m.Key)] = m.Offset, string(m.Value)
			case <-time.After(10 * time.Second):
				log.Fatal("timed out with ", len(got))
			}
		}
		must(0, pc.Close())
	}
	for i := range n {
		if got[fmt.Sprint("k", i)] != fmt.Sprint("v", i) {
			log.Fatal("wrong value of k", i)
		}
	}
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if d.Path == "github.com/IBM/sarama" {
			fmt.Printf("sarama %s ok: created, produced %d, consumed %d\n", d.Version, n, len(got))
		}
	}
}
