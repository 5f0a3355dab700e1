//! A coordinator with its log, and clients that know what they were told.

#![allow(dead_code, unreachable_pub)]

pub mod consumers;
pub mod random;
pub mod script;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use klamm_coordinator::{
    Answer, Commit, Effects, GroupConfig, GroupCoordinator, GroupError, GroupId, GroupRecord, GroupReplay,
    Heartbeat, JoinGroup, Joined, LeaveGroup, Leaving, MemberId, Moment, NewOffset, NotJoined, Outcomes,
    Present, ProtocolName, SyncGroup, Synced, Waiter,
};
use klamm_types::{Offset, Timestamp};

pub const GROUP: &str = "g";

/// The coordinator, its log, and the time.
pub struct World {
    pub groups: GroupCoordinator,
    pub log: Vec<(Bytes, Option<Bytes>)>,
    pub now: Duration,
    /// Whether the log takes nothing.
    pub is_log_full: bool,
    /// Whether the coordinator crashes when it has logged the next records, before it answers.
    pub crashes_next: bool,
    /// Of what is decided as it crashes so many records are logged, taken around; all without one.
    pub torn: Option<usize>,
    pub crashes: usize,
    pub clients: BTreeMap<String, Client>,
    config: GroupConfig,
    waiters: BTreeMap<Waiter, String>,
    next: u64,
    /// What has happened since it was last taken, in words.
    pub said: Vec<String>,
    /// What has become of the group, in words.
    pub news: Vec<String>,
}

/// What a client knows.
#[derive(Clone, Debug)]
pub struct Client {
    pub name: String,
    pub member: Option<MemberId>,
    pub instance: Option<String>,
    pub generation: i32,
    pub leads: bool,
    /// All members, for the leader.
    pub members: Vec<MemberId>,
    pub protocols: Vec<(String, String)>,
    pub session: Duration,
    pub rebalance: Duration,
    pub version: i16,
    pub assignment: Option<String>,
}

impl Client {
    pub fn new(name: &str) -> Client {
        Client {
            name: name.to_owned(),
            member: None,
            instance: None,
            generation: -1,
            leads: false,
            members: Vec::new(),
            protocols: vec![("range".to_owned(), "t".to_owned())],
            session: Duration::from_secs(10),
            rebalance: Duration::from_secs(60),
            version: 9,
            assignment: None,
        }
    }

    pub fn member(&self) -> MemberId {
        self.member.clone().unwrap_or_else(|| MemberId::new("nobody"))
    }
}

impl World {
    pub fn new(config: GroupConfig) -> World {
        World {
            groups: GroupCoordinator::new(config.clone()),
            log: Vec::new(),
            now: Duration::from_secs(1),
            is_log_full: false,
            crashes_next: false,
            torn: None,
            crashes: 0,
            clients: BTreeMap::new(),
            config,
            waiters: BTreeMap::new(),
            next: 0,
            said: Vec::new(),
            news: Vec::new(),
        }
    }

    pub fn moment(&self) -> Moment {
        Moment::after(self.now)
    }

