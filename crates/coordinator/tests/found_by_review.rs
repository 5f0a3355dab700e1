//! What a review of the coordinator found, each with a name.

mod support;

use std::time::Duration;

use klamm_coordinator::GroupConfig;
use support::World;

fn stable() -> World {
    let mut world =
        World::new(GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() });
    world.join("a");
    world.join("a");
    world.pass(Duration::ZERO);
    let own = world.client("a").member();
    world.sync("a", &[(own, "t-0".to_owned())]);
    world
}

#[test]
fn offsets_are_kept_from_when_the_last_member_has_left_whether_that_could_be_logged_or_not() {
    let mut world = stable();
    world.commit(Some("a"), "t", 5).unwrap();
    let week = GroupConfig::default().offsets_retention;
    while world.now < week + Duration::from_secs(3600) {
        world.beat("a").unwrap();
        world.pass(Duration::from_secs(9));
    }
    world.is_log_full = true;
    world.leave("a").unwrap();
    world.is_log_full = false;
    let expire = |world: &mut World| {
        let effects = world.groups.expire(world.time());
        world.carry_out(effects);
        world.committed("t")
    };
    world.pass(Duration::from_secs(60));
    assert_eq!(expire(&mut world), Some(5));
    world.pass(week);
    assert_eq!(expire(&mut world), None);
}

#[test]
fn a_round_leaves_no_timers_behind() {
    let mut world = stable();
    world.client("a").rebalance = Duration::from_secs(1_000_000);
    for round in 0..100 {
        world.client("a").protocols = vec![("range".to_owned(), format!("t{round}"))];
        world.join("a");
        world.sync("a", &[]);
    }
    world.leave("a").unwrap();
    assert_eq!(world.groups.next_deadline(), None);
}

#[test]
fn static_members_that_need_no_time_are_waited_for_step_by_step() {
    let mut world = stable();
    world.client("s").instance = Some("one".to_owned());
    world.client("s").rebalance = Duration::ZERO;
    world.join("s");
    world.join("a");
    world.sync("a", &[]);
    world.sync("s", &[]);
    world.leave("a").unwrap();
    let mut steps = 0;
    while world.groups.on_time(world.present()).is_some() {
        steps += 1;
        assert!(steps < 10, "it never ends");
    }
    // Its session ends it.
    world.pass(Duration::from_secs(20));
    assert_eq!(world.state(), "Empty, generation 3");
}

#[test]
fn a_member_for_which_there_is_no_room_any_more_is_none() {
    let mut world = stable();
    world.join("b");
    world.join("b");
    world.join("a");
    let members = ["a", "b"].map(|name| world.client(name).member());
    world.sync("a", &members.map(|member| (member, "t".to_owned())));
    world.sync("b", &[]);
    world.begin_anew(GroupConfig { max_size: 1, ..GroupConfig::default() });
    world.client("a").protocols = vec![("range".to_owned(), "u".to_owned())];
    world.join("a");
    world.said.clear();
    world.join("b");
    assert!(world.said.iter().any(|said| said.contains("GroupMaxSizeReached")), "{:?}", world.said);
    // Nobody waits for it.
    assert_eq!(world.state(), "CompletingRebalance, generation 3");
}

#[test]
fn one_that_was_given_an_id_and_for_whom_there_is_no_room_is_not_waited_for() {
    let mut world = World::new(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        max_size: 1,
        ..GroupConfig::default()
    });
    world.join("b");
    world.join("a");
    world.join("a");
    world.pass(Duration::ZERO);
    world.client("a").protocols = vec![("range".to_owned(), "u".to_owned())];
    world.join("a");
    // The round waits for whoever was given an id.
    assert_eq!(world.state(), "PreparingRebalance, generation 1");
    world.said.clear();
    world.join("b");
    let told = world.said.join("; ");
    assert!(told.contains("b: GroupMaxSizeReached") && told.contains("a: generation 2"), "{told}");
}

#[test]
fn a_group_that_has_more_members_than_it_may_assigns_anew_after_a_restart() {
    let mut world = stable();
    world.begin_anew(GroupConfig { max_size: 0, ..GroupConfig::default() });
    assert_eq!(world.state(), "PreparingRebalance, generation 1");
}

/// Two of three have joined the round; the third leaves together with one of them: it was given the
/// generation first, and the other was asked to join again.
#[test]
fn who_leaves_together_is_not_joined_on_the_way() {
    let mut world = stable();
    for name in ["b", "c"] {
        world.join(name);
        world.join(name);
    }
    world.join("a");
    world.pass(Duration::ZERO);
    let before = world.groups.describe(&support::GROUP.into()).unwrap();
    assert_eq!(before.members.len(), 3, "{before:?}");
    world.sync("a", &[]);
    world.join("a");
    world.join("b");
    assert_eq!(world.leave_together(&["c", "b"]).unwrap(), [Ok(()), Ok(())]);
    let after = world.groups.describe(&support::GROUP.into()).unwrap();
    assert_eq!((after.members.len(), after.state), (1, klamm_coordinator::ClassicState::CompletingRebalance));
}
