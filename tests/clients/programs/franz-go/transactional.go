// Begins a transaction, and prints how long it took until the client failed, and with what.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func transactional(boot string) {
	producer := must(kgo.NewClient(kgo.SeedBrokers(boot), kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("tx"), kgo.AllowAutoTopicCreation()))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	must(0, producer.Ping(ctx))
	began := time.Now()
	// The client may learn of it when it begins, or when it sends.
	err := producer.BeginTransaction()
	if err == nil {
		err = producer.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr()
	}
	if err != nil {
		fmt.Printf("refused after %d ms: %v\n", time.Since(began).Milliseconds(), err)
		return
	}
	fmt.Println("accepted")
}
