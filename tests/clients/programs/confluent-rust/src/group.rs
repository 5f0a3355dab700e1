//! A member of a group: prints each record of topics whose names begin with the topic's until it is
//! told to end.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use confluent_kafka::common::serialization::ByteArrayDeserializer;
use confluent_kafka::consumer::{Consumer, ConsumerConfig, KafkaConsumer, SubscriptionPattern};
use tokio::signal::unix::{SignalKind, signal};

pub async fn run(boot: &str, group: &str, topic: &str) -> Result<(), Box<dyn Error>> {
    // The times of sessions and heartbeats are the broker's to set in this protocol.
    let config = ConsumerConfig::new(&super::settings(&[
        ("bootstrap.servers", boot),
        ("group.protocol", "consumer"),
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "500"),
        ("metadata.max.age.ms", "1000"),
    ]))?;
    let mut consumer = KafkaConsumer::<Vec<u8>, Vec<u8>>::new(config, ByteArrayDeserializer::new(), ByteArrayDeserializer::new())?;
    // The broker resolves the pattern.
    consumer.subscribe_with_pattern(SubscriptionPattern::new(format!("^{topic}.*"))).await?;
    let (mut ended, mut out) = (signal(SignalKind::terminate())?, std::io::stdout());
    loop {
        tokio::select! {
            records = consumer.poll(Duration::from_secs(1)) => for record in &records? {
                out.write_all(record.value().map(Vec::as_slice).unwrap_or_default())?;
                out.write_all(b"\n")?;
            },
            _ = ended.recv() => return Ok(consumer.close().await?), // commits, leaves
        }
    }
}
