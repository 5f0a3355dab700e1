//! Records of the metadata log, as far as one node needs them.

use bytes::Bytes;
use klamm_protocol::metadata::abort_transaction_record::AbortTransactionRecord;
use klamm_protocol::metadata::begin_transaction_record::BeginTransactionRecord;
use klamm_protocol::metadata::client_quota_record::{ClientQuotaRecord, EntityData};
use klamm_protocol::metadata::config_record::ConfigRecord;
use klamm_protocol::metadata::end_transaction_record::EndTransactionRecord;
use klamm_protocol::metadata::feature_level_record::FeatureLevelRecord;
use klamm_protocol::metadata::partition_change_record::PartitionChangeRecord;
use klamm_protocol::metadata::partition_record::PartitionRecord;
use klamm_protocol::metadata::producer_ids_record::ProducerIdsRecord;
use klamm_protocol::metadata::remove_topic_record::RemoveTopicRecord;
use klamm_protocol::metadata::topic_record::TopicRecord;
use klamm_protocol::{
    DecodeError, EncodeError, Message, MetadataFrame, Record, Uuid, encode_metadata_record,
};
use klamm_types::{LeaderEpoch, TopicId, TopicName};

use super::image::PartitionState;
use crate::quotas::QuotaEntity;

/// A record of the metadata log.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum MetadataRecord {
    Topic {
        name: TopicName,
        id: TopicId,
    },
    Partition {
        topic: TopicId,
        number: u32,
        state: PartitionState,
    },
    /// Kafka writes them; here a partition has one leader and one folder for ever.
    PartitionChange {
        topic: TopicId,
        number: u32,
        new_leader: bool,
        home: Option<Uuid>,
    },
    Feature {
        name: String,
        level: i16,
    },
    TopicConfig {
        topic: TopicName,
        key: String,
        value: Option<String>,
    },
    BrokerConfig {
        /// The broker's id, or nothing for all.
        broker: String,
        key: String,
        value: Option<String>,
    },
    GroupConfig {
        group: String,
        key: String,
        value: Option<String>,
    },
    ClientMetricsConfig {
        subscription: String,
        key: String,
        value: Option<String>,
    },
    Quota {
        entity: QuotaEntity,
        key: String,
        /// None takes it away.
        value: Option<f64>,
    },
    RemoveTopic {
        id: TopicId,
    },
    /// Producer ids below this one have been given out.
    ProducerIds {
        next: i64,
    },
    /// The records from here to the end of the transaction count together or not at all (KIP-868).
    BeginTransaction,
    EndTransaction,
    /// What was decided since a transaction began is void.
    AbortTransaction,
    /// One that does not concern topics, or names none that can be.
    Other {
        record_type: i16,
    },
}

/// Numbers of the resource types.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
/// From this version on a partition's record names its folder.
const WITH_FOLDERS: i16 = 1;
/// The level of `metadata.version` (3.7-IV2) that has them (KIP-858).
const LEVEL_WITH_FOLDERS: i16 = 17;
/// The leader of a change that changes none.
const SAME_LEADER: i32 = -2;

/// For whom a record is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    /// The only broker of the cluster.
    pub(crate) node: i32,
    /// Level of `metadata.version`: Kafka must find nothing that its level does not have.
    pub(crate) level: i16,
}

impl MetadataRecord {
    /// Whether topics or their partitions are others after it.
    pub(crate) fn changes_topics(&self) -> bool {
        matches!(
            self,
            MetadataRecord::Topic { .. }
                | MetadataRecord::Partition { .. }
                | MetadataRecord::RemoveTopic { .. }
        )
    }

