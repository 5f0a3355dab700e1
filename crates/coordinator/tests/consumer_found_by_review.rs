//! What a reading of groups whose broker assigns has found, and no scenario tells.

mod support;

use std::sync::Arc;
use std::time::Duration;

use klamm_coordinator::assignor::{
    Assignment, Assignor, GroupSpec, Subscriber, TopicPartition, Topics, Uniform,
};
use klamm_coordinator::consumer_protocol::{Subscription, encode_assignment};
use klamm_coordinator::{
    Answer, Assignors, ClassicGroupRecord, Commit, CommittedOffset, ConsumerRecord, ForeignRecord,
    GroupConfig, GroupEpoch, GroupError, GroupId, GroupRecord, GroupReplay, JoinGroup, LeaveGroup, Leaving,
    LoggedMember, NewOffset, NotJoined, Partitions, ProtocolName, TargetEpoch, Waiter,
};
use klamm_types::{Offset, Timestamp};
use support::consumers::{ConsumerWorld, GROUP, present};

fn world() -> ConsumerWorld {
    ConsumerWorld::new(GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() })
}

fn logged(record: ConsumerRecord) -> GroupRecord {
    GroupRecord::Consumer { group: GROUP.into(), record }
}

/// A world whose log says that members of a classic group have these partitions of `t`, which has
/// two.
fn classic(generation: i32, members: &[(&str, Option<&str>, &[i32])]) -> ConsumerWorld {
    let mut world = world();
    world.topics.set("t", 2);
    let wants = Subscription { topics: vec!["t".into()], ..Subscription::default() }.encode().unwrap();
    let member = |(id, instance, own): &(&str, Option<&str>, &[i32])| {
        let own: Vec<_> = own.iter().map(|partition| TopicPartition::new("t", *partition)).collect();
        LoggedMember {
            id: (*id).into(),
            instance: instance.map(Into::into),
            client_id: (*id).into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout: Duration::from_secs(60),
            session_timeout: Duration::from_secs(10),
            subscription: wants.clone(),
            assignment: encode_assignment(&own).unwrap(),
        }
    };
    let value = ClassicGroupRecord {
        protocol_type: Some("consumer".into()),
        generation,
        protocol: Some("range".into()),
        leader: Some(members[0].0.into()),
        since: Some(Timestamp::from_millis(0)),
        members: members.iter().map(member).collect(),
    };
    world.log = vec![GroupRecord::ClassicGroup { group: GROUP.into(), value: Some(value) }];
    world.crash(usize::MAX);
    world
}

fn join(world: &mut ConsumerWorld, name: &str, instance: Option<&str>) -> Result<(), GroupError> {
    let consumer = world.consumer(name);
    (consumer.topics, consumer.instance) = (Some("t".to_owned()), instance.map(ToOwned::to_owned));
    world.join(name)
}

#[test]
fn what_two_have_is_not_converted() {
    let mut world = classic(5, &[("m", None, &[0, 1]), ("n", None, &[1])]);
    assert_eq!(
        join(&mut world, "a", None),
        Err(GroupError::CannotUpgrade("because two members have the same partition."))
    );
    assert_eq!(world.state(), "classic: Stable, generation 5");
}

#[test]
fn a_group_at_its_first_epoch_is_not_taken_for_nothing() {
    let mut world = classic(1, &[("m", Some("i"), &[0, 1])]);
    join(&mut world, "a", Some("i")).unwrap();
    let state = world.state();
    for _ in 0..3 {
        world.pass(Duration::from_secs(2));
        world.acknowledge("a").unwrap();
    }
    assert_eq!(world.state(), state, "nothing has changed");
}

/// It came back before the leader had assigned: nothing was to be had then.
#[test]
fn a_static_member_that_is_converted_with_nothing_is_given_its_part() {
    let mut world = classic(3, &[("m", Some("i"), &[])]);
    join(&mut world, "a", Some("i")).unwrap();
    world.pass(Duration::from_secs(2));
    world.acknowledge("a").unwrap();
    assert_eq!(world.consumer("a").assignment.iter().count(), 2);
}

