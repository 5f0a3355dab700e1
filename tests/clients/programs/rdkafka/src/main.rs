//! Creates a topic, produces with lz4, reads its partitions back without a group.

mod group;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

const N: usize = 1000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, boot, group, topic] = &args[..]
        && mode == "group"
    {
        return group::run(boot, group, topic).await;
    }
    let boot = args.into_iter().next().ok_or("bootstrap address")?;
    let topic = "t-rdkafka";
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", boot);

    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let new = NewTopic::new(topic, 3, TopicReplication::Fixed(1));
    for result in admin.create_topics([&new], &AdminOptions::new()).await? {
        result.map_err(|(name, code)| format!("{name}: {code}"))?;
    }

    let producer: FutureProducer = config.clone().set("acks", "all").set("compression.type", "lz4").create()?;
    let sent: BTreeMap<String, String> = (0..N).map(|i| (format!("k{i}"), format!("v{i}"))).collect();
    let all = sent.iter().map(|(k, v)| producer.send(FutureRecord::to(topic).key(k).payload(v), Duration::from_secs(30)));
    futures::future::try_join_all(all).await.map_err(|(error, _)| error)?;

    let consumer: BaseConsumer = config.set("group.id", "unused").set("enable.auto.commit", "false").create()?;
    let mut parts = TopicPartitionList::new();
    for p in 0..3 {
        parts.add_partition_offset(topic, p, Offset::Beginning)?;
    }
    consumer.assign(&parts)?;
    let mut got = BTreeMap::new();
    while got.len() < N {
        let message = consumer.poll(Duration::from_secs(10)).ok_or("timed out")??;
        let text = |b: Option<&[u8]>| String::from_utf8_lossy(b.unwrap_or_default()).into_owned();
        if got.insert(text(message.key()), text(message.payload())).is_some() {
            return Err("a record twice".into());
        }
    }
    if got != sent {
        return Err("values differ".into());
    }
    let librdkafka = rdkafka::util::get_rdkafka_version().1;
    println!("rdkafka 0.39.0 (librdkafka {librdkafka}) ok: created, produced {N}, consumed {}", got.len());
    Ok(())
}
