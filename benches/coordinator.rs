//! The group coordinator without I/O: commits, replay, a large group's round, what idle groups
//! cost. CPU time of the thread, medians of five rounds.
//! `cargo bench -p klamm-benches --bench coordinator`

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_benches::rounds::{median, thread_cpu};
use klamm_coordinator::{
    Answer, Catalog, CatalogTopic, Commit, ConsumerHeartbeat, ConsumerHeartbeatAnswer, Effects, GroupConfig,
    GroupCoordinator, GroupRecord, GroupReplay, GroupState, JoinGroup, MemberId, Moment, NewOffset,
    Partitions, Present, ProtocolName, SyncGroup, Topic, Waiter,
};
use klamm_protocol::Uuid;
use klamm_types::{Offset, Timestamp};

const ROUNDS: usize = 5;

fn main() {
    println!("| what | figure |\n|---|---|");
    // First, while the allocator has nothing of earlier work.
    drop((idle(), idle_consumers()));
    commits();
    replay();
    for members in [1_000, 2_000, 4_000] {
        round(members);
        consumers(members);
    }
}

fn present() -> Present<'static> {
    Present {
        moment: Moment::after(Duration::from_secs(1)),
        time: Timestamp::from_millis(1_700_000_000_000),
        topics: &(),
    }
}

fn config() -> GroupConfig {
    GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() }
}

/// CPU seconds of the thread, the median. The system counts them in steps of 4 ms: a round goes on
/// for long enough.
fn seconds(mut work: impl FnMut()) -> f64 {
    let each = (0..ROUNDS).map(|_| {
        let (begun, mut times) = (thread_cpu(), 0_u32);
        while thread_cpu() - begun < Duration::from_millis(200) {
            work();
            times += 1;
        }
        (thread_cpu() - begun).as_secs_f64() / f64::from(times)
    });
    median(each.collect())
}

fn apply(groups: &mut GroupCoordinator, effects: &Effects) {
    effects.records.iter().for_each(|record| groups.apply(record));
}

fn commit(group: &str, partition: i32, offset: u32) -> Commit {
    let new = NewOffset {
        topic: "t".into(),
        topic_id: None,
        partition,
        offset: Some(Offset::from(offset)),
        leader_epoch: Some(0),
        metadata: "".into(),
    };
    let group = group.into();
    Commit {
        group,
        member: None,
        instance: None,
        generation: None,
        knows_epochs: true,
        retention: None,
        offsets: vec![new],
    }
}

/// Decided, encoded as it is logged, and applied.
fn commits() {
    let mut groups = GroupCoordinator::new(config());
    let count = 100_000_u32;
    let took = seconds(|| {
        for number in 0..count {
            let commit = commit("g", 0, number);
            let (effects, _) = groups.commit(&commit, present()).expect("taken");
            effects.records.iter().for_each(|record| assert!(record.encode().is_ok()));
            apply(&mut groups, &effects);
        }
    });
    println!("| offset commits, encoded and applied | {:.0} a second |", f64::from(count) / took);
}

/// Of a thousand groups with ten partitions each, a hundred times.
fn replay() {
    let record = |number: u32| {
        let (group, partition) =
            (format!("group-{}", number % 1000), i32::try_from(number / 1000 % 10).unwrap_or(0));
        let (effects, _) =
            GroupCoordinator::default().commit(&commit(&group, partition, number), present()).expect("taken");
        effects.records[0].encode().expect("encoded")
    };
    let log: Vec<(Bytes, Option<Bytes>)> = (0..1_000_000).map(record).collect();
    let took = seconds(|| {
        let mut replay = GroupReplay::new(config());
        for (key, value) in &log {
            replay.apply(&GroupRecord::decode(key, value.as_ref()).expect("readable"));
        }
        drop(replay.finish(present()));
    });
    println!("| a million offset records decoded and applied | {took:.2} s |");
}

