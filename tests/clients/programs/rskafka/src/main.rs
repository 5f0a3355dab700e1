//! Creates a topic, produces with lz4 to each partition, reads them back.

use std::collections::BTreeMap;
use std::error::Error;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use rskafka::record::Record;

const N: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let boot = std::env::args().nth(1).ok_or("bootstrap address")?;
    let topic = "t-rskafka";
    let client = ClientBuilder::new(vec![boot]).build().await?;
    client.controller_client()?.create_topic(topic, 3, 1, 5_000).await?;

    // rskafka has no partitioner: a record goes to the partition it is given to. acks is always -1,
    // no idempotence.
    let sent: BTreeMap<_, _> = (0..N).map(|i| (format!("k{i}").into_bytes(), format!("v{i}").into_bytes())).collect();
    let mut partitions = Vec::new();
    for p in 0..3 {
        let partition = client.partition_client(topic, p, UnknownTopicHandling::Retry).await?;
        let share = sent.iter().skip(p as usize).step_by(3).map(|(k, v)| Record {
            key: Some(k.clone()),
            value: Some(v.clone()),
            headers: BTreeMap::new(),
            timestamp: chrono::Utc::now(),
        });
        partition.produce(share.collect(), Compression::Lz4).await?;
        partitions.push(partition);
    }

    let mut got = BTreeMap::new();
    for partition in &partitions {
        let mut at = partition.get_offset(OffsetAt::Earliest).await?;
        let end = partition.get_offset(OffsetAt::Latest).await?;
        while at < end {
            let (records, _) = partition.fetch_records(at, 1..1_000_000, 1_000).await?;
            at = records.last().ok_or("an empty fetch below the end")?.offset + 1;
            for r in records {
                if got.insert(r.record.key.unwrap_or_default(), r.record.value.unwrap_or_default()).is_some() {
                    return Err("a record twice".into());
                }
            }
        }
    }
    if got != sent {
        return Err(format!("values differ, {} of {N}", got.len()).into());
    }
    println!("rskafka 0.6.0 ok: created, produced {N}, consumed {}", got.len());
    Ok(())
}
