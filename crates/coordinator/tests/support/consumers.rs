//! A coordinator whose groups assign by themselves, with its log and its topics, and clients that
//! know what they were told. Some of them speak the classic protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_coordinator::assignor::TopicPartition;
use klamm_coordinator::consumer_protocol::{Subscription, decode_assignment};
use klamm_coordinator::{
    Answer, Catalog, CatalogTopic, Commit, ConsumerHeartbeat, ConsumerHeartbeatAnswer, ConsumerRecord,
    Effects, GroupConfig, GroupCoordinator, GroupError, GroupId, GroupRecord, GroupReplay, Heartbeat,
    JoinGroup, LeaveGroup, Leaving, MemberId, Moment, NewOffset, NotJoined, Partitions, Present,
    ProtocolName, SyncGroup, Topic, Waiter,
};
use klamm_protocol::Uuid;
use klamm_types::{Offset, Timestamp};

pub const GROUP: &str = "g";

/// The topics, by name, with their numbers of partitions.
#[derive(Clone, Debug, Default)]
pub struct TestTopics {
    topics: BTreeMap<Topic, (Uuid, usize)>,
    version: u64,
}

impl TestTopics {
    /// Makes a topic, or gives it more partitions.
    pub fn set(&mut self, name: &str, partitions: usize) {
        self.version += 1;
        let id = Uuid(u128::from(self.version).to_be_bytes());
        self.topics.entry(name.into()).and_modify(|topic| topic.1 = partitions).or_insert((id, partitions));
    }

    pub fn remove(&mut self, name: &str) {
        self.version += 1;
        self.topics.remove(name);
    }

    pub fn id(&self, name: &str) -> Uuid {
        self.topics.get(name).map_or(Uuid::ZERO, |topic| topic.0)
    }

    /// All partitions there are.
    pub fn partitions(&self) -> impl Iterator<Item = (Uuid, i32)> {
        self.topics
            .values()
            .flat_map(|(id, count)| (0..i32::try_from(*count).unwrap()).map(|number| (*id, number)))
    }
}

impl Catalog for TestTopics {
    fn version(&self) -> u64 {
        self.version
    }

    fn find(&self, name: &Topic) -> Option<CatalogTopic> {
        self.topics.get(name).map(|(id, partitions)| CatalogTopic { id: *id, partitions: *partitions })
    }

    fn name(&self, id: Uuid) -> Option<Topic> {
        self.topics.iter().find(|(_, (known, _))| *known == id).map(|(name, _)| name.clone())
    }

    fn names(&self) -> Vec<Topic> {
        self.topics.keys().cloned().collect()
    }

    fn racks(&self, _: Uuid, _: i32) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// What a client knows.
#[derive(Clone, Debug, Default)]
pub struct Consumer {
    pub name: String,
    /// Another after it was started anew.
    pub member: String,
    pub instance: Option<String>,
    pub epoch: i32,
    pub topics: Option<String>,
    pub regex: Option<String>,
    pub assignor: Option<String>,
    pub assignment: Partitions,
    /// What it reads: it has not given it up yet.
    pub owned: Partitions,
    pub timeout: Option<Duration>,
}

pub struct ConsumerWorld {
    pub groups: GroupCoordinator,
    pub log: Vec<GroupRecord>,
    pub topics: TestTopics,
    pub now: Duration,
    pub is_log_full: bool,
    pub crashes_next: bool,
    /// Of what is decided as it crashes, where that may be large, so many records are logged, taken
    /// around; all without one.
    pub torn: Option<usize>,
    pub consumers: BTreeMap<String, Consumer>,
    pub said: Vec<String>,
    /// What has become of the group, in words.
    pub news: Vec<String>,
    config: GroupConfig,
    answers: Vec<Answer>,
    random: u128,
}

impl ConsumerWorld {
    pub fn new(config: GroupConfig) -> ConsumerWorld {
        ConsumerWorld {
            groups: GroupCoordinator::new(config.clone()),
            log: Vec::new(),
            topics: TestTopics::default(),
            now: Duration::from_secs(1),
            is_log_full: false,
            crashes_next: false,
            torn: None,
            consumers: BTreeMap::new(),
            said: Vec::new(),
            news: Vec::new(),
            config,
            answers: Vec::new(),
            random: 0,
        }
    }

