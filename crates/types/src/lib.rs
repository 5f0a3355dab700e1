#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

mod epoch;
mod epoch_history;
mod offset;
mod partition;
mod producer;
mod timestamp;
mod topic;
mod topic_id;

pub use epoch::LeaderEpoch;
pub use epoch_history::{EpochEnd, EpochHistory, EpochStart};
pub use offset::{NegativeNumber, Offset};
pub use partition::TopicPartition;
pub use producer::{ProducerEpoch, ProducerId};
pub use timestamp::Timestamp;
pub use topic::{NameError, TopicName};
pub use topic_id::{TopicId, TopicIdError};