    /// Reads a record of the log.
    pub(crate) fn decode(frame: &MetadataFrame) -> Result<MetadataRecord, DecodeError> {
        let other = MetadataRecord::Other { record_type: frame.record_type };
        let (body, version) = (frame.body.clone(), frame.version);
        let known = match frame.record_type {
            TopicRecord::TYPE => topic(&TopicRecord::decode(body, version)?),
            PartitionRecord::TYPE => partition(&PartitionRecord::decode(body, version)?),
            PartitionChangeRecord::TYPE => change(&PartitionChangeRecord::decode(body, version)?),
            FeatureLevelRecord::TYPE => feature(&FeatureLevelRecord::decode(body, version)?),
            ConfigRecord::TYPE => config(&ConfigRecord::decode(body, version)?),
            ClientQuotaRecord::TYPE => quota(&ClientQuotaRecord::decode(body, version)?),
            RemoveTopicRecord::TYPE => removal(&RemoveTopicRecord::decode(body, version)?),
            ProducerIdsRecord::TYPE => {
                let next = ProducerIdsRecord::decode(body, version)?.next_producer_id;
                Some(MetadataRecord::ProducerIds { next })
            }
            _ => None,
        };
        Ok(known.unwrap_or(other))
    }

    /// Writes it as the value of a record of the log.
    pub(crate) fn encode(&self, dialect: Dialect) -> Result<Bytes, EncodeError> {
        let Dialect { node, level } = dialect;
        let with_folders = level >= LEVEL_WITH_FOLDERS;
        let version = if with_folders { WITH_FOLDERS } else { 0 };
        match self {
            MetadataRecord::Topic { name, id } => {
                encode_metadata_record(&TopicRecord { name: name.as_str().into(), topic_id: (*id).into() }, 0)
            }
            MetadataRecord::Partition { topic, number, state } => {
                let record = PartitionRecord {
                    partition_id: i32::try_from(*number).unwrap_or(i32::MAX),
                    topic_id: (*topic).into(),
                    replicas: vec![node],
                    isr: vec![node],
                    leader: node,
                    leader_epoch: state.leader_epoch.get(),
                    partition_epoch: 0,
                    directories: if with_folders { vec![state.home] } else { Vec::new() },
                    ..PartitionRecord::default()
                };
                encode_metadata_record(&record, version)
            }
            MetadataRecord::PartitionChange { topic, number, new_leader, home } => {
                let record = PartitionChangeRecord {
                    partition_id: i32::try_from(*number).unwrap_or(i32::MAX),
                    topic_id: (*topic).into(),
                    leader: if *new_leader { node } else { SAME_LEADER },
                    directories: home.filter(|_| with_folders).map(|home| vec![home]),
                    ..PartitionChangeRecord::default()
                };
                encode_metadata_record(&record, version)
            }
            MetadataRecord::Feature { name, level } => {
                let record = FeatureLevelRecord { name: name.as_str().into(), feature_level: *level };
                encode_metadata_record(&record, 0)
            }
            MetadataRecord::TopicConfig { topic, key, value } => {
                encode_config(TOPIC, topic.as_str(), key, value.as_deref())
            }
            MetadataRecord::BrokerConfig { broker, key, value } => {
                encode_config(BROKER, broker, key, value.as_deref())
            }
            MetadataRecord::GroupConfig { group, key, value } => {
                encode_config(GROUP, group, key, value.as_deref())
            }
            MetadataRecord::ClientMetricsConfig { subscription, key, value } => {
                encode_config(CLIENT_METRICS, subscription, key, value.as_deref())
            }
            MetadataRecord::Quota { entity, key, value } => encode_quota(entity, key, *value),
            MetadataRecord::RemoveTopic { id } => {
                encode_metadata_record(&RemoveTopicRecord { topic_id: (*id).into() }, 0)
            }
            MetadataRecord::ProducerIds { next } => {
                let record = ProducerIdsRecord { broker_id: node, broker_epoch: 0, next_producer_id: *next };
                encode_metadata_record(&record, 0)
            }
            MetadataRecord::BeginTransaction => encode_metadata_record(&BeginTransactionRecord::default(), 0),
            MetadataRecord::EndTransaction => encode_metadata_record(&EndTransactionRecord::default(), 0),
            MetadataRecord::AbortTransaction => encode_metadata_record(&AbortTransactionRecord::default(), 0),
            MetadataRecord::Other { .. } => Ok(Bytes::new()),
        }
    }
}

