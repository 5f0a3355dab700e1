//! The group coordinator without I/O: commits, replay, a large group's round, what idle groups cost. CPU time of the thread,
//! medians of five rounds. `cargo bench -p klamm-benches --bench coordinator`

use std::time::Duration;

use bytes::Bytes;
use klamm_benches::rounds::{median, thread_cpu};
use klamm_coordinator::{
    Answer, Commit, Effects, GroupConfig, GroupCoordinator, GroupRecord, GroupReplay, Join, MemberId, Moment,
    NewOffset, Present, ProtocolName, Sync, Waiter,
};
use klamm_types::{Offset, Timestamp};

const ROUNDS: usize = 5;

fn main() {
    println!("| what | figure |\n|---|---|");
    // First, while the allocator has nothing of earlier work.
    idle();
    commits();
    replay();
    for members in [1_000, 2_000, 4_000] {
        round(members);
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

/// CPU seconds of the thread, the median. The system counts them in steps of 4 ms: a round goes on for long enough.
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
        offset: Offset::from(offset),
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

fn join(group: &str, random: u128) -> Join {
    Join {
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
    let sync = Sync {
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

/// Groups of one member and one offset each.
fn idle() {
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
        text.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).expect("pages") * 4096.0
    };
    let before = resident();
    let mut groups = GroupCoordinator::new(config());
    for number in 0..10_000_u64 {
        let name = format!("group-{number}");
        let effects = groups.join(&join(&name, u128::from(number)), Waiter(number), present());
        apply(&mut groups, &effects);
        let effects = groups.on_time(present()).expect("the round ends");
        let [(_, Answer::Join(Ok(joined)))] = &effects.answers[..] else { panic!("one joins") };
        let sync = Sync {
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
    drop(groups);
}
