//! What topics there are, and which settings. Decided, logged, applied: a command yields records,
//! they are written to the metadata log in Kafka's format, and only applying them changes the
//! image; a restart replays the log.

mod batches;
mod bootstrap;
mod commit;
mod configs;
mod controller;
mod delta;
mod error;
mod features;
mod files;
mod foreign;
mod identity;
mod image;
pub(crate) mod internal_topics;
mod log;
mod logs;
mod plan;
mod plan_configs;
mod publish;
mod quotas;
mod record;
mod replay;
mod shared_map;
mod survey;
mod topics;

#[cfg(test)]
mod tests;

pub(crate) use configs::ConfigEntry;
pub(crate) use controller::Metadata;
pub(crate) use delta::Delta;
pub(crate) use error::TopicError;
pub(crate) use features::{Direction, FEATURES, FeatureUpdate};
pub(crate) use identity::{Identity, IdentityError};
pub(crate) use image::{MetadataImage, Topic};
pub(crate) use plan::{Growth, MAX_PARTITIONS, NewTopic, TopicRef, check_total};
pub(crate) use plan_configs::{Change, ConfigChange, Resource};
pub(crate) use publish::Publisher;
pub(crate) use quotas::QuotaChange;
pub(crate) use shared_map::SharedMap;
pub(crate) use survey::survey;
