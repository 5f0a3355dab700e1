//! Records of the metadata log, as far as one node needs them.

use bytes::Bytes;
use klamm_protocol::metadata::config_record::ConfigRecord;
use klamm_protocol::metadata::partition_record::PartitionRecord;
use klamm_protocol::metadata::producer_ids_record::ProducerIdsRecord;
use klamm_protocol::metadata::remove_topic_record::RemoveTopicRecord;
use klamm_protocol::metadata::topic_record::TopicRecord;
use klamm_protocol::{
    DecodeError, EncodeError, Message, Record, decode_metadata_record, encode_metadata_record,
};
use klamm_types::{TopicId, TopicName};

/// A record of the metadata log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum MetadataRecord {
    Topic {
        name: TopicName,
        id: TopicId,
    },
    Partition {
        topic: TopicId,
        number: u32,
    },
    TopicConfig {
        topic: TopicName,
        key: String,
        value: Option<String>,
    },
    RemoveTopic {
        id: TopicId,
    },
    /// Producer ids below this one have been given out.
    ProducerIds {
        next: i64,
    },
    /// One that does not concern topics, or names none that can be.
    Other {
        record_type: i16,
    },
}

/// Number of the resource type "topic".
const TOPIC: i8 = 2;

impl MetadataRecord {
    /// Reads the value of a record of the log.
    pub(crate) fn decode(value: Bytes) -> Result<MetadataRecord, DecodeError> {
        let frame = decode_metadata_record(value)?;
        let other = MetadataRecord::Other { record_type: frame.record_type };
        let (body, version) = (frame.body, frame.version);
        let known = match frame.record_type {
            TopicRecord::TYPE => topic(&TopicRecord::decode(body, version)?),
            PartitionRecord::TYPE => partition(&PartitionRecord::decode(body, version)?),
            ConfigRecord::TYPE => config(&ConfigRecord::decode(body, version)?),
            RemoveTopicRecord::TYPE => removal(&RemoveTopicRecord::decode(body, version)?),
            ProducerIdsRecord::TYPE => {
                let next = ProducerIdsRecord::decode(body, version)?.next_producer_id;
                Some(MetadataRecord::ProducerIds { next })
            }
            _ => None,
        };
        Ok(known.unwrap_or(other))
    }

    /// Writes it as the value of a record of the log, for a cluster whose only broker is `node`.
    pub(crate) fn encode(&self, node: i32) -> Result<Bytes, EncodeError> {
        match self {
            MetadataRecord::Topic { name, id } => {
                encode_metadata_record(&TopicRecord { name: name.as_str().into(), topic_id: (*id).into() }, 0)
            }
            MetadataRecord::Partition { topic, number } => {
                let record = PartitionRecord {
                    partition_id: i32::try_from(*number).unwrap_or(i32::MAX),
                    topic_id: (*topic).into(),
                    replicas: vec![node],
                    isr: vec![node],
                    leader: node,
                    ..PartitionRecord::default()
                };
                encode_metadata_record(&record, 0)
            }
            MetadataRecord::TopicConfig { topic, key, value } => {
                let record = ConfigRecord {
                    resource_type: TOPIC,
                    resource_name: topic.as_str().into(),
                    name: key.as_str().into(),
                    value: value.as_deref().map(Into::into),
                };
                encode_metadata_record(&record, 0)
            }
            MetadataRecord::RemoveTopic { id } => {
                encode_metadata_record(&RemoveTopicRecord { topic_id: (*id).into() }, 0)
            }
            MetadataRecord::ProducerIds { next } => {
                let record = ProducerIdsRecord { broker_id: node, broker_epoch: 0, next_producer_id: *next };
                encode_metadata_record(&record, 0)
            }
            MetadataRecord::Other { .. } => Ok(Bytes::new()),
        }
    }
}

fn topic(record: &TopicRecord) -> Option<MetadataRecord> {
    Some(MetadataRecord::Topic { name: TopicName::new(&record.name).ok()?, id: record.topic_id.topic_id()? })
}

fn partition(record: &PartitionRecord) -> Option<MetadataRecord> {
    let number = u32::try_from(record.partition_id).ok()?;
    Some(MetadataRecord::Partition { topic: record.topic_id.topic_id()?, number })
}

fn config(record: &ConfigRecord) -> Option<MetadataRecord> {
    let topic = TopicName::new(&record.resource_name).ok().filter(|_| record.resource_type == TOPIC)?;
    let value = record.value.as_ref().map(ToString::to_string);
    Some(MetadataRecord::TopicConfig { topic, key: record.name.to_string(), value })
}

fn removal(record: &RemoveTopicRecord) -> Option<MetadataRecord> {
    Some(MetadataRecord::RemoveTopic { id: record.topic_id.topic_id()? })
}