    pub fn consumer(&mut self, name: &str) -> &mut Consumer {
        let new = || Consumer { name: name.to_owned(), member: name.to_owned(), ..Consumer::default() };
        self.consumers.entry(name.to_owned()).or_insert_with(new)
    }

    fn decide<T>(&mut self, event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> T) -> T {
        event(&mut self.groups, present(self.now, &self.topics))
    }

    /// A heartbeat; what it does not say is not said.
    pub fn beat(&mut self, beat: &ConsumerHeartbeat) -> Result<ConsumerHeartbeatAnswer, GroupError> {
        let (effects, answer) = self.decide(|groups, present| groups.consumer_heartbeat(beat, present))?;
        if self.carry_out(effects) { Ok(answer) } else { Err(GroupError::CoordinatorNotAvailable) }
    }

    /// What a client says at least.
    pub fn heartbeat(&self, name: &str) -> ConsumerHeartbeat {
        let consumer = self.consumers.get(name).cloned().unwrap_or_default();
        ConsumerHeartbeat {
            group: GROUP.into(),
            member: Some(MemberId::new(&consumer.member)),
            epoch: consumer.epoch,
            instance: consumer.instance.as_deref().map(Into::into),
            client_id: consumer.name.as_str().into(),
            client_host: "/127.0.0.1".into(),
            ..ConsumerHeartbeat::default()
        }
    }

    /// Sends a heartbeat and notes what the client is told.
    pub fn send(&mut self, name: &str, beat: &ConsumerHeartbeat) -> Result<(), GroupError> {
        let answer = self.beat(beat)?;
        let consumer = self.consumer(name);
        consumer.epoch = answer.epoch;
        if let Some(assignment) = answer.assignment {
            consumer.assignment = assignment;
        }
        Ok(())
    }

    pub fn join(&mut self, name: &str) -> Result<(), GroupError> {
        let consumer = self.consumer(name);
        (consumer.epoch, consumer.assignment, consumer.owned) =
            (0, Partitions::default(), Partitions::default());
        let consumer = consumer.clone();
        let beat = ConsumerHeartbeat {
            topics: Some(names(consumer.topics.as_deref().unwrap_or_default())),
            regex: consumer.regex.as_deref().map(Arc::from),
            assignor: consumer.assignor.as_deref().map(ProtocolName::new),
            rebalance_timeout: Some(consumer.timeout.unwrap_or(Duration::from_secs(300))),
            owned: Some(Partitions::default()),
            ..self.heartbeat(name)
        };
        self.send(name, &beat)
    }

    /// It has given up what it was to give up, and reads what it was given: it says so.
    pub fn acknowledge(&mut self, name: &str) -> Result<(), GroupError> {
        let consumer = self.consumer(name);
        consumer.owned = consumer.assignment.clone();
        let owned = Some(consumer.owned.clone());
        let beat = ConsumerHeartbeat { owned, ..self.heartbeat(name) };
        self.send(name, &beat)
    }

    pub fn leave(&mut self, name: &str, epoch: i32) -> Result<(), GroupError> {
        let beat = ConsumerHeartbeat { epoch, ..self.heartbeat(name) };
        self.send(name, &beat)
    }

    /// Of a partition, as a member of this epoch.
    pub fn commit(
        &mut self,
        member: Option<&str>,
        epoch: Option<i32>,
        partition: &str,
        offset: i64,
    ) -> Result<(), GroupError> {
        let (topic, number) = partition.rsplit_once('-').unwrap();
        let new = NewOffset {
            topic: topic.into(),
            topic_id: Some(self.topics.id(topic)),
            partition: number.parse().unwrap(),
            offset: Offset::new(offset),
            leader_epoch: None,
            metadata: "".into(),
        };
        let commit = Commit {
            group: GROUP.into(),
            member: member.map(MemberId::new),
            instance: None,
            generation: epoch,
            knows_epochs: true,
            retention: None,
            offsets: vec![new],
        };
        let (effects, outcomes) = self.decide(|groups, present| groups.commit(&commit, present))?;
        if self.carry_out(effects) { outcomes[0] } else { Err(GroupError::CoordinatorNotAvailable) }
    }