#[test]
fn an_epoch_at_the_end_of_the_numbers_stays() {
    for leaves in [false, true] {
        let mut world = world();
        world.topics.set("t", 2);
        join(&mut world, "a", None).unwrap();
        world.log.push(logged(ConsumerRecord::Group(Some(GroupEpoch { epoch: i32::MAX, metadata_hash: 0 }))));
        world.crash(usize::MAX);
        world.pass(Duration::from_secs(2));
        let done = if leaves { world.leave("a", -1) } else { join(&mut world, "b", None) };
        assert_eq!(done, Ok(()));
    }
}

#[test]
fn a_clock_that_was_set_back_is_not_waited_for() {
    let mut world = world();
    world.topics.set("t", 2);
    join(&mut world, "a", None).unwrap();
    let at = Some(Timestamp::from_millis(1_800_000_000_000));
    world.log.push(logged(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: 2, at }))));
    world.crash(usize::MAX);
    join(&mut world, "b", None).unwrap();
    assert_eq!(world.consumer("b").epoch, 3);
}

#[test]
fn a_session_that_cannot_be_ended_is_tried_once_in_a_while_however_late_it_is() {
    let mut world = world();
    world.topics.set("t", 2);
    join(&mut world, "a", None).unwrap();
    world.is_log_full = true;
    world.now += Duration::from_secs(3600);
    let topics = world.topics.clone();
    let mut tries = 0;
    while let Some(effects) = world.groups.on_time(present(world.now, &topics)) {
        world.carry_out(effects);
        tries += 1;
    }
    assert!(tries < 4, "{tries}");
}

/// Who comes and goes does not have all others looked at: otherwise this takes minutes.
#[test]
fn members_of_many_topics_come_and_go() {
    let mut world = world();
    let names: Vec<String> = (0..1_000).map(|number| format!("t{number}")).collect();
    names.iter().for_each(|name| world.topics.set(name, 1));
    for number in 0..300 {
        let name = format!("m{number}");
        world.consumer(&name).topics = Some(names.join(","));
        world.join(&name).unwrap();
    }
    world.said.clear();
    world.pass(Duration::from_secs(60));
    let found = world.groups.describe_consumer(&GroupId::new(GROUP)).unwrap();
    assert!(found.members.is_empty());
    assert_eq!(world.consumer("m0").owned, Partitions::default());
}

/// What a client commits may be of a topic that was deleted since it asked, and made again: the
/// next one begins without.
#[test]
fn a_commit_for_a_topic_that_is_gone_is_refused_whatever_has_its_name() {
    let mut world = world();
    world.topics.set("t", 1);
    let id = world.topics.id("t");
    let commit = |world: &mut ConsumerWorld| {
        let new = NewOffset {
            topic: "t".into(),
            topic_id: Some(id),
            partition: 0,
            offset: Offset::new(5),
            leader_epoch: None,
            metadata: "".into(),
        };
        let commit = Commit {
            group: GROUP.into(),
            member: None,
            instance: None,
            generation: None,
            knows_epochs: true,
            retention: None,
            offsets: vec![new],
        };
        let (effects, outcomes) = world.groups.commit(&commit, present(world.now, &world.topics)).unwrap();
        assert_eq!(effects.records.is_empty(), outcomes[0].is_err());
        assert!(world.carry_out(effects));
        outcomes[0]
    };
    assert_eq!(commit(&mut world), Ok(()));
    world.topics.remove("t");
    assert_eq!(commit(&mut world), Err(GroupError::UnknownTopic));
    world.topics.set("t", 1);
    assert_eq!(commit(&mut world), Err(GroupError::UnknownTopic));
}

/// An assignor of somebody's own that answers for another group than it was asked.
#[test]
fn an_assignment_of_another_group_is_none() {
    #[derive(Debug)]
    struct Foreign;
    impl Assignor for Foreign {
        fn name(&self) -> &'static str {
            "foreign"
        }

        fn assign(&self, _: &GroupSpec<'_>) -> Assignment {
            let topics = Topics::default().with("elsewhere", 1000);
            let members = [Subscriber { topics: vec!["elsewhere".into()], ..Subscriber::default() }];
            let group = GroupSpec::new(&topics, &members);
            Uniform.assign(&group)
        }
    }
    let mut config = GroupConfig::default();
    config.consumer.assignors = Assignors::new(vec![Arc::new(Foreign)]);
    let mut world = ConsumerWorld::new(config);
    world.topics.set("t", 2);
    world.consumer("a").topics = Some("t".into());
    world.join("a").unwrap();
    assert!(world.consumer("a").assignment.is_empty());
}