fn join(group: &str, random: u128) -> JoinGroup {
    JoinGroup {
        group: group.into(),
        member: None,
        instance: None,
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: ProtocolName::new("consumer"),
        protocols: vec![(
            ProtocolName::new("range"),
            vec![0, 0, 0, 0, 0, 1, 0, 1, b't', 255, 255, 255, 255].into(),
        )],
        asks_twice: false,
        can_skip: true,
        random,
    }
}

/// From the first join to the last assignment.
fn round(members: u64) {
    let took = seconds(|| {
        let mut groups = GroupCoordinator::new(config());
        for number in 0..members {
            let effects = groups.join(&join("g", u128::from(number)), Waiter(number), present());
            apply(&mut groups, &effects);
        }
        let mut effects = Effects::default();
        while let Some(more) = groups.on_time(present()) {
            effects.then(more);
        }
        let joined = effects.answers.iter().filter_map(|(_, answer)| match answer {
            Answer::Join(Ok(joined)) => Some(joined.clone()),
            _ => None,
        });
        let joined: Vec<_> = joined.collect();
        assert_eq!(joined.len() as u64, members);
        // The leader comes last, so that all others wait.
        for (number, own) in joined.iter().enumerate() {
            if Some(&own.member) != own.leader.as_ref() {
                sync(&mut groups, own, number as u64, Vec::new());
            }
        }
        let leader = joined.iter().find(|own| Some(&own.member) == own.leader.as_ref()).expect("one leads");
        let given = joined.iter().map(|own| (own.member.clone(), Bytes::from_static(b"0"))).collect();
        let told = sync(&mut groups, leader, members, given);
        assert_eq!(told as u64, members);
    });
    println!(
        "| a group of {members} members, from the first join to the last assignment | {:.1} ms |",
        took * 1e3
    );
}

fn sync(
    groups: &mut GroupCoordinator,
    own: &klamm_coordinator::Joined,
    waiter: u64,
    assignments: Vec<(MemberId, Bytes)>,
) -> usize {
    let sync = SyncGroup {
        group: "g".into(),
        member: own.member.clone(),
        instance: None,
        generation: own.generation,
        protocol_type: None,
        protocol: None,
        assignments,
    };
    let effects = groups.sync(sync, Waiter(waiter), present());
    apply(groups, &effects);
    effects.answers.len()
}

/// Ten topics of 1,000 partitions and one of one, for groups whose broker assigns.
struct Topics(Vec<Topic>);

impl Topics {
    fn new() -> Topics {
        Topics((0..11).map(|number| Topic::new(&format!("topic-{number}"))).collect())
    }

    fn at(&self, seconds: u64) -> Present<'_> {
        let millis = 1_700_000_000_000 + 1_000 * i64::try_from(seconds).expect("few");
        let moment = Moment::after(Duration::from_secs(seconds));
        Present { moment, time: Timestamp::from_millis(millis), topics: self }
    }
}

impl Catalog for Topics {
    fn version(&self) -> u64 {
        1
    }

    fn find(&self, name: &Topic) -> Option<CatalogTopic> {
        let number = self.0.iter().position(|known| known == name)?;
        let partitions = if number < 10 { 1_000 } else { 1 };
        Some(CatalogTopic { id: Uuid((number as u128 + 1).to_be_bytes()), partitions })
    }

    fn name(&self, id: Uuid) -> Option<Topic> {
        let number = usize::try_from(u128::from_be_bytes(id.0)).ok()?;
        self.0.get(number.checked_sub(1)?).cloned()
    }

    fn names(&self) -> Vec<Topic> {
        self.0.clone()
    }

    fn racks(&self, _: Uuid, _: i32) -> Vec<Arc<str>> {
        Vec::new()
    }
}

fn beat(group: &str, number: u64, epoch: i32, topics: &[Topic]) -> ConsumerHeartbeat {
    let joins = epoch == 0;
    ConsumerHeartbeat {
        group: group.into(),
        member: Some(MemberId::new(&format!("member-{number:05}"))),
        epoch,
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        topics: joins.then(|| topics.iter().cloned().collect()),
        rebalance_timeout: joins.then_some(Duration::from_secs(60)),
        owned: joins.then(Partitions::default),
        ..ConsumerHeartbeat::default()
    }
}

