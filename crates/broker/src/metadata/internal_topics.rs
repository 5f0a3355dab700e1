//! What topics that are created automatically look like. Kafka's internal topics have partition
//! counts and settings of their own.

use std::collections::BTreeMap;

use super::NewTopic;
use crate::BrokerConfig;
use crate::config::InternalTopicConfig;

pub(crate) const OFFSETS: &str = "__consumer_offsets";
pub(crate) const TRANSACTIONS: &str = "__transaction_state";
pub(crate) const SHARE_GROUPS: &str = "__share_group_state";

/// The topic `name` as Kafka creates it when a client asks for it.
pub(crate) fn automatic(name: &str, config: &BrokerConfig) -> NewTopic {
    let compacted = |compression| [("cleanup.policy", "compact"), ("compression.type", compression)];
    match name {
        OFFSETS => {
            let own = InternalTopicConfig {
                partitions: config.offsets_partitions,
                segment_bytes: config.offsets_segment_bytes,
            };
            internal(name, own, compacted("producer"))
        }
        TRANSACTIONS => internal(name, config.transaction_topic, compacted("uncompressed")),
        SHARE_GROUPS => {
            let forever = [("cleanup.policy", "delete"), ("retention.ms", "-1")];
            internal(name, config.share_topic, forever)
        }
        _ => NewTopic { name: name.to_owned(), partitions: -1, replication: -1, ..NewTopic::default() },
    }
}

fn internal(name: &str, own: InternalTopicConfig, configs: [(&str, &str); 2]) -> NewTopic {
    let segment = own.segment_bytes.to_string();
    let configs = configs.into_iter().chain([("segment.bytes", &*segment)]);
    NewTopic {
        name: name.to_owned(),
        partitions: own.partitions,
        replication: 1,
        configs: configs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
        ..NewTopic::default()
    }
}
