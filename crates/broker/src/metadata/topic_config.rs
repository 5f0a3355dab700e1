use std::collections::BTreeMap;
use std::time::Duration;

use klamm_log::LogConfig;
use klamm_record::TimestampType;

use super::TopicError;

/// A topic's settings: the broker's, and over them its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TopicConfig {
    pub(crate) log: LogConfig,
    pub(crate) timestamp_type: TimestampType,
}

struct Row {
    key: &'static str,
    expected: &'static str,
    set: fn(&mut TopicConfig, &str) -> Option<()>,
}

const fn row(
    key: &'static str,
    expected: &'static str,
    set: fn(&mut TopicConfig, &str) -> Option<()>,
) -> Row {
    Row { key, expected, set }
}

const BYTES: &str = "a number of bytes from 1 to 2,147,483,647";
const MILLIS: &str = "a number of milliseconds, at least 1";
const OR_NONE: &str = "a number, or -1 for none";

const TABLE: &[Row] = &[
    row("cleanup.policy", "delete, the only one so far", |_, v| (v == "delete").then_some(())),
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
    row("segment.bytes", BYTES, |c, v| put(&mut c.log.segment_bytes, number(v)?)),
    row("segment.ms", MILLIS, |c, v| put(&mut c.log.segment_time, millis(v)?)),
    row("segment.index.bytes", BYTES, |c, v| put(&mut c.log.segment_index_bytes, number(v)?)),
    row("index.interval.bytes", BYTES, |c, v| put(&mut c.log.index_interval_bytes, number(v)?)),
    row("max.message.bytes", BYTES, |c, v| put(&mut c.log.max_message_bytes, number(v)?)),
    row("retention.ms", OR_NONE, |c, v| put(&mut c.log.retention_time, or_none(v, millis)?)),
    row("retention.bytes", OR_NONE, |c, v| put(&mut c.log.retention_bytes, or_none(v, |v| v.parse().ok())?)),
    row("file.delete.delay.ms", "a number of milliseconds", |c, v| {
        put(&mut c.log.file_delete_delay, Duration::from_millis(v.parse().ok()?))
    }),
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

#[allow(clippy::unnecessary_wraps)]
fn put<T>(slot: &mut T, value: T) -> Option<()> {
    *slot = value;
    Some(())
}

fn number(value: &str) -> Option<u32> {
    value.parse().ok().filter(|n| *n > 0 && *n <= i32::MAX.unsigned_abs())
}

fn millis(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|n| *n > 0).map(Duration::from_millis)
}

/// `-1` is `None`.
fn or_none<T>(value: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if value == "-1" { Some(None) } else { read(value).map(Some) }
}
