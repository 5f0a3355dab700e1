//! What topics there are, and which settings. Decided, logged, applied: a command yields records, they are written to the
//! metadata log in Kafka's format, and only applying them changes the image; a restart replays the log.

mod bootstrap;
mod configs;
mod controller;
mod error;
mod features;
mod files;
mod foreign;
mod identity;
mod image;
pub(crate) mod internal_topics;
mod log;
mod plan;
mod plan_configs;
mod quotas;
mod record;
mod replay;
mod survey;
mod topics;

pub(crate) use configs::ConfigEntry;
pub(crate) use controller::Metadata;
pub(crate) use error::TopicError;
pub(crate) use features::{Direction, FEATURES, FeatureUpdate};
pub(crate) use identity::{Identity, IdentityError};
pub(crate) use image::{MetadataImage, Topic};
pub(crate) use plan::{NewTopic, TopicRef};
pub(crate) use plan_configs::{Change, Resource};
pub(crate) use survey::survey;
