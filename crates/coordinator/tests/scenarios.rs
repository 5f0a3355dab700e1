//! Each file in `scenarios/` tells what happens to a group and what comes of it: lines that begin with a word are done, lines that are
//! indented are what was said. `UPDATE=1 cargo test -p klamm-coordinator --test scenarios` writes what is said now.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use klamm_coordinator::{GroupConfig, MemberId};
use support::World;

#[test]
fn what_the_scenarios_tell_is_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{} scenarios", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let told = run(&text);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &told).unwrap();
            continue;
        }
        assert!(told == text, "{}:\n{}", file.display(), difference(&text, &told));
    }
}

fn difference(want: &str, got: &str) -> String {
    let (want, got): (Vec<_>, Vec<_>) = (want.lines().collect(), got.lines().collect());
    let at = want.iter().zip(&got).take_while(|(want, got)| want == got).count();
    let from =
        |lines: &[&str]| lines.iter().skip(at).take(8).map(|line| format!("{line}\n")).collect::<String>();
    format!("line {}, expected\n{}got\n{}", at + 1, from(&want), from(&got))
}

fn run(text: &str) -> String {
    let mut world = World::new(GroupConfig { max_size: 3, ..GroupConfig::default() });
    let mut told = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        told += &format!("{line}\n");
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with('#') && !words.is_empty() {
            act(&mut world, &words);
        }
        told.extend(world.said.drain(..).map(|said| format!("  {said}\n")));
    }
    told
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