/// Kafka does not load a partition of `__consumer_offsets` in which a group is of two kinds, and
/// with it no other group of that partition.
#[test]
fn the_name_of_a_share_or_streams_group_is_not_to_be_had() {
    let mut world = world();
    world.topics.set("t", 2);
    let committed = CommittedOffset {
        offset: Offset::from(5),
        leader_epoch: None,
        metadata: "".into(),
        committed_at: Timestamp::from_millis(0),
        expires_at: None,
        topic_id: None,
    };
    let offset = GroupRecord::Offset {
        group: GROUP.into(),
        topic: "t".into(),
        partition: 0,
        committed: Some(committed),
    };
    let replay = |records: &[ForeignRecord]| {
        let mut replay = GroupReplay::new(GroupConfig::default());
        replay.apply(&offset);
        records.iter().cloned().for_each(|record| replay.apply_foreign(record));
        replay
    };
    let (there, gone) = (ForeignRecord::There(GROUP.into()), ForeignRecord::Gone(GROUP.into()));
    world.groups = replay(std::slice::from_ref(&there)).finish(present(world.now, &world.topics));

    let id = GroupId::new(GROUP);
    assert_eq!(join(&mut world, "a", None), Err(GroupError::ForeignGroup));
    assert_eq!(world.classic_join("a"), Err(GroupError::InconsistentGroupProtocol));
    assert_eq!(world.classic_beat("a"), Err(GroupError::UnknownMemberId));
    assert_eq!(world.classic_sync("a", Vec::new()), Err(GroupError::UnknownMemberId));
    assert_eq!(world.classic_leave("a"), Err(GroupError::UnknownMemberId));
    assert_eq!(world.commit(None, None, "t-1", 7), Err(GroupError::ForeignGroup));
    assert_eq!(world.groups.delete_group(&id), Err(GroupError::GroupIdNotFound));
    assert_eq!(
        world.groups.delete_offsets(&id, &[], Timestamp::from_millis(0)),
        Err(GroupError::GroupIdNotFound)
    );
    assert!(world.groups.expire(Timestamp::from_millis(i64::MAX)).records.is_empty());
    assert_eq!(world.groups.list().count(), 0);
    assert_eq!(world.groups.describe(&id), None);
    assert!(world.log.is_empty());
    assert_eq!(world.committed("t", 0), Some(5));

    world.groups = replay(&[there, gone]).finish(present(world.now, &world.topics));
    join(&mut world, "a", None).unwrap();
    assert_eq!(world.groups.list().count(), 1);
}

/// As Kafka has it: what an expression matches is not held against what others name.
#[test]
fn topics_that_some_name_and_others_match_are_not_asked_for_in_the_same_words() {
    #[derive(Debug)]
    struct Tells;
    impl Assignor for Tells {
        fn name(&self) -> &'static str {
            "tells"
        }

        /// All to the first where all ask in the same words, otherwise to the last.
        fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
            let mut given = Assignment::none(group);
            let owner = if group.is_same_for_all() { 0 } else { group.members().len() - 1 };
            (0..group.count()).for_each(|partition| given.give(partition, owner));
            given
        }
    }
    let wants = |name: &str, topics: &str, regex: &str| {
        (name.to_owned(), Some(topics.to_owned()), Some(regex.to_owned()))
    };
    for (members, is_same) in [
        ([wants("a", "t", ""), wants("b", "t", "")], true),
        ([wants("a", "", "t|u"), wants("b", "", "t|u")], true),
        ([wants("a", "", "t"), wants("b", "", "t+")], false),
        ([wants("a", "t", ""), wants("b", "", "t")], false),
        ([wants("a", "t", "t"), wants("b", "t", "t")], false),
    ] {
        let mut config = GroupConfig::default();
        config.consumer.assignors = Assignors::new(vec![Arc::new(Tells)]);
        config.consumer.times.assignment_interval = Duration::ZERO;
        let mut world = ConsumerWorld::new(config);
        world.topics.set("t", 1);
        for (name, topics, regex) in &members {
            let consumer = world.consumer(name);
            (consumer.topics, consumer.regex) = (topics.clone(), regex.clone());
            world.join(name).unwrap();
        }
        let given = if is_same { "a" } else { "b" };
        let target = |name: &str| {
            world.log.iter().rev().find_map(|record| match record {
                GroupRecord::Consumer { record: ConsumerRecord::Target(id, target), .. }
                    if id.as_str() == name =>
                {
                    Some(target.as_ref().is_some_and(|target| !target.is_empty()))
                }
                _ => None,
            })
        };
        assert_eq!(target(given), Some(true), "{members:?}");
    }
}

