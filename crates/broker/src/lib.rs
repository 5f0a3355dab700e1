#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod broker;
mod config;
mod directory;
mod environment;
mod error_code;
mod failures;
mod fetch_sessions;
mod file_limit;
mod groups;
mod handlers;
#[cfg(feature = "http")]
mod http;
mod incoming;
mod log_levels;
mod metadata;
mod metrics;
mod net;
mod probe;
mod purgatory;
mod quotas;
mod shared;
mod storage;
mod stuck;
pub mod testing;
mod work;

pub use broker::{Broker, StartError};
pub use config::{
    BatchCompression, BrokerConfig, CompressionLevels, ConsumerBounds, InternalTopicConfig, ListenerAddress,
    RebalanceProtocols, SettingError, SettingInfo, Settings, TopicConfig,
};
pub use log_levels::LogLevels;
