//! A member of a group: prints each record of topics whose names begin with the topic's until it is
//! told to end.

use std::error::Error;
use std::io::Write;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{ClientConfig, Message};
use tokio::signal::unix::{SignalKind, signal};

pub async fn run(boot: &str, group: &str, topic: &str) -> Result<(), Box<dyn Error>> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", boot)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("auto.commit.interval.ms", "500")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500")
        .set("topic.metadata.refresh.interval.ms", "1000")
        .create()?;
    consumer.subscribe(&[&format!("^{topic}.*")])?;
    let (mut ended, mut out) = (signal(SignalKind::terminate())?, std::io::stdout());
    loop {
        tokio::select! {
            message = consumer.recv() => match message {
                Ok(message) => {
                    out.write_all(message.payload().unwrap_or_default())?;
                    out.write_all(b"\n")?;
                }
                Err(error) => eprintln!("{error}"),
            },
            _ = ended.recv() => return Ok(()),
        }
    }
}