    pub fn time(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + i64::try_from(self.now.as_millis()).unwrap())
    }

    /// Classic groups do not ask for topics.
    pub fn present(&self) -> Present<'static> {
        Present { moment: self.moment(), time: self.time(), topics: &() }
    }

    pub fn client(&mut self, name: &str) -> &mut Client {
        self.clients.entry(name.to_owned()).or_insert_with(|| Client::new(name))
    }

    fn waiter(&mut self, name: &str) -> Waiter {
        self.next += 1;
        self.waiters.insert(Waiter(self.next), name.to_owned());
        Waiter(self.next)
    }

    pub fn join(&mut self, name: &str) {
        let waiter = self.waiter(name);
        let (random, client) = (u128::from(self.next), self.client(name).clone());
        let protocols = client.protocols.iter();
        let join = JoinGroup {
            group: GROUP.into(),
            member: client.member.clone(),
            instance: client.instance.as_deref().map(Into::into),
            client_id: name.into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: client.session,
            rebalance_timeout: client.rebalance,
            protocol_type: ProtocolName::new("consumer"),
            protocols: protocols
                .map(|(name, topics)| (ProtocolName::new(name), subscription(topics)))
                .collect(),
            asks_twice: client.version >= 4,
            can_skip: client.version >= 9,
            random,
        };
        let effects = self.groups.join(&join, waiter, self.present());
        self.carry_out(effects);
    }

    /// As the leader it brings `assignments`, by the names of clients.
    pub fn sync(&mut self, name: &str, assignments: &[(MemberId, String)]) {
        let waiter = self.waiter(name);
        let client = self.client(name).clone();
        let sync = SyncGroup {
            group: GROUP.into(),
            member: client.member(),
            instance: client.instance.as_deref().map(Into::into),
            generation: client.generation,
            protocol_type: Some(ProtocolName::new("consumer")),
            protocol: None,
            assignments: assignments
                .iter()
                .map(|(id, text)| (id.clone(), Bytes::from(text.clone())))
                .collect(),
        };
        let effects = self.groups.sync(sync, waiter, self.present());
        self.carry_out(effects);
    }

    pub fn beat(&mut self, name: &str) -> Result<(), GroupError> {
        let client = self.client(name).clone();
        let beat = Heartbeat {
            group: GROUP.into(),
            member: client.member(),
            instance: client.instance.as_deref().map(Into::into),
            generation: client.generation,
        };
        self.groups.heartbeat(&beat, self.present())
    }

    pub fn leave(&mut self, name: &str) -> Result<(), GroupError> {
        self.leave_together(&[name])?[0]
    }

    pub fn leave_together(&mut self, names: &[&str]) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        let leaving = |name: &&str| {
            let client = self.client(name).clone();
            Leaving { member: client.member, instance: client.instance.as_deref().map(Into::into) }
        };
        let leave = LeaveGroup { group: GROUP.into(), members: names.iter().map(leaving).collect() };
        let (effects, outcomes) = self.groups.leave(&leave, self.present())?;
        self.carry_out(effects);
        Ok(outcomes)
    }

    /// Of a member, or of nobody.
    pub fn commit(&mut self, name: Option<&str>, topic: &str, offset: i64) -> Result<(), GroupError> {
        let client = name.map(|name| self.client(name).clone());
        let new = NewOffset {
            topic: topic.into(),
            topic_id: None,
            partition: 0,
            offset: Offset::new(offset),
            leader_epoch: None,
            metadata: "".into(),
        };
        let commit = Commit {
            group: GROUP.into(),
            member: client.as_ref().map(Client::member),
            instance: client.as_ref().and_then(|client| client.instance.as_deref().map(Into::into)),
            generation: client.as_ref().map(|client| client.generation),
            knows_epochs: true,
            retention: None,
            offsets: vec![new],
        };
        let (effects, outcomes): (Effects, Outcomes) = self.groups.commit(&commit, self.present())?;
        if !self.carry_out(effects) {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        outcomes[0]
    }

    pub fn committed(&self, topic: &str) -> Option<i64> {
        self.groups.committed(&GroupId::new(GROUP), topic, 0).map(|found| found.offset.get())
    }

    /// Moves the time on, and does what is due on the way.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.groups.next_deadline().filter(|due| due.passed() <= end) {
            self.now = self.now.max(due.passed());
            while let Some(effects) = self.groups.on_time(self.present()) {
                self.carry_out(effects);
            }
        }
        self.now = end;
    }

    /// Whether it could be logged.
    pub fn carry_out(&mut self, effects: Effects) -> bool {
        if self.crashes_next && !self.is_log_full && !effects.records.is_empty() {
            let kept = self.torn.map_or(usize::MAX, |torn| torn % (effects.records.len() + 1));
            self.log.extend(effects.records.iter().take(kept).map(|record| record.encode().unwrap()));
            self.crash(usize::MAX);
            return false;
        }
        let effects = if self.is_log_full && !effects.records.is_empty() {
            let instead = {
                let error = GroupError::CoordinatorNotAvailable;
                self.groups.not_logged(effects, error, self.present())
            };
            self.said.push("the log is full".to_owned());
            Err(instead)
        } else {
            Ok(effects)
        };
        let (Ok(done) | Err(done)) = &effects;
        if effects.is_ok() {
            self.news.extend(done.notices.iter().map(|notice| notice.news.to_string()));
            for record in &done.records {
                self.log.push(record.encode().unwrap());
                self.groups.apply(record);
                self.said.push(format!("logged: {}", words(record)));
            }
        }
        for (waiter, answer) in done.answers.clone() {
            // Of a client that has gone, or of a coordinator before this one.
            if let Some(name) = self.waiters.remove(&waiter) {
                self.tell(&name, &answer);
            }
        }
        effects.is_ok()
    }

    fn tell(&mut self, name: &str, answer: &Answer) {
        let client = self.client(name);
        let said = match answer {
            Answer::Join(Ok(joined)) => client.on_joined(joined),
            Answer::Join(Err(NotJoined { error, member })) => {
                if *error == GroupError::MemberIdRequired {
                    client.member.clone_from(member);
                }
                format!("{error:?}")
            }
            Answer::Sync(Ok(Synced { assignment, .. })) => {
                client.assignment = Some(String::from_utf8_lossy(assignment).into_owned());
                format!("has {:?}", String::from_utf8_lossy(assignment))
            }
            Answer::Sync(Err(error)) => format!("{error:?}"),
        };
        self.said.push(format!("{name}: {said}"));
    }

    /// The coordinator ends, and another reads the first `records` of the log.
    pub fn crash(&mut self, records: usize) {
        self.log.truncate(records);
        self.crashes_next = false;
        self.crashes += 1;
        let mut replay = GroupReplay::new(self.config.clone());
        for (key, value) in &self.log {
            replay.apply(&GroupRecord::decode(key, value.as_ref()).unwrap());
        }
        self.groups = replay.finish(self.present());
        self.waiters.clear();
    }

    /// The same with other settings.
    pub fn begin_anew(&mut self, config: GroupConfig) {
        self.config = config;
        self.crash(usize::MAX);
    }

    /// Nobody waits any more for what this client has asked.
    pub fn hang_up(&mut self, name: &str) {
        self.waiters.retain(|_, who| who != name);
    }

    pub fn state(&self) -> String {
        match self.groups.describe(&GroupId::new(GROUP)) {
            Some(found) => format!("{}, generation {}", found.state, found.generation),
            None => "no group".to_owned(),
        }
    }

    /// `a-00000000-0000-0000-0000-000000000001` is `a`, whatever its number.
    pub fn name_of(id: &MemberId) -> String {
        id.as_str().split('-').next().unwrap_or_default().to_owned()
    }
}