    pub fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        self.groups.committed(&GroupId::new(GROUP), topic, partition).map(|found| found.offset.get())
    }

    /// A classic member joins: it has what it was given.
    pub fn classic_join(&mut self, name: &str) -> Result<(), GroupError> {
        self.random += 1;
        let consumer = self.consumer(name).clone();
        let owned = self.named(&consumer.owned);
        let wants = Subscription {
            topics: names(consumer.topics.as_deref().unwrap_or_default()).into_iter().collect(),
            owned,
            ..Subscription::default()
        };
        let join = JoinGroup {
            group: GROUP.into(),
            member: (consumer.epoch != 0).then(|| MemberId::new(&consumer.member)),
            instance: consumer.instance.as_deref().map(Into::into),
            client_id: name.into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(60),
            protocol_type: ProtocolName::new("consumer"),
            protocols: vec![(ProtocolName::new("range"), wants.encode().unwrap())],
            asks_twice: false,
            can_skip: true,
            random: self.random,
        };
        let effects = self.decide(|groups, present| groups.join(&join, Waiter(1), present));
        self.carry_out(effects);
        self.pass(Duration::ZERO);
        match self.answers.pop() {
            Some(Answer::Join(Ok(joined))) => {
                let consumer = self.consumer(name);
                (consumer.member, consumer.epoch) = (joined.member.to_string(), joined.generation);
                Ok(())
            }
            Some(Answer::Join(Err(NotJoined { error, .. }))) => Err(error),
            _ => Err(GroupError::RebalanceInProgress),
        }
    }

    pub fn classic_sync(
        &mut self,
        name: &str,
        assignments: Vec<(MemberId, Bytes)>,
    ) -> Result<(), GroupError> {
        let consumer = self.consumer(name).clone();
        let sync = SyncGroup {
            group: GROUP.into(),
            member: MemberId::new(&consumer.member),
            instance: consumer.instance.as_deref().map(Into::into),
            generation: consumer.epoch,
            protocol_type: None,
            protocol: None,
            assignments,
        };
        let effects = self.decide(|groups, present| groups.sync(sync, Waiter(2), present));
        self.carry_out(effects);
        match self.answers.pop() {
            Some(Answer::Sync(Ok(synced))) => {
                let given = decode_assignment(&synced.assignment).unwrap_or_default();
                let given =
                    given.iter().map(|own| (self.topics.id(own.topic.as_str()), own.partition)).collect();
                let consumer = self.consumer(name);
                (consumer.assignment, consumer.owned) = (Partitions::clone(&given), given);
                Ok(())
            }
            Some(Answer::Sync(Err(error))) => Err(error),
            _ => Err(GroupError::RebalanceInProgress),
        }
    }

    pub fn classic_beat(&mut self, name: &str) -> Result<(), GroupError> {
        let consumer = self.consumer(name).clone();
        let beat = Heartbeat {
            group: GROUP.into(),
            member: MemberId::new(&consumer.member),
            instance: None,
            generation: consumer.epoch,
        };
        self.decide(|groups, present| groups.heartbeat(&beat, present))
    }

    pub fn classic_leave(&mut self, name: &str) -> Result<(), GroupError> {
        let member = Some(MemberId::new(&self.consumer(name).member));
        let leave = LeaveGroup { group: GROUP.into(), members: vec![Leaving { member, instance: None }] };
        let (effects, outcomes) = self.decide(|groups, present| groups.leave(&leave, present))?;
        self.carry_out(effects);
        outcomes[0]
    }