fn topic(record: &TopicRecord) -> Option<MetadataRecord> {
    Some(MetadataRecord::Topic { name: TopicName::new(&record.name).ok()?, id: record.topic_id.topic_id()? })
}

fn partition(record: &PartitionRecord) -> Option<MetadataRecord> {
    let number = u32::try_from(record.partition_id).ok()?;
    let home = record.directories.first().copied().map_or(Uuid::ZERO, folder);
    let leader_epoch = LeaderEpoch::new(record.leader_epoch).unwrap_or_default();
    let state = PartitionState { home, leader_epoch };
    Some(MetadataRecord::Partition { topic: record.topic_id.topic_id()?, number, state })
}

fn change(record: &PartitionChangeRecord) -> Option<MetadataRecord> {
    let number = u32::try_from(record.partition_id).ok()?;
    let new_leader = record.leader != SAME_LEADER;
    let home = record.directories.as_ref().and_then(|ids| ids.first().copied()).map(folder);
    Some(MetadataRecord::PartitionChange { topic: record.topic_id.topic_id()?, number, new_leader, home })
}

/// Kafka's first hundred ids are no folders: unassigned, lost, moving.
fn folder(id: Uuid) -> Uuid {
    if u128::from_be_bytes(id.0) < 100 { Uuid::ZERO } else { id }
}

fn feature(record: &FeatureLevelRecord) -> Option<MetadataRecord> {
    Some(MetadataRecord::Feature { name: record.name.to_string(), level: record.feature_level })
}

fn config(record: &ConfigRecord) -> Option<MetadataRecord> {
    let (key, value) = (record.name.to_string(), record.value.as_ref().map(ToString::to_string));
    match record.resource_type {
        TOPIC => Some(MetadataRecord::TopicConfig {
            topic: TopicName::new(&record.resource_name).ok()?,
            key,
            value,
        }),
        BROKER => Some(MetadataRecord::BrokerConfig { broker: record.resource_name.to_string(), key, value }),
        GROUP => Some(MetadataRecord::GroupConfig { group: record.resource_name.to_string(), key, value }),
        CLIENT_METRICS => Some(MetadataRecord::ClientMetricsConfig {
            subscription: record.resource_name.to_string(),
            key,
            value,
        }),
        _ => None,
    }
}

fn quota(record: &ClientQuotaRecord) -> Option<MetadataRecord> {
    let parts = record
        .entity
        .iter()
        .map(|part| (part.entity_type.to_string(), part.entity_name.as_ref().map(ToString::to_string)));
    let entity = QuotaEntity::new(parts).ok()?;
    let value = (!record.remove).then_some(record.value);
    Some(MetadataRecord::Quota { entity, key: record.key.to_string(), value })
}

fn encode_quota(entity: &QuotaEntity, key: &str, value: Option<f64>) -> Result<Bytes, EncodeError> {
    let parts = entity
        .parts()
        .map(|(kind, name)| EntityData { entity_type: kind.into(), entity_name: name.map(Into::into) });
    let record = ClientQuotaRecord {
        entity: parts.collect(),
        key: key.into(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    };
    encode_metadata_record(&record, 0)
}

fn encode_config(kind: i8, name: &str, key: &str, value: Option<&str>) -> Result<Bytes, EncodeError> {
    let (resource_type, resource_name) = (kind, name.into());
    let (name, value) = (key.into(), value.map(Into::into));
    encode_metadata_record(&ConfigRecord { resource_type, resource_name, name, value }, 0)
}

fn removal(record: &RemoveTopicRecord) -> Option<MetadataRecord> {
    Some(MetadataRecord::RemoveTopic { id: record.topic_id.topic_id()? })
}
