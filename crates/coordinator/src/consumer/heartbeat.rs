//! ConsumerGroupHeartbeat: a member joins, says what it wants and has, hears what it is to have, or
//! leaves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Partitions;
use super::draft::Draft;
use super::group::{ConsumerGroup, Member};
use super::record::{ConsumerRecord, Subscribed};
use crate::{GroupError, GroupId, InstanceId, MemberId, ProtocolName, Topic};

/// A member is alive. What it does not say has not changed.
#[derive(Clone, Debug, Default)]
pub struct ConsumerHeartbeat {
    /// Which group.
    pub group: GroupId,
    /// The id that it has given itself; `None` for one that is to be given one.
    pub member: Option<MemberId>,
    /// The epoch that it was told; 0 to join, −1 to leave, −2 for a static one that leaves for a
    /// while.
    pub epoch: i32,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// Where it stands.
    pub rack: Option<Arc<str>>,
    /// Its `client.id`.
    pub client_id: Arc<str>,
    /// Where it comes from.
    pub client_host: Arc<str>,
    /// How long it may take to give up partitions.
    pub rebalance_timeout: Option<Duration>,
    /// The topics that it wants by name.
    pub topics: Option<BTreeSet<Topic>>,
    /// An expression for topics that it wants too; an empty one is none.
    pub regex: Option<Arc<str>>,
    /// By what it wants partitions to be assigned.
    pub assignor: Option<ProtocolName>,
    /// What it has.
    pub owned: Option<Partitions>,
    /// Where a new id comes from: 128 bits that nobody has had.
    pub random: u128,
}

/// What a member is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerHeartbeatAnswer {
    /// Its id.
    pub member: MemberId,
    /// Its epoch.
    pub epoch: i32,
    /// When it is to come again.
    pub interval: Duration,
    /// What it is to have; `None` when it knows.
    pub assignment: Option<Partitions>,
}

/// The epoch of a member that joins.
pub(super) const JOINS: i32 = 0;
/// The epoch of one that leaves.
pub(super) const LEAVES: i32 = -1;
/// The epoch of a static one that is away.
pub(super) const IS_AWAY: i32 = -2;

impl ConsumerHeartbeat {
    /// Whether it leaves, for good or for a while.
    pub(crate) fn leaves(&self) -> bool {
        matches!(self.epoch, LEAVES | IS_AWAY)
    }

    /// Whether it joins.
    pub(crate) fn joins(&self) -> bool {
        self.epoch == JOINS
    }

    /// Refuses a heartbeat that no member can send, with the messages of Kafka, which clients show
    /// and tests compare.
    pub(crate) fn check(&self, knows_assignor: impl Fn(&ProtocolName) -> bool) -> Result<(), GroupError> {
        let is_blank = |text: &str| text.trim().is_empty();
        let id = self.member.as_ref().map(MemberId::as_str);
        let joins = self.joins();
        let checks = [
            (id.is_some_and(is_blank) || (id.is_none() && !joins), "MemberId can't be empty."),
            (is_blank(self.group.as_str()), "GroupId can't be empty."),
            (self.instance.as_ref().is_some_and(|id| is_blank(id.as_str())), "InstanceId can't be empty."),
            (self.rack.as_deref().is_some_and(is_blank), "RackId can't be empty."),
            (
                joins && self.rebalance_timeout.is_none(),
                "RebalanceTimeoutMs must be provided in first request.",
            ),
            (
                joins && !self.owned.as_ref().is_some_and(Partitions::is_empty),
                "TopicPartitions must be empty when (re-)joining.",
            ),
            (
                joins && self.topics.is_none() && self.regex.is_none(),
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            ),
            (self.epoch == IS_AWAY && self.instance.is_none(), "InstanceId can't be null."),
            (self.epoch < IS_AWAY, "MemberEpoch is invalid."),
        ];
        if let Some((_, why)) = checks.iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(GroupError::InvalidRequest(why));
        }
        match &self.assignor {
            Some(name) if !knows_assignor(name) => Err(GroupError::UnsupportedAssignor),
            _ => Ok(()),
        }
    }

    /// Bytes of the topics, the expression and the rack that it names.
    pub(crate) fn bytes(&self) -> usize {
        let topics = self.topics.iter().flatten().map(|topic| topic.as_str().len());
        let texts = [self.regex.as_deref(), self.rack.as_deref()].into_iter().flatten().map(str::len);
        topics.chain(texts).sum()
    }

    pub(super) fn id(&self) -> MemberId {
        self.member.clone().unwrap_or_else(|| new_id(self.random))
    }

    /// Whether it says all that it could, as one does that does not know what was heard of it.
    pub(super) fn is_full(&self) -> bool {
        let wants = self.topics.is_some() || self.regex.is_some();
        self.rebalance_timeout.is_some() && wants && self.owned.is_some()
    }

    /// What is known of the member, with what it says now; `None` when that changes nothing.
    pub(super) fn update(&self, said: &Subscribed) -> Option<Subscribed> {
        let differs = |new: Option<&str>, old: Option<&str>| new.is_some() && new != old;
        let text = |id: &InstanceId| id.as_str().to_owned();
        let is_same = said.classic.is_none()
            && said.client_id == self.client_id
            && said.client_host == self.client_host
            && !differs(
                self.instance.as_ref().map(text).as_deref(),
                said.instance.as_ref().map(InstanceId::as_str),
            )
            && !differs(self.rack.as_deref(), said.rack.as_deref())
            && !differs(self.regex.as_deref(), Some(&said.regex))
            && !differs(
                self.assignor.as_ref().map(ProtocolName::as_str),
                said.assignor.as_ref().map(ProtocolName::as_str),
            )
            && self.rebalance_timeout.is_none_or(|time| time == said.rebalance_timeout)
            && self.topics.as_ref().is_none_or(|topics| *topics == said.topics);
        (!is_same).then(|| Subscribed {
            instance: self.instance.clone().or_else(|| said.instance.clone()),
            rack: self.rack.clone().or_else(|| said.rack.clone()),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            topics: self.topics.clone().unwrap_or_else(|| said.topics.clone()),
            regex: self.regex.clone().unwrap_or_else(|| Arc::clone(&said.regex)),
            rebalance_timeout: self.rebalance_timeout.unwrap_or(said.rebalance_timeout),
            assignor: self.assignor.clone().or_else(|| said.assignor.clone()),
            classic: None,
        })
    }
}

