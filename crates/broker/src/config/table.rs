//! All settings, a row each: Kafka's name, what it can be, and how it is set. Rows later in the table win over earlier ones
//! of the same source, as `log.retention.ms` does over `log.retention.hours`.

use std::time::Duration;

use super::BrokerConfig;
use super::parse::{
    AGE, BYTES, MILLIS, OR_NONE, POLICY, RATIO, Row, age, millis, number, or_none, policy, put, ratio, row,
    unsigned,
};

const NUMBER: &str = "a number from 1 to 2,147,483,647";
const SWITCH: &str = "true or false";

pub(super) const TABLE: &[Row<BrokerConfig>] = &[
    row("node.id", "a number from 0 to 2,147,483,647", |c, v| put(&mut c.node_id, number(v, 0)?)),
    row("broker.id", "a number from 0 to 2,147,483,647", |c, v| put(&mut c.node_id, number(v, 0)?)),
    row("listeners", "one address such as PLAINTEXT://127.0.0.1:9092", |c, v| {
        put(&mut c.listener, v.parse().ok()?)
    }),
    row("advertised.listeners", "one address such as PLAINTEXT://host:9092", |c, v| {
        put(&mut c.advertised, Some(v.parse().ok()?))
    }),
    row("log.dirs", "one folder", |c, v| put(&mut c.log_dir, Some(one_folder(v)?.into()))),
    row("log.dir", "one folder", |c, v| put(&mut c.log_dir, Some(one_folder(v)?.into()))),
    row("num.partitions", "a number from 1 to 10,000", |c, v| {
        put(&mut c.num_partitions, number(v, 1).filter(|n| *n <= 10_000)?)
    }),
    row("auto.create.topics.enable", SWITCH, |c, v| put(&mut c.auto_create_topics, v.parse().ok()?)),
    row("delete.topic.enable", SWITCH, |c, v| put(&mut c.delete_topics, v.parse().ok()?)),
    row("default.replication.factor", "1, for there is one broker", |_, v| {
        (number(v, 1)? == 1).then_some(())
    }),
    row("socket.request.max.bytes", BYTES, |c, v| put(&mut c.max_request_bytes, size(v)?)),
    row("queued.max.request.bytes", BYTES, |c, v| put(&mut c.max_queued_bytes, size(v)?)),
    row("queued.max.requests", NUMBER, |c, v| put(&mut c.max_queued_requests, size(v)?)),
    row("num.io.threads", "a number from 1 to 1,024", |c, v| put(&mut c.io_threads, threads(v)?)),
    row("num.network.threads", "a number from 1 to 1,024", |c, v| put(&mut c.network_threads, threads(v)?)),
    row("num.recovery.threads.per.data.dir", "a number from 1 to 1,024", |c, v| {
        put(&mut c.recovery_threads, threads(v)?)
    }),
    row("max.connections", NUMBER, |c, v| put(&mut c.max_connections, size(v)?)),
    row("connections.max.idle.ms", MILLIS, |c, v| put(&mut c.max_idle, millis(v)?)),
    row("fetch.max.bytes", BYTES, |c, v| put(&mut c.max_fetch_bytes, size(v)?)),
    row("message.max.bytes", BYTES, |c, v| put(&mut c.log.max_message_bytes, unsigned(v)?)),
    row("log.segment.bytes", BYTES, |c, v| put(&mut c.log.segment_bytes, unsigned(v)?)),
    row("log.roll.hours", NUMBER, |c, v| put(&mut c.log.segment_time, hours(v)?)),
    row("log.roll.ms", MILLIS, |c, v| put(&mut c.log.segment_time, millis(v)?)),
    row("log.index.size.max.bytes", BYTES, |c, v| put(&mut c.log.segment_index_bytes, unsigned(v)?)),
    row("log.index.interval.bytes", "a number of bytes from 0 to 2,147,483,647", |c, v| {
        put(&mut c.log.index_interval_bytes, number(v, 0)?.try_into().ok()?)
    }),
    row("log.retention.hours", OR_NONE, |c, v| put(&mut c.log.retention_time, or_none(v, hours)?)),
    row("log.retention.minutes", OR_NONE, |c, v| {
        put(
            &mut c.log.retention_time,
            or_none(v, |v| Some(Duration::from_secs(v.parse::<u64>().ok()?.checked_mul(60)?)))?,
        )
    }),
    row("log.retention.ms", OR_NONE, |c, v| put(&mut c.log.retention_time, or_none(v, millis)?)),
    row("log.retention.bytes", OR_NONE, |c, v| {
        put(&mut c.log.retention_bytes, or_none(v, |v| v.parse().ok())?)
    }),
    row("log.retention.check.interval.ms", MILLIS, |c, v| put(&mut c.retention_interval, millis(v)?)),
    row("log.segment.delete.delay.ms", AGE, |c, v| put(&mut c.log.file_delete_delay, age(v)?)),
    row("log.cleanup.policy", POLICY, |c, v| put(&mut c.log.cleanup_policy, policy(v)?)),
    row("log.cleaner.min.cleanable.ratio", RATIO, |c, v| {
        put(&mut c.log.min_cleanable_dirty_ratio, ratio(v)?)
    }),
    row("log.cleaner.min.compaction.lag.ms", AGE, |c, v| put(&mut c.log.min_compaction_lag, age(v)?)),
    row("log.cleaner.max.compaction.lag.ms", MILLIS, |c, v| {
        put(&mut c.log.max_compaction_lag, Some(millis(v)?))
    }),
    row("log.cleaner.delete.retention.ms", AGE, |c, v| put(&mut c.log.delete_retention, age(v)?)),
    row("log.cleaner.dedupe.buffer.size", BYTES, |c, v| put(&mut c.cleaner.dedupe_buffer_bytes, size(v)?)),
    row("log.cleaner.io.buffer.load.factor", RATIO, |c, v| put(&mut c.cleaner.load_factor, ratio(v)?)),
    row("log.cleaner.io.buffer.size", BYTES, |c, v| put(&mut c.cleaner.io_buffer_bytes, size(v)?)),
    row("log.cleaner.io.max.bytes.per.second", "a number of bytes, at least 1", |c, v| {
        put(&mut c.cleaner.max_bytes_per_second, Some(v.parse().ok().filter(|n| *n > 0)?))
    }),
    row("log.cleaner.backoff.ms", MILLIS, |c, v| put(&mut c.cleaner.backoff, millis(v)?)),
    row("log.max.open.files", NUMBER, |c, v| put(&mut c.max_open_files, size(v)?)),
    row("log.flush.interval.messages", NUMBER, |c, v| {
        put(&mut c.log.flush_messages, Some(v.parse().ok().filter(|n| *n > 0)?))
    }),
    row("log.flush.interval.ms", MILLIS, |c, v| put(&mut c.log.flush_time, Some(millis(v)?))),
    row("log.flush.offset.checkpoint.interval.ms", MILLIS, |c, v| {
        put(&mut c.checkpoint_interval, millis(v)?)
    }),
];

fn size(value: &str) -> Option<usize> {
    number(value, 1)?.try_into().ok()
}

fn threads(value: &str) -> Option<usize> {
    size(value).filter(|n| *n <= 1024)
}

fn hours(value: &str) -> Option<Duration> {
    value.parse::<u64>().ok().filter(|n| *n > 0)?.checked_mul(3600).map(Duration::from_secs)
}

fn one_folder(value: &str) -> Option<&str> {
    (!value.is_empty() && !value.contains(',')).then_some(value)
}
