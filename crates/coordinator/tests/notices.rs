//! What a coordinator tells of its groups, for a log and to be counted: in words, in the order in
//! which it becomes so.

mod support;

use std::time::Duration;

use klamm_coordinator::{GroupConfig, News};
use support::World;
use support::consumers::ConsumerWorld;

fn config() -> GroupConfig {
    let mut config = GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() };
    config.consumer.times.assignment_interval = Duration::ZERO;
    config
}

fn told(news: &mut Vec<String>) -> Vec<String> {
    std::mem::take(news)
}

#[test]
fn of_a_classic_group() {
    let mut world = World::new(config());
    world.client("a").version = 3;
    world.join("a");
    world.pass(Duration::ZERO);
    let id = world.client("a").member();
    assert_eq!(
        told(&mut world.news),
        [format!("{id} is a member"), "members are to join again after generation 0".into()]
    );
    world.sync("a", &[]);
    assert_eq!(told(&mut world.news), ["partitions are assigned in generation 1, members: 1"]);
    world.pass(Duration::from_secs(11));
    assert_eq!(
        told(&mut world.news),
        [
            format!("{id} is no member any more: its session is over"),
            "members are to join again after generation 1".into()
        ]
    );
    world.client("a").member = None;
    world.join("a");
    world.pass(Duration::ZERO);
    world.leave("a").unwrap();
    let news = told(&mut world.news).join("; ");
    assert!(news.contains("is no member any more: it left"), "{news}");
}

#[test]
fn of_a_group_whose_broker_assigns() {
    let mut world = ConsumerWorld::new(config());
    world.topics.set("t", 2);
    world.consumer("a").topics = Some("t".into());
    world.consumer("b").topics = Some("t".into());
    world.consumer("c").topics = Some("t".into());
    world.join("a").unwrap();
    assert_eq!(
        told(&mut world.news),
        ["a is a member", "group epoch 2 begins", "partitions are assigned up to epoch 2, members: 1"]
    );
    world.join("b").unwrap();
    assert_eq!(
        told(&mut world.news),
        ["b is a member", "group epoch 3 begins", "partitions are assigned up to epoch 3, members: 2"]
    );
    // Nothing new.
    let beat = world.heartbeat("a");
    world.send("a", &beat).unwrap();
    assert_eq!(told(&mut world.news), [""; 0]);
    world.leave("b", -1).unwrap();
    assert_eq!(told(&mut world.news), ["b is no member any more: it left", "group epoch 4 begins"]);
    world.classic_join("c").unwrap();
    told(&mut world.news);
    world.leave("a", -1).unwrap();
    assert_eq!(
        told(&mut world.news),
        [
            "a is no member any more: it left",
            "the group changes to the classic protocol",
            "members are to join again after generation 5"
        ]
    );
    world.join("b").unwrap();
    let news = told(&mut world.news);
    assert_eq!(news[0], "the group changes to the consumer protocol", "{news:?}");
}

#[test]
fn of_a_group_that_is_deleted() {
    let mut world = ConsumerWorld::new(config());
    world.topics.set("t", 1);
    world.commit(None, None, "t-0", 5).unwrap();
    let effects = world.groups.delete_group(&"g".into()).unwrap();
    assert!(world.carry_out(effects));
    assert_eq!(told(&mut world.news), ["the group was deleted"]);
}

/// Ids come from clients, and logs are read line by line.
#[test]
fn what_is_told_is_one_line() {
    let news = News::Joined("a\nERROR \u{1b}[31m".into());
    assert_eq!(news.to_string(), "a\\nERROR \\u{1b}[31m is a member");
}

#[test]
fn what_could_not_be_logged_is_not_told() {
    let mut world = ConsumerWorld::new(config());
    world.topics.set("t", 2);
    world.consumer("a").topics = Some("t".into());
    world.is_log_full = true;
    assert!(world.join("a").is_err());
    assert_eq!(world.news, [""; 0]);
}
