//! Creates a topic, produces with lz4, reads its partitions back without a group.

mod group;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Duration;

use confluent_kafka::admin::{AdminClient, AdminClientConfig, NewTopic};
use confluent_kafka::common::TopicPartition;
use confluent_kafka::common::serialization::{StringDeserializer, StringSerializer};
use confluent_kafka::consumer::{Consumer, ConsumerConfig, KafkaConsumer};
use confluent_kafka::producer::{KafkaProducer, Producer, ProducerConfig, ProducerRecord};

const N: usize = 1000;

fn settings(of: &[(&str, &str)]) -> HashMap<String, String> {
    of.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, boot, group, topic] = &args[..]
        && mode == "group"
    {
        return group::run(boot, group, topic).await;
    }
    let boot = ("bootstrap.servers", &*args.into_iter().next().ok_or("bootstrap address")?);
    let topic = "t-confluent-rust";

    let admin = AdminClient::create(AdminClientConfig::new(&settings(&[boot]))?)?;
    let new = NewTopic::with_num_partitions_replication_factor(topic, Some(3), Some(1));
    admin.create_topics(&[new]).all().get().await?;
    admin.close().await;

    let config = ProducerConfig::new(&settings(&[boot, ("acks", "all"), ("compression.type", "lz4")]))?;
    let producer = KafkaProducer::<String, String>::new(config, StringSerializer::new(), StringSerializer::new())?;
    let sent: BTreeMap<String, String> = (0..N).map(|i| (format!("k{i}"), format!("v{i}"))).collect();
    let mut all = Vec::new();
    for (k, v) in &sent {
        all.push(producer.send(ProducerRecord::with_key(topic.into(), Some(k.clone()), Some(v.clone()))).await?);
    }
    for one in all {
        one.get().await?;
    }
    producer.close().await?;

    // Not even a consumer without a group may have the default of `group.protocol`, "classic".
    let config = ConsumerConfig::new(&settings(&[boot, ("group.protocol", "consumer"), ("enable.auto.commit", "false")]))?;
    let mut consumer = KafkaConsumer::<String, String>::new(config, StringDeserializer::new(), StringDeserializer::new())?;
    let parts: Vec<_> = (0..3).map(|p| TopicPartition::new(topic, p)).collect();
    consumer.assign(parts.clone()).await?;
    consumer.seek_to_beginning(&parts).await?;
    let mut got = BTreeMap::new();
    while got.len() < N {
        let records = consumer.poll(Duration::from_secs(10)).await?;
        if records.is_empty() {
            return Err("timed out".into());
        }
        for record in &records {
            let text = |s: Option<&String>| s.cloned().unwrap_or_default();
            if got.insert(text(record.key()), text(record.value())).is_some() {
                return Err("a record twice".into());
            }
        }
    }
    consumer.close().await?;
    if got != sent {
        return Err("values differ".into());
    }
    println!("confluent-kafka 1.0.0 ok: created, produced {N}, consumed {}", got.len());
    Ok(())
}