/// Where the broker assigns it counts from the commit, and only for topics that no member wants.
#[test]
fn offsets_of_topics_that_members_do_not_want_expire_from_their_commit() {
    let mut world = world();
    world.topics.set("t", 1);
    world.topics.set("u", 1);
    let consumer = world.consumer("a");
    consumer.topics = Some("t,u".into());
    world.join("a").unwrap();
    let epoch = world.consumer("a").epoch;
    for partition in ["t-0", "u-0"] {
        world.commit(Some("a"), Some(epoch), partition, 5).unwrap();
    }
    world.consumer("a").topics = Some("t".into());
    world.join("a").unwrap();
    let committed = present(world.now, &world.topics).time;
    let week = GroupConfig::default().offsets_retention;
    let gone = |time| world.groups.expire(time).records.len();
    assert_eq!(gone(committed.saturating_add(week - Duration::from_millis(1))), 0);
    let effects = world.groups.expire(committed.saturating_add(week));
    world.carry_out(effects);
    assert_eq!((world.committed("t", 0), world.committed("u", 0)), (Some(5), None));
    assert_eq!(world.groups.list().count(), 1, "it has a member");
}

/// A member of the newer protocol, and classic ones.
fn mixed(topics: &str, classic: &[&str]) -> ConsumerWorld {
    let mut world = world();
    join(&mut world, "m", None).unwrap();
    for name in classic {
        world.consumer(name).topics = Some(topics.into());
        world.classic_join(name).unwrap();
    }
    world
}

/// The group is classic then, and its members are to join anew: those that come after a restart
/// too, for nobody has what the one that left had.
#[test]
fn a_restart_after_a_downgrade_leaves_no_partition_without_an_owner() {
    let mut world = mixed("t", &["c"]);
    world.topics.set("t", 4);
    for _ in 0..5 {
        world.pass(Duration::from_secs(2));
        world.acknowledge("m").unwrap();
        let _ = world.classic_beat("c");
        let _ = world.classic_join("c");
        let _ = world.classic_sync("c", Vec::new());
    }
    assert_eq!(world.consumer("c").owned.iter().count(), 2);
    world.leave("m", -1).unwrap();
    world.crash(usize::MAX);
    assert_eq!(world.classic_beat("c"), Err(GroupError::RebalanceInProgress));
    assert_eq!(world.state(), "classic: PreparingRebalance, generation 4");
}

/// What is logged of a decision that is larger than a batch may be less than all of it: the group's
/// epoch is first, so that the rest follows.
#[test]
fn a_member_whose_joining_was_logged_in_part_gets_its_partitions() {
    for records in 1..5 {
        let mut world = world();
        world.topics.set("t", 2);
        join(&mut world, "a", None).unwrap();
        world.acknowledge("a").unwrap();
        world.pass(Duration::from_secs(2));
        (world.crashes_next, world.torn) = (true, Some(records));
        assert_eq!(join(&mut world, "b", None), Err(GroupError::CoordinatorNotAvailable));
        join(&mut world, "b", None).unwrap();
        for _ in 0..5 {
            world.pass(Duration::from_secs(2));
            ["a", "b"].iter().for_each(|name| world.acknowledge(name).unwrap());
        }
        let owned = ["a", "b"].map(|name| world.consumer(name).owned.iter().count());
        assert_eq!(owned, [1, 1], "{records} records were logged");
    }
}

fn join_with(world: &mut ConsumerWorld, name: &str, protocols: &[String]) -> Result<(), GroupError> {
    let wants = Subscription { topics: vec!["t".into()], ..Subscription::default() }.encode().unwrap();
    let join = JoinGroup {
        group: GROUP.into(),
        member: None,
        instance: None,
        client_id: name.into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: ProtocolName::new("consumer"),
        protocols: protocols.iter().map(|name| (ProtocolName::new(name), wants.clone())).collect(),
        asks_twice: false,
        can_skip: true,
        random: u128::from(name.bytes().map(u64::from).sum::<u64>()),
    };
    let effects = world.groups.join(&join, Waiter(9), present(world.now, &world.topics));
    let told = effects.answers.last().map(|(_, answer)| answer.clone());
    world.carry_out(effects);
    match told {
        Some(Answer::Join(Err(NotJoined { error, .. }))) => Err(error),
        _ => Ok(()),
    }
}