fn heard(
    groups: &mut GroupCoordinator,
    beat: &ConsumerHeartbeat,
    present: Present<'_>,
) -> ConsumerHeartbeatAnswer {
    let (effects, told) = groups.consumer_heartbeat(beat, present).expect("heard");
    apply(groups, &effects);
    told
}

/// Members of a group whose broker assigns come, until each has its part; then what a heartbeat
/// costs.
fn consumers(members: u64) {
    let topics = Topics::new();
    let mut groups = GroupCoordinator::new(config());
    let came = seconds(|| {
        groups = GroupCoordinator::new(config());
        for number in 0..members {
            heard(&mut groups, &beat("g", number, 0, &topics.0[..10]), topics.at(1));
        }
        // They come again a second later: partitions are assigned anew then. The first has all, and
        // gives up what it is to give up.
        let epochs =
            |groups: &GroupCoordinator| groups.describe_consumer(&"g".into()).expect("there").members;
        for round in 2..5 {
            for (member, number) in epochs(&groups).iter().zip(0..) {
                let told = heard(&mut groups, &beat("g", number, member.epoch, &[]), topics.at(round));
                if let Some(owned) = told.assignment {
                    let owned = Some(owned);
                    let beat = ConsumerHeartbeat { owned, ..beat("g", number, told.epoch, &[]) };
                    heard(&mut groups, &beat, topics.at(round));
                }
            }
        }
        let found = groups.describe_consumer(&"g".into()).expect("there");
        assert_eq!(found.state, GroupState::Stable);
    });
    println!(
        "| a group of {members} members that the broker assigns, until each has its part | {:.0} ms |",
        came * 1e3
    );
    let epoch = groups.describe_consumer(&"g".into()).expect("there").epoch;
    let each: Vec<_> = (0..members).map(|number| beat("g", number, epoch, &[])).collect();
    let took = seconds(|| each.iter().for_each(|beat| drop(heard(&mut groups, beat, topics.at(5)))));
    println!("| heartbeats of its members | {:.0} a second |", members as f64 / took);
}

/// Groups of one member each, that the broker assigns.
fn idle_consumers() -> GroupCoordinator {
    let topics = Topics::new();
    let before = resident();
    let mut groups = GroupCoordinator::new(config());
    for number in 0..10_000 {
        let name = format!("group-{number}");
        let own = std::slice::from_ref(&topics.0[10]);
        let told = heard(&mut groups, &beat(&name, number, 0, own), topics.at(1));
        assert_eq!(told.assignment.expect("it joins").iter().count(), 1);
    }
    println!(
        "| an idle group of one member that has one partition, that the broker assigns | {:.0} bytes |",
        (resident() - before) / 10_000.0
    );
    groups
}

/// Bytes of memory.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).expect("pages") * 4096.0
}

/// Groups of one member and one offset each.
fn idle() -> GroupCoordinator {
    let before = resident();
    let mut groups = GroupCoordinator::new(config());
    for number in 0..10_000_u64 {
        let name = format!("group-{number}");
        let effects = groups.join(&join(&name, u128::from(number)), Waiter(number), present());
        apply(&mut groups, &effects);
        let effects = groups.on_time(present()).expect("the round ends");
        let [(_, Answer::Join(Ok(joined)))] = &effects.answers[..] else { panic!("one joins") };
        let sync = SyncGroup {
            group: name.as_str().into(),
            member: joined.member.clone(),
            instance: None,
            generation: 1,
            protocol_type: None,
            protocol: None,
            assignments: vec![(joined.member.clone(), Bytes::from_static(&[0; 30]))],
        };
        let effects = groups.sync(sync, Waiter(number), present());
        apply(&mut groups, &effects);
        let commit =
            Commit { member: Some(joined.member.clone()), generation: Some(1), ..commit(&name, 0, 7) };
        let (effects, _) = groups.commit(&commit, present()).expect("taken");
        apply(&mut groups, &effects);
    }
    println!(
        "| an idle group of one member and one offset | {:.0} bytes |",
        (resident() - before) / 10_000.0
    );
    groups
}