/// Who a request is from: a member, one that is new, or one that takes the place of another.
pub(super) enum Who<'a> {
    Member(&'a Member),
    New(MemberId),
    InPlaceOf(&'a Member, MemberId),
}

impl ConsumerGroup {
    /// Who a heartbeat is from, if it is to be heard.
    pub(super) fn who(&self, beat: &ConsumerHeartbeat, max_size: usize) -> Result<Who<'_>, GroupError> {
        let id = beat.id();
        let known = self.member(&id);
        if known.is_none() && self.members().len() >= max_size {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if beat.epoch != JOINS {
            let member = self.find(&id, beat.instance.as_ref())?;
            return check_epoch(member, beat).map(|()| Who::Member(member));
        }
        match beat.instance.as_ref().and_then(|instance| self.static_member(instance)) {
            Some(there) if there.said.classic.is_none() && there.current.epoch != IS_AWAY => {
                Err(GroupError::UnreleasedInstanceId)
            }
            Some(there) => Ok(Who::InPlaceOf(there, id)),
            None => Ok(known.map_or(Who::New(id), Who::Member)),
        }
    }
}

impl Draft<'_> {
    /// What a heartbeat decides. It is checked already, and does not leave.
    pub(crate) fn heartbeat(
        mut self,
        beat: &ConsumerHeartbeat,
    ) -> Result<(Vec<ConsumerRecord>, ConsumerHeartbeatAnswer), GroupError> {
        let who = self.group.who(beat, self.config.consumer.max_size)?;
        self.begin(who);
        if let Some(said) = beat.update(self.said()) {
            self.change(said);
        }
        let has_other = self.settle(beat.owned.as_ref())?;
        let tells = beat.joins() || beat.is_full() || has_other;
        let answer = ConsumerHeartbeatAnswer {
            member: self.id.clone(),
            epoch: self.current().epoch,
            interval: self.config.consumer.times_of(&self.group.id).heartbeat_interval,
            assignment: tells.then(|| self.current().assigned.partitions()),
        };
        Ok((self.records, answer))
    }
}

/// One that did not get the last answer may still say the epoch before, if it has nothing that it
/// has not been given.
fn check_epoch(member: &Member, beat: &ConsumerHeartbeat) -> Result<(), GroupError> {
    let current = &member.current;
    let has_only_its_own = || {
        let is_own = |(topic, partition)| current.assigned.epoch(topic, partition).is_some();
        beat.owned.as_ref().is_some_and(|owned| owned.iter().all(is_own))
    };
    match beat.epoch {
        epoch if epoch == current.epoch => Ok(()),
        epoch if epoch < current.epoch && epoch == current.previous && has_only_its_own() => Ok(()),
        _ => Err(GroupError::FencedMemberEpoch),
    }
}

/// An id as Kafka writes its own: 22 letters and digits.
pub(super) fn new_id(random: u128) -> MemberId {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |at: u32| char::from(LETTERS[((random >> (122 - 6 * at)) & 63) as usize]);
    let last = char::from(LETTERS[((random << 4) & 63) as usize]);
    MemberId::new(&(0..21).map(digit).chain([last]).collect::<String>())
}
