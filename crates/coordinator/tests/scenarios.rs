//! Each file in `scenarios/` tells what happens to a group and what comes of it: lines that begin
//! with a word are done, lines that are indented are what was said.
//! `UPDATE=1 cargo test -p klamm-coordinator --test scenarios` writes what is said now.

mod support;

use std::time::Duration;

use klamm_coordinator::{GroupConfig, MemberId};
use support::World;
use support::script::{check_folder, tell};

#[test]
fn what_the_scenarios_tell_is_so() {
    check_folder("scenarios", 8, run);
}

fn run(text: &str) -> String {
    let mut world = World::new(GroupConfig { max_size: 3, ..GroupConfig::default() });
    tell(text, |words| {
        act(&mut world, words);
        std::mem::take(&mut world.said)
    })
}

fn act(world: &mut World, words: &[&str]) {
    match words {
        ["join", name] => world.join(name),
        ["sync", name] => world.sync(name, &[]),
        ["assign", name, given @ ..] => {
            let given: Vec<(MemberId, String)> = given.iter().map(|given| of(world, given)).collect();
            world.sync(name, &given);
        }
        ["beat", name] => {
            let beaten = world.beat(name);
            say(world, name, beaten);
        }
        ["leave", name] => {
            let left = world.leave(name);
            say(world, name, left);
        }
        ["commit", "nobody", topic, offset] => {
            let done = world.commit(None, topic, offset.parse().unwrap());
            say(world, "nobody", done);
        }
        ["commit", name, topic, offset] => {
            let done = world.commit(Some(name), topic, offset.parse().unwrap());
            say(world, name, done);
        }
        ["pass", seconds] => world.pass(Duration::from_secs(seconds.trim_end_matches('s').parse().unwrap())),
        ["state"] => world.said.push(world.state()),
        ["offset", topic] => world.said.push(format!("{:?}", world.committed(topic))),
        ["crash"] => world.crash(usize::MAX),
        ["expire"] => {
            let effects = world.groups.expire(world.time());
            world.carry_out(effects);
        }
        ["delete"] => match world.groups.delete_group(&support::GROUP.into()) {
            Ok(effects) => drop(world.carry_out(effects)),
            Err(error) => world.said.push(format!("{error:?}")),
        },
        ["full"] => world.is_log_full = true,
        ["free"] => world.is_log_full = false,
        [name, "forgets"] => {
            world.hang_up(name);
            world.client(name).member = None;
        }
        [name, "takes", "generation", number] => world.client(name).generation = number.parse().unwrap(),
        [name, "is", "static", instance] => world.client(name).instance = Some((*instance).to_owned()),
        [name, "speaks", version] => world.client(name).version = version.parse().unwrap(),
        [name, "can", protocols @ ..] => {
            let of = |text: &&str| {
                let (name, topics) = text.split_once(':').unwrap_or((text, "t"));
                (name.to_owned(), topics.to_owned())
            };
            world.client(name).protocols = protocols.iter().map(of).collect();
        }
        [name, "is", other] => {
            let member = world.client(other).member.clone();
            world.client(name).member = member;
        }
        _ => panic!("what is {words:?}?"),
    }
}

/// `b=t-0`: what the client `b` gets.
fn of(world: &mut World, given: &str) -> (MemberId, String) {
    let (name, assignment) = given.split_once('=').unwrap();
    (world.client(name).member(), assignment.to_owned())
}

fn say(world: &mut World, name: &str, done: Result<(), klamm_coordinator::GroupError>) {
    world.said.push(match done {
        Ok(()) => format!("{name}: yes"),
        Err(error) => format!("{name}: {error:?}"),
    });
}
