//! Errors of changes of the metadata.

use std::sync::Arc;

use klamm_log::{AppendError, OpenError};
use klamm_protocol::{ErrorCode, Uuid};
use klamm_types::{NameError, TopicName};
use thiserror::Error;

use crate::config::row::WrongSetting;
use crate::quotas::QuotaError;

/// Why a topic was not created, changed or deleted.
#[derive(Debug, Error)]
pub(crate) enum TopicError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("topic {name:?} exists already")]
    Exists { name: String },
    #[error("{name:?} is the broker's own and cannot be a topic")]
    Reserved { name: String },
    #[error("folder {folder} holds a log that belongs to no topic or to another; move it away first")]
    Stranger { folder: String },
    #[error("a topic needs 1 partition or more, got {got}")]
    Partitions { got: i32 },
    #[error("Excessively large number of partitions per request: {got}, expected at most {max}")]
    TooMany { got: usize, max: usize },
    #[error("replication factor is {got}, expected 1 or -1: there is one broker")]
    Replication { got: i16 },
    #[error("{reason}")]
    Assignment { reason: String },
    #[error("{key} is {value:?}, expected {expected}")]
    Config { key: String, value: String, expected: &'static str },
    #[error("{key:?} is not a setting that this broker has")]
    NotASetting { key: String },
    #[error("{key} is {before} and can be {} to {} next, not {now}: threads change step by step", before / 2, before * 2)]
    Threads { key: &'static str, before: usize, now: usize },
    #[error("{key} cannot be changed while the broker runs")]
    ReadOnly { key: String },
    #[error("{key} can be changed for one broker, not for all brokers")]
    OneBroker { key: String },
    #[error("{key} has one value; APPEND and SUBTRACT are for lists")]
    NotAList { key: String },
    #[error("the topic has {has} partitions, the wanted {got} are not more")]
    NotMore { has: u32, got: i32 },
    #[error("the number of its partitions says where each group is: it cannot change")]
    Fixed,
    #[error("the request names the topic more than once")]
    Twice,
    #[error("the topic was deleted meanwhile")]
    Gone,
    #[error("there is no such partition")]
    UnknownPartition,
    #[error("the folder of the partition failed")]
    Offline,
    #[error("its directory, with directory.id {id}, failed or is not one of log.dirs")]
    NoDirectory { id: Uuid },
    #[error(
        "a group has to be named: there are no settings for all groups but the broker's group.consumer.*"
    )]
    NoGroupName,
    #[error("a subscription to the metrics of clients has to be named")]
    NoSubscriptionName,
    #[error("there is no broker {got:?}; this is broker {node}")]
    UnknownBroker { got: String, node: i32 },
    #[error("there is no such topic")]
    Unknown,
    #[error("there is no topic with this id")]
    UnknownId,
    #[error("a topic is named by its name or by its id, not by both or neither")]
    Ambiguous,
    #[error("delete.topic.enable is false")]
    DeletionDisabled,
    #[error("all producer ids have been given out")]
    NoProducerIds,
    #[error("Topic '{name}' collides with existing topic: {other}")]
    Similar { name: String, other: String },
    #[error("The update failed for all features since the following feature had an error: {reason}")]
    Feature { reason: String },
    #[error(transparent)]
    Quota(#[from] QuotaError),
    #[error("{0}")]
    Shared(Arc<TopicError>),
    #[error("a test asked for {0}")]
    Fault(ErrorCode),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl TopicError {
    /// There is no topic of this name, or can be none.
    pub(crate) fn missing(name: &str) -> TopicError {
        TopicName::new(name).err().map_or(TopicError::Unknown, TopicError::Name)
    }
}

impl From<WrongSetting> for TopicError {
    fn from(error: WrongSetting) -> TopicError {
        TopicError::Config { key: error.key, value: error.value, expected: error.expected }
    }
}