/// Each has one with each other, and there is none that all have: without the broker they could not
/// go on.
#[test]
fn classic_members_have_a_protocol_in_common() {
    let mut world = mixed("t", &[]);
    let names = |names: &str| names.chars().map(String::from).collect::<Vec<_>>();
    assert_eq!(join_with(&mut world, "a", &names("xy")), Ok(()));
    assert_eq!(join_with(&mut world, "b", &names("yz")), Ok(()));
    assert_eq!(join_with(&mut world, "c", &names("zx")), Err(GroupError::InconsistentGroupProtocol));
    assert_eq!(join_with(&mut world, "c", &names("xyz")), Ok(()));
}

/// Took minutes when each name was looked for among all of the others.
#[test]
fn members_of_many_protocols_are_compared_in_one_go() {
    let mut world = mixed("t", &[]);
    let names = |first: u32| (first..first + 40_000).map(|number| format!("{number:x}")).collect::<Vec<_>>();
    assert_eq!(join_with(&mut world, "a", &names(0)), Ok(()));
    assert_eq!(join_with(&mut world, "b", &names(100_000)), Err(GroupError::InconsistentGroupProtocol));
}

/// Took half a minute, optimized, when each topic was looked for in all who leave.
#[test]
fn members_of_many_topics_leave_at_once() {
    let topics: Vec<String> = (0..1_000).map(|number| format!("t{number}")).collect();
    let names: Vec<String> = (0..400).map(|number| format!("c{number}")).collect();
    let mut world = mixed(&topics.join(","), &names.iter().map(String::as_str).collect::<Vec<_>>());
    world.consumer("m").topics = Some(topics.join(","));
    world.join("m").unwrap();
    let leaving = |world: &mut ConsumerWorld, name: &String| Leaving {
        member: Some(world.consumer(name).member.as_str().into()),
        instance: None,
    };
    let members = names.iter().map(|name| leaving(&mut world, name)).collect();
    let leave = LeaveGroup { group: GROUP.into(), members };
    let (effects, outcomes) = world.groups.leave(&leave, present(world.now, &world.topics)).unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(world.carry_out(effects));
    assert_eq!(world.groups.describe_consumer(&GroupId::new(GROUP)).unwrap().members.len(), 1);
}

/// The only member that speaks the newer protocol is static and away: a classic one has what is
/// free assigned anew, by joining.
#[test]
fn a_member_that_is_away_is_not_waited_for_to_assign() {
    let mut world = world();
    world.topics.set("t", 2);
    join(&mut world, "m", Some("i")).unwrap();
    for name in ["c", "d"] {
        world.consumer(name).topics = Some("t".into());
        world.classic_join(name).unwrap();
        world.classic_sync(name, Vec::new()).unwrap();
    }
    world.leave("m", -2).unwrap();
    world.pass(Duration::from_secs(2));
    world.classic_leave("d").unwrap();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.classic_beat("c"), Err(GroupError::RebalanceInProgress));
}

/// One that speaks the newer protocol from now on has no time in which it is to ask for its
/// assignment.
#[test]
fn timers_of_the_classic_protocol_end_with_it() {
    let mut world = mixed("t", &["c"]);
    world.topics.set("t", 2);
    world.consumer("c").epoch = 0;
    join(&mut world, "c", None).unwrap();
    for _ in 0..100 {
        world.pass(Duration::from_secs(1));
        ["c", "m"].iter().for_each(|name| world.acknowledge(name).unwrap());
    }
    assert_eq!(world.groups.describe_consumer(&GroupId::new(GROUP)).unwrap().members.len(), 2);
}

/// A name that a record has no room for would have the whole group refused.
#[test]
fn members_with_names_of_any_length_can_be_logged() {
    let mut world = world();
    let long = "é".repeat(16_383);
    world.consumer(&long).topics = Some("t".into());
    world.classic_join(&long).unwrap();
    let member = world.consumer(&long).member.clone();
    world.classic_sync(&long, vec![(member.as_str().into(), bytes::Bytes::new())]).unwrap();
    world.log.iter().for_each(|record| assert!(record.encode().is_ok()));
    assert!(member.len() > 32_000);
}
