//! The memory of a group is bounded: of one member, of all members, and of those that were given an
//! id.

mod support;

use std::time::Duration;

use klamm_coordinator::{GroupConfig, GroupError};
use support::World;
use support::consumers::ConsumerWorld;

fn world(config: GroupConfig) -> World {
    World::new(GroupConfig { initial_rebalance_delay: Duration::ZERO, ..config })
}

/// Joins with metadata of so many bytes; what the client is told.
fn join(world: &mut World, name: &str, bytes: usize) -> String {
    world.client(name).protocols = vec![("range".to_owned(), "t".repeat(bytes))];
    world.client(name).version = 3;
    world.said.clear();
    world.join(name);
    world.pass(Duration::ZERO);
    world.said.join("; ")
}

#[test]
fn the_metadata_of_a_member_is_bounded() {
    let mut world = world(GroupConfig { max_member_bytes: 1000, ..GroupConfig::default() });
    assert!(join(&mut world, "a", 2000).contains("MetadataTooLarge"));
    assert_eq!(world.state(), "no group");
    assert!(!join(&mut world, "a", 500).contains("MetadataTooLarge"));
}

#[test]
fn the_metadata_of_all_members_is_bounded_and_room_comes_back() {
    let mut world = world(GroupConfig { max_bytes: 1000, ..GroupConfig::default() });
    for name in ["a", "b"] {
        assert!(!join(&mut world, name, 400).contains("MetadataTooLarge"), "{name}");
    }
    assert!(join(&mut world, "c", 400).contains("MetadataTooLarge"));
    // A member that joins again takes the place of what it said before.
    assert!(!join(&mut world, "a", 450).contains("MetadataTooLarge"));
    world.leave("b").unwrap();
    assert!(!join(&mut world, "c", 400).contains("MetadataTooLarge"));
}

#[test]
fn assignments_are_bounded() {
    let mut world = world(GroupConfig { max_bytes: 1000, ..GroupConfig::default() });
    join(&mut world, "a", 10);
    world.pass(Duration::ZERO);
    let member = world.client("a").member();
    world.said.clear();
    world.sync("a", &[(member, "x".repeat(2000))]);
    assert_eq!(world.said, ["a: MetadataTooLarge"]);
}

#[test]
fn those_that_were_given_an_id_are_bounded() {
    let mut world = world(GroupConfig { max_pending: 2, ..GroupConfig::default() });
    for name in ["a", "b", "c"] {
        world.join(name);
    }
    assert_eq!(world.said.last().unwrap(), "c: GroupMaxSizeReached");
    world.join("a");
    world.join("c");
    assert!(world.said.last().unwrap().contains("MemberIdRequired"), "{:?}", world.said);
}

#[test]
fn what_a_member_of_the_consumer_protocol_names_is_bounded() {
    let mut world = ConsumerWorld::new(GroupConfig { max_member_bytes: 1000, ..GroupConfig::default() });
    world.consumer("a").topics = Some("t".repeat(2000));
    assert_eq!(world.join("a"), Err(GroupError::MetadataTooLarge));
}