impl Client {
    fn on_joined(&mut self, joined: &Joined) -> String {
        self.member = Some(joined.member.clone());
        self.generation = joined.generation;
        self.leads = joined.leader.as_ref() == Some(&joined.member);
        self.members = joined.members.iter().map(|member| member.id.clone()).collect();
        let protocol = joined.protocol.as_ref().map_or("nothing", ProtocolName::as_str);
        let members: Vec<_> = self.members.iter().map(World::name_of).collect();
        let leads = match (self.leads, joined.skips_assignment) {
            (true, false) => format!(", leads {}", members.join(" ")),
            (true, true) => ", leads, and is to assign nothing".to_owned(),
            (false, _) => String::new(),
        };
        format!("generation {} by {protocol}{leads}", joined.generation)
    }
}

/// ConsumerProtocol, version 0: topics, and no words beside them.
pub fn subscription(topics: &str) -> Bytes {
    let topics: Vec<&str> = topics.split('+').collect();
    let mut bytes = vec![0, 0];
    bytes.extend(u32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend([0xff; 4]);
    bytes.into()
}

fn words(record: &GroupRecord) -> String {
    match record {
        GroupRecord::Offset { topic, partition, committed, .. } => match committed {
            Some(committed) => format!("{topic}-{partition} at {}", committed.offset),
            None => format!("{topic}-{partition} is forgotten"),
        },
        GroupRecord::ClassicGroup { value: None, .. } => "the group is gone".to_owned(),
        GroupRecord::ClassicGroup { value: Some(value), .. } => {
            let member = |member: &klamm_coordinator::LoggedMember| {
                format!("{}={}", World::name_of(&member.id), String::from_utf8_lossy(&member.assignment))
            };
            let members: Vec<_> = value.members.iter().map(member).collect();
            let members = if members.is_empty() { "nobody".to_owned() } else { members.join(" ") };
            format!("generation {}: {members}", value.generation)
        }
        _ => "something else".to_owned(),
    }
}
