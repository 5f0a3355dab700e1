//! Settings of consumer groups (KIP-848).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::assignor::{Assignor, ServerRange, Uniform};
use crate::{GroupId, ProtocolName};

/// How groups behave whose broker assigns (KIP-848).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerGroupConfig {
    /// Those of groups that have none of their own.
    pub times: ConsumerTimes,
    /// Those of groups that have their own, whether they are there or not; none.
    pub own: Arc<BTreeMap<GroupId, ConsumerTimes>>,
    /// The most members of a group; any number (`group.consumer.max.size`).
    pub max_size: usize,
    /// By what partitions can be assigned; the first where members do not say
    /// (`group.consumer.assignors`).
    pub assignors: Assignors,
    /// Whether groups may change from one protocol to the other while they have members; both ways
    /// (`group.consumer.migration.policy`).
    pub migration: MigrationPolicy,
}

/// How often members of a group come, and how often its partitions are assigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerTimes {
    /// Silence after which a member is taken for dead; 45 seconds
    /// (`group.consumer.session.timeout.ms`, of a single group `consumer.session.timeout.ms`). A
    /// change counts from the member's next heartbeat on.
    pub session_timeout: Duration,
    /// How often members are to come; 5 seconds (`group.consumer.heartbeat.interval.ms`,
    /// `consumer.heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
    /// Partitions are not assigned anew more often than this; 1 second
    /// (`group.consumer.assignment.interval.ms`, `consumer.assignment.interval.ms`, KIP-1263).
    pub assignment_interval: Duration,
}

/// By what a broker can assign.
#[derive(Clone)]
pub struct Assignors(Vec<Arc<dyn Assignor + Send + Sync>>);

/// Which way groups may change that have members.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum MigrationPolicy {
    /// Both ways.
    #[default]
    Bidirectional,
    /// To the newer protocol only.
    Upgrade,
    /// To the classic protocol only.
    Downgrade,
    /// Not at all, and members of the two are not mixed.
    Disabled,
}

impl Default for ConsumerGroupConfig {
    fn default() -> ConsumerGroupConfig {
        ConsumerGroupConfig {
            times: ConsumerTimes::default(),
            own: Arc::default(),
            max_size: i32::MAX as usize,
            assignors: Assignors::default(),
            migration: MigrationPolicy::default(),
        }
    }
}

impl ConsumerGroupConfig {
    /// The times of a group.
    #[must_use]
    pub fn times_of(&self, group: &GroupId) -> ConsumerTimes {
        self.own.get(group).copied().unwrap_or(self.times)
    }
}

impl Default for ConsumerTimes {
    fn default() -> ConsumerTimes {
        ConsumerTimes {
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(5),
            assignment_interval: Duration::from_secs(1),
        }
    }
}

impl Assignors {
    /// These; the first is taken where members do not say. At least one.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new(assignors: Vec<Arc<dyn Assignor + Send + Sync>>) -> Assignors {
        assert!(!assignors.is_empty(), "a broker needs something to assign by");
        Assignors(assignors)
    }

    /// Kafka's by their names, `uniform` and `range`; `None` when one is another's.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Assignors> {
        let one = |name: &str| -> Option<Arc<dyn Assignor + Send + Sync>> {
            match name {
                "uniform" => Some(Arc::new(Uniform)),
                "range" => Some(Arc::new(ServerRange)),
                _ => None,
            }
        };
        let all = names.into_iter().map(one).collect::<Option<Vec<_>>>()?;
        (!all.is_empty()).then(|| Assignors(all))
    }

    /// One by its name.
    #[must_use]
    pub fn find(&self, name: &ProtocolName) -> Option<&(dyn Assignor + Send + Sync)> {
        self.0.iter().find(|assignor| assignor.name() == name.as_str()).map(|assignor| &**assignor)
    }

    pub(crate) fn default_name(&self) -> ProtocolName {
        ProtocolName::new(self.0.first().map_or("", |assignor| assignor.name()))
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|assignor| assignor.name()).collect()
    }
}

impl Default for Assignors {
    fn default() -> Assignors {
        Assignors(vec![Arc::new(Uniform), Arc::new(ServerRange)])
    }
}

impl PartialEq for Assignors {
    fn eq(&self, other: &Assignors) -> bool {
        self.names() == other.names()
    }
}

impl Eq for Assignors {}

impl fmt::Debug for Assignors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl MigrationPolicy {
    /// All of them.
    pub const ALL: [MigrationPolicy; 4] = [
        MigrationPolicy::Bidirectional,
        MigrationPolicy::Upgrade,
        MigrationPolicy::Downgrade,
        MigrationPolicy::Disabled,
    ];

    /// By Kafka's name, in whatever case.
    #[must_use]
    pub fn named(name: &str) -> Option<MigrationPolicy> {
        MigrationPolicy::ALL.into_iter().find(|policy| policy.name().eq_ignore_ascii_case(name))
    }

    /// Kafka's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MigrationPolicy::Bidirectional => "bidirectional",
            MigrationPolicy::Upgrade => "upgrade",
            MigrationPolicy::Downgrade => "downgrade",
            MigrationPolicy::Disabled => "disabled",
        }
    }

    pub(crate) fn upgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Upgrade)
    }

    pub(crate) fn downgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Downgrade)
    }

    pub(crate) fn is_any(self) -> bool {
        self != MigrationPolicy::Disabled
    }
}