    /// Moves the time on, and does what is due on the way.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.groups.next_deadline().filter(|due| due.passed() <= end) {
            self.now = self.now.max(due.passed());
            while let Some(effects) = self.decide(GroupCoordinator::on_time) {
                self.carry_out(effects);
            }
        }
        self.now = end;
    }

    /// Whether it could be logged.
    pub fn carry_out(&mut self, effects: Effects) -> bool {
        if self.is_log_full && !effects.records.is_empty() {
            let error = GroupError::CoordinatorNotAvailable;
            let instead = self.decide(|groups, present| groups.not_logged(effects, error, present));
            self.answers.extend(instead.answers.into_iter().map(|(_, answer)| answer));
            self.said.push("the log is full".to_owned());
            return false;
        }
        if self.crashes_next && !effects.records.is_empty() {
            let torn = self.torn.filter(|_| may_be_torn(&effects.records));
            let kept = torn.map_or(usize::MAX, |torn| torn % (effects.records.len() + 1));
            self.log.extend(effects.records.into_iter().take(kept));
            self.crash(usize::MAX);
            return false;
        }
        self.news.extend(effects.notices.iter().map(|notice| notice.news.to_string()));
        for record in effects.records {
            self.groups.apply(&record);
            self.said.push(format!("logged: {}", self.words(&record)));
            self.log.push(record);
        }
        self.answers.extend(effects.answers.into_iter().map(|(_, answer)| answer));
        true
    }

    /// The coordinator ends, and another reads the first `records` of the log, as bytes.
    pub fn crash(&mut self, records: usize) {
        self.crashes_next = false;
        self.log.truncate(records);
        let mut replay = GroupReplay::new(self.config.clone());
        for record in &self.log {
            let (key, value) = record.encode().unwrap();
            let read = GroupRecord::decode(&key, value.as_ref()).unwrap();
            assert_eq!(read, *record, "a record is read as it was written");
            replay.apply(&read);
        }
        self.groups = replay.finish(present(self.now, &self.topics));
        self.answers.clear();
    }

    /// The log keeps the last record of each key only, as its cleaner does.
    pub fn compact(&mut self) {
        let key = |record: &GroupRecord| record.encode().unwrap().0;
        let latest: BTreeMap<Bytes, usize> =
            self.log.iter().enumerate().map(|(at, record)| (key(record), at)).collect();
        let kept: BTreeSet<usize> = latest.into_values().collect();
        let mut at = 0..;
        self.log.retain(|_| kept.contains(&at.next().unwrap()));
    }

    pub fn state(&self) -> String {
        let id = GroupId::new(GROUP);
        if let Some(found) = self.groups.describe(&id) {
            return format!("classic: {}, generation {}", found.state, found.generation);
        }
        let Some(found) = self.groups.describe_consumer(&id) else { return "no group".to_owned() };
        format!(
            "{}, epoch {}, assigned up to {} by {}",
            found.state, found.epoch, found.target_epoch, found.assignor
        )
    }

    pub fn named(&self, partitions: &Partitions) -> Vec<TopicPartition> {
        let name = |(topic, partition)| {
            let name = self.topics.name(topic).map_or("gone".to_owned(), |name| name.to_string());
            TopicPartition::new(&name, partition)
        };
        partitions.iter().map(name).collect()
    }

    pub fn list(&self, partitions: &Partitions) -> String {
        let named: Vec<_> = self.named(partitions).iter().map(ToString::to_string).collect();
        if named.is_empty() { "nothing".to_owned() } else { named.join(" ") }
    }

    fn held(&self, held: &klamm_coordinator::Held) -> String {
        let one = |(topic, partition, epoch)| {
            format!("{}@{epoch}", self.list(&[(topic, partition)].into_iter().collect()))
        };
        let all: Vec<_> = held.iter().map(one).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(" ") }
    }

    fn words(&self, record: &GroupRecord) -> String {
        match record {
            GroupRecord::Offset { topic, partition, committed, .. } => match committed {
                Some(committed) => format!("{topic}-{partition} at {}", committed.offset),
                None => format!("{topic}-{partition} is forgotten"),
            },
            GroupRecord::ClassicGroup { value: None, .. } => "the classic group is gone".to_owned(),
            GroupRecord::ClassicGroup { value: Some(value), .. } => {
                let member = |member: &klamm_coordinator::LoggedMember| {
                    let own = decode_assignment(&member.assignment).unwrap_or_default();
                    let own: Vec<_> = own.iter().map(ToString::to_string).collect();
                    format!("{}=[{}]", short(&member.id), own.join(" "))
                };
                let members: Vec<_> = value.members.iter().map(member).collect();
                format!("a classic group, generation {}: {}", value.generation, members.join(" "))
            }
            GroupRecord::Consumer { record, .. } => self.consumer_words(record),
            _ => "something else".to_owned(),
        }
    }

    fn consumer_words(&self, record: &ConsumerRecord) -> String {
        match record {
            ConsumerRecord::Group(Some(value)) => {
                let hash = if value.metadata_hash == 0 { ", no topics" } else { "" };
                format!("epoch {}{hash}", value.epoch)
            }
            ConsumerRecord::Group(None) => "the group is gone".to_owned(),
            ConsumerRecord::OldMetadata(_) => "no old metadata".to_owned(),
            ConsumerRecord::Member(id, Some(said)) => {
                let topics: Vec<_> = said.topics.iter().map(Topic::as_str).collect();
                let topics = if topics.is_empty() { "nothing".to_owned() } else { topics.join(",") };
                let regex = if said.regex.is_empty() {
                    String::new()
                } else {
                    format!(" and what matches {}", said.regex)
                };
                let classic = if said.classic.is_some() { ", in the classic protocol" } else { "" };
                format!("{} wants {topics}{regex}{classic}", short(id))
            }
            ConsumerRecord::Member(id, None) => format!("{} is no member", short(id)),
            ConsumerRecord::TargetEpoch(Some(value)) => format!("assigned up to {}", value.epoch),
            ConsumerRecord::TargetEpoch(None) => "nothing is assigned".to_owned(),
            ConsumerRecord::Target(id, Some(target)) => {
                format!("{} is to have {}", short(id), self.list(target))
            }
            ConsumerRecord::Target(id, None) => format!("{} is to have nothing", short(id)),
            ConsumerRecord::Current(id, Some(current)) => {
                let pending = if current.pending.is_empty() {
                    String::new()
                } else {
                    format!(", gives up {}", self.held(&current.pending))
                };
                let state = format!("{:?}", current.state);
                format!(
                    "{} has {}{pending}, epoch {} after {}, {state}",
                    short(id),
                    self.held(&current.assigned),
                    current.epoch,
                    current.previous
                )
            }
            ConsumerRecord::Current(id, None) => format!("{} has nothing", short(id)),
            ConsumerRecord::Regex(regex, Some(resolved)) => {
                let topics: Vec<_> = resolved.topics.iter().map(Topic::as_str).collect();
                format!(
                    "{regex} matches {}",
                    if topics.is_empty() { "nothing".to_owned() } else { topics.join(",") }
                )
            }
            ConsumerRecord::Regex(regex, None) => format!("nobody uses {regex}"),
        }
    }
}

/// `a-00000000-…` is `a`. Only what takes several batches can be logged in part: where members come
/// or go, or partitions are assigned.
fn may_be_torn(records: &[GroupRecord]) -> bool {
    let is_epoch = |record: &GroupRecord| {
        matches!(record, GroupRecord::Consumer { record: ConsumerRecord::Group(Some(_)), .. })
    };
    records.iter().take(2).any(is_epoch)
}

pub fn short(id: &MemberId) -> String {
    id.as_str().split("-0000").next().unwrap_or_default().to_owned()
}

pub fn names(list: &str) -> BTreeSet<Topic> {
    list.split(',').filter(|name| !name.is_empty()).map(Into::into).collect()
}

pub fn present(now: Duration, topics: &TestTopics) -> Present<'_> {
    let time = Timestamp::from_millis(1_700_000_000_000 + i64::try_from(now.as_millis()).unwrap());
    Present { moment: Moment::after(now), time, topics }
}

impl ConsumerWorld {
    /// What a consumer has, as a leader writes it.
    pub fn topics_of(&mut self, name: &str) -> Bytes {
        let owned = self.consumer(name).owned.clone();
        klamm_coordinator::consumer_protocol::encode_assignment(&self.named(&owned)).unwrap()
    }
}
