use std::collections::BTreeMap;

use klamm_log::LogConfig;
use klamm_record::TimestampType;

use super::TopicError;
use crate::config::parse::{
    AGE, BYTES, MILLIS, OR_NONE, POLICY, RATIO, Row, age, millis, or_none, policy, put, ratio, row, unsigned,
};

/// A topic's settings: the broker's, and over them its own.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TopicConfig {
    pub(crate) log: LogConfig,
    pub(crate) timestamp_type: TimestampType,
}

const TABLE: &[Row<TopicConfig>] = &[
    row("cleanup.policy", POLICY, |c, v| put(&mut c.log.cleanup_policy, policy(v)?)),
    row("min.cleanable.dirty.ratio", RATIO, |c, v| put(&mut c.log.min_cleanable_dirty_ratio, ratio(v)?)),
    row("min.compaction.lag.ms", AGE, |c, v| put(&mut c.log.min_compaction_lag, age(v)?)),
    row("max.compaction.lag.ms", MILLIS, |c, v| put(&mut c.log.max_compaction_lag, Some(millis(v)?))),
    row("delete.retention.ms", AGE, |c, v| put(&mut c.log.delete_retention, age(v)?)),
    row("compression.type", "producer, the only one so far", |_, v| (v == "producer").then_some(())),
    row("min.insync.replicas", "1, for there is one broker", |_, v| (v == "1").then_some(())),
    row("message.timestamp.type", "CreateTime or LogAppendTime", |c, v| {
        c.timestamp_type = match v {
            "CreateTime" => TimestampType::CreateTime,
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => return None,
        };
        Some(())
    }),
    row("segment.bytes", BYTES, |c, v| put(&mut c.log.segment_bytes, unsigned(v)?)),
    row("segment.ms", MILLIS, |c, v| put(&mut c.log.segment_time, millis(v)?)),
    row("segment.index.bytes", BYTES, |c, v| put(&mut c.log.segment_index_bytes, unsigned(v)?)),
    row("index.interval.bytes", BYTES, |c, v| put(&mut c.log.index_interval_bytes, unsigned(v)?)),
    row("max.message.bytes", BYTES, |c, v| put(&mut c.log.max_message_bytes, unsigned(v)?)),
    row("retention.ms", OR_NONE, |c, v| put(&mut c.log.retention_time, or_none(v, millis)?)),
    row("retention.bytes", OR_NONE, |c, v| put(&mut c.log.retention_bytes, or_none(v, |v| v.parse().ok())?)),
    row("file.delete.delay.ms", AGE, |c, v| put(&mut c.log.file_delete_delay, age(v)?)),
    row("flush.messages", "a number, at least 1", |c, v| {
        put(&mut c.log.flush_messages, Some(v.parse().ok().filter(|n| *n > 0)?))
    }),
    row("flush.ms", MILLIS, |c, v| put(&mut c.log.flush_time, Some(millis(v)?))),
];

impl TopicConfig {
    /// The broker's settings `defaults` with a topic's own over them.
    pub(crate) fn resolve(
        defaults: &LogConfig,
        own: &BTreeMap<String, String>,
    ) -> Result<TopicConfig, TopicError> {
        let mut config = TopicConfig { log: defaults.clone(), timestamp_type: TimestampType::CreateTime };
        for (key, value) in own {
            let wrong = |expected| TopicError::Config { key: key.clone(), value: value.clone(), expected };
            let row = TABLE
                .iter()
                .find(|row| row.key == key)
                .ok_or_else(|| wrong("a setting that this broker has"))?;
            (row.set)(&mut config, value).ok_or_else(|| wrong(row.expected))?;
        }
        config.log.validate().map_err(|error| TopicError::Config {
            key: error.setting.to_owned(),
            value: error.got,
            expected: error.expected,
        })?;
        Ok(config)
    }
}
