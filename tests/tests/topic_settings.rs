//! What values a setting of a topic can have, beside what Kafka takes
//! (`fixtures/topic_settings.txt`): a folder with a topic's setting that Kafka cannot read is one
//! on which Kafka does not start.

use klamm_broker::{Broker, BrokerConfig};
use klamm_tests::admin::create;
use klamm_tests::client::Client;

const KAFKA: &str = include_str!("../fixtures/topic_settings.txt");

/// Settings of which Kafka takes values that this broker does not, and why.
const STRICTER: &[(&str, &str)] = &[
    ("index.interval.bytes", "0: an entry for each batch"),
    ("internal.segment.bytes", "a log's least is 1,024"),
    ("local.retention.bytes", "there is no tiered storage"),
    ("local.retention.ms", "there is no tiered storage"),
    ("max.message.bytes", "below 61, a batch's header, nothing can be written"),
    ("remote.log.copy.disable", "there is no tiered storage"),
    ("remote.log.delete.on.disable", "there is no tiered storage"),
    ("remote.storage.enable", "there is no tiered storage"),
    ("retention.bytes", "no meaning below -1"),
    ("segment.index.bytes", "below 24 there is no room for an entry of each index"),
];

#[test]
fn a_setting_takes_what_kafka_takes() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let mut lines = KAFKA.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('|'));
    let tried: Vec<&str> = lines.next().unwrap().skip(1).collect();
    let (mut topics, mut wrong) = (0, Vec::new());
    for mut line in lines {
        let key = line.next().unwrap();
        let kafka_takes: Vec<&str> = line.collect();
        for value in &tried {
            let (error, words) = create(&mut client, &format!("t{topics}"), 1, &[(key, value)]);
            topics += 1;
            if words.contains("a setting that this broker has") {
                continue;
            }
            let (we_take, kafka_takes) = (error == 0, kafka_takes.contains(value));
            let is_known = kafka_takes && STRICTER.iter().any(|(stricter, _)| *stricter == key);
            if we_take != kafka_takes && !is_known {
                wrong.push(format!("{key}={value}: Kafka {kafka_takes}, here {we_take} {words}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
