//! Each file in `consumer_scenarios/` tells what happens to a group whose broker assigns (KIP-848)
//! and what comes of it. `UPDATE=1 cargo test -p klamm-coordinator --test consumer_scenarios`
//! writes what is said now.

mod support;

use std::sync::Arc;
use std::time::Duration;

use klamm_coordinator::{ConsumerHeartbeat, GroupConfig, GroupError, MigrationPolicy, Partitions};
use support::consumers::{Consumer, ConsumerWorld, names};
use support::script::{check_folder, tell};

#[test]
fn what_the_scenarios_tell_is_so() {
    check_folder("consumer_scenarios", 8, run);
}

fn run(text: &str) -> String {
    let mut config = GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() };
    config.consumer.max_size = 4;
    if let Some(policy) = text.lines().find_map(|line| line.strip_prefix("# Policy: ")) {
        config.consumer.migration = MigrationPolicy::named(policy).unwrap();
    }
    let mut world = ConsumerWorld::new(config);
    tell(text, |words| {
        act(&mut world, words);
        std::mem::take(&mut world.said)
    })
}

fn act(world: &mut ConsumerWorld, words: &[&str]) {
    match words {
        ["topic", name, partitions] => world.topics.set(name, partitions.parse().unwrap()),
        ["no-topic", name] => world.topics.remove(name),
        ["pass", time] => {
            let millis = match time.strip_suffix("ms") {
                Some(millis) => millis.parse().unwrap(),
                None => 1000 * time.trim_end_matches('s').parse::<u64>().unwrap(),
            };
            world.pass(Duration::from_millis(millis));
        }
        ["crash"] => world.crash(usize::MAX),
        ["compact"] => world.compact(),
        ["full"] => world.is_log_full = true,
        ["room"] => world.is_log_full = false,
        ["state"] => {
            let state = world.state();
            world.said.push(state);
        }
        ["delete"] => match world.groups.delete_group(&"g".into()) {
            Ok(effects) => drop(world.carry_out(effects)),
            Err(error) => world.said.push(format!("{error:?}")),
        },
        ["commit", member, epoch, partition, offset] => {
            let member = Some(*member).filter(|member| *member != "nobody");
            let epoch = epoch.parse().ok().filter(|epoch| *epoch >= 0);
            let done = world.commit(member, epoch, partition, offset.parse().unwrap());
            say(world, done);
        }
        ["committed", topic, partition] => {
            let found = world.committed(topic, partition.parse().unwrap());
            world.said.push(format!("{found:?}"));
        }
        ["fetch", member, epoch] => {
            let done = world.groups.check_fetch(&"g".into(), &(*member).into(), epoch.parse().unwrap());
            say(world, done);
        }
        [act, name, rest @ ..] => consumer(world, act, name, rest),
        _ => panic!("{words:?}"),
    }
}

fn consumer(world: &mut ConsumerWorld, act: &str, name: &str, rest: &[&str]) {
    rest.iter()
        .filter_map(|word| word.split_once('='))
        .for_each(|(key, value)| set(world.consumer(name), key, value));
    let done = match act {
        "join" => world.join(name),
        "beat" => {
            let beat = world.heartbeat(name);
            let epoch =
                rest.iter().find_map(|word| word.strip_prefix("epoch:")).map(|epoch| epoch.parse().unwrap());
            world.send(name, &ConsumerHeartbeat { epoch: epoch.unwrap_or(beat.epoch), ..beat })
        }
        "has" => {
            let owned: Partitions = rest
                .iter()
                .filter_map(|word| word.rsplit_once('-'))
                .map(|(topic, number)| (world.topics.id(topic), number.parse().unwrap()))
                .collect();
            let epoch =
                rest.iter().find_map(|word| word.strip_prefix("epoch:")).map(|epoch| epoch.parse().unwrap());
            let beat = world.heartbeat(name);
            world.send(
                name,
                &ConsumerHeartbeat { owned: Some(owned), epoch: epoch.unwrap_or(beat.epoch), ..beat },
            )
        }
        "does" => world.acknowledge(name),
        "wants" => {
            let consumer = world.consumer(name).clone();
            let beat = ConsumerHeartbeat {
                topics: consumer.topics.as_deref().map(names),
                regex: consumer.regex.as_deref().map(Arc::from),
                assignor: consumer.assignor.as_deref().map(Into::into),
                ..world.heartbeat(name)
            };
            world.send(name, &beat)
        }
        "leaves" => world.leave(name, -1),
        "goes" => world.leave(name, -2),
        "classic-join" => world.classic_join(name),
        "classic-sync" => world.classic_sync(name, Vec::new()),
        "classic-lead" => {
            let everything = world.topics.partitions().collect();
            world.consumer(name).owned = everything;
            let own = world.topics_of(name);
            let member = world.consumer(name).member.as_str().into();
            world.classic_sync(name, vec![(member, own)])
        }
        "classic-beat" => world.classic_beat(name),
        "classic-leaves" => world.classic_leave(name),
        _ => panic!("{act}"),
    };
    let consumer = world.consumer(name).clone();
    match done {
        Ok(()) => {
            world.said.push(format!(
                "{name}: epoch {}, {}",
                consumer.epoch,
                world.list(&consumer.assignment)
            ));
        }
        Err(error) => say(world, Err(error)),
    }
}

fn set(consumer: &mut Consumer, key: &str, value: &str) {
    let value = value.to_owned();
    match key {
        "topics" => consumer.topics = Some(value),
        "regex" => consumer.regex = Some(value),
        "assignor" => consumer.assignor = Some(value),
        "instance" => consumer.instance = Some(value),
        "timeout" => consumer.timeout = Some(Duration::from_secs(value.parse().unwrap())),
        "member" => consumer.member = value,
        _ => panic!("{key}"),
    }
}

fn say(world: &mut ConsumerWorld, done: Result<(), GroupError>) {
    world.said.push(done.map_or_else(|error| format!("{error:?}"), |()| "yes".to_owned()));
}
