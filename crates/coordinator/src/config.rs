//! Settings of groups.

use std::time::Duration;

use crate::ConsumerGroupConfig;

/// How groups behave. Each field names Kafka's property and its default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// The least session timeout that a member may ask for; 6 seconds
    /// (`group.min.session.timeout.ms`).
    pub min_session_timeout: Duration,
    /// The greatest; 30 minutes (`group.max.session.timeout.ms`).
    pub max_session_timeout: Duration,
    /// For how long an empty group waits for more members once one has come, and again whenever
    /// another comes, up to the rebalance timeout of its members; 3 seconds
    /// (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay: Duration,
    /// The most members of a group; any number (`group.max.size`).
    pub max_size: usize,
    /// The most bytes of the metadata of one member: of its protocols, or of the topics and
    /// partitions that it names; 4 MiB. Kafka has no such bound (`group.member.max.bytes`).
    pub max_member_bytes: usize,
    /// The most bytes of the metadata of all members of a classic group, and of their assignments;
    /// 16 MiB. Kafka has no such bound (`group.max.bytes`).
    pub max_bytes: usize,
    /// The most members of a classic group that have been given an id and have not come again with
    /// it; 10,000. Kafka has no such bound (`group.max.pending.members`).
    pub max_pending: usize,
    /// For how long a member is kept that has come without an id and waits: it cannot send
    /// heartbeats yet; 5 minutes. Kafka has it as a constant.
    pub new_member_timeout: Duration,
    /// The words beside a committed offset, at most, in units of UTF-16, as Kafka counts them;
    /// 4,096 (`offset.metadata.max.bytes`).
    pub offset_metadata_max_bytes: usize,
    /// For how long the offsets of a group are kept that has no members any more; 7 days
    /// (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// How often it is looked for offsets that have expired; 10 minutes
    /// (`offsets.retention.check.interval.ms`).
    pub offsets_retention_check_interval: Duration,
    /// Groups whose broker assigns.
    pub consumer: ConsumerGroupConfig,
}

impl Default for GroupConfig {
    fn default() -> GroupConfig {
        GroupConfig {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(1800),
            initial_rebalance_delay: Duration::from_secs(3),
            max_size: i32::MAX as usize,
            max_member_bytes: 4 << 20,
            max_bytes: 16 << 20,
            max_pending: 10_000,
            new_member_timeout: Duration::from_secs(300),
            offset_metadata_max_bytes: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 3600),
            offsets_retention_check_interval: Duration::from_secs(600),
            consumer: ConsumerGroupConfig::default(),
        }
    }
}
