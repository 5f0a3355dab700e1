//! What each event does in each state: the whole table, as `matrix.txt` has it.
//! `UPDATE=1 cargo test -p klamm-coordinator --test matrix` writes what is so now.

mod support;

use std::path::Path;
use std::time::Duration;

use klamm_coordinator::{ClassicState, GroupConfig, GroupError, GroupId};
use support::{GROUP, World};

type Event = (&'static str, fn(&mut World));

const EVENTS: [Event; 26] = [
    ("one without an id joins", |w| w.join("new")),
    ("one without an id joins, who would not come twice", |w| {
        w.client("new").version = 3;
        w.join("new");
    }),
    ("one comes again with the id it was given", |w| {
        w.join("new");
        w.said.clear();
        w.join("new");
    }),
    ("one joins with an id that nobody has", |w| {
        w.client("new").member = Some("new-id".into());
        w.join("new");
    }),
    ("one joins that can do nothing the others can", |w| {
        w.client("new").protocols = vec![("other".into(), "t".into())];
        w.join("new");
    }),
    ("the leader joins again", |w| w.join("a")),
    ("another member joins again, as before", |w| w.join("b")),
    ("another member joins again, for other topics", |w| {
        w.client("b").protocols = vec![("range".into(), "u".into())];
        w.join("b");
    }),
    ("the leader assigns", |w| assign(w)),
    ("another member asks for its assignment", |w| w.sync("b", &[])),
    ("one asks, of another generation", |w| {
        w.client("b").generation += 1;
        w.sync("b", &[]);
    }),
    ("one asks whom nobody knows", |w| w.sync("new", &[])),
    ("a member is alive", |w| beat(w, "b")),
    ("one is alive, of another generation", |w| {
        w.client("b").generation += 1;
        beat(w, "b");
    }),
    ("one is alive whom nobody knows", |w| beat(w, "new")),
    ("a member leaves", |w| leave(w, "b")),
    ("the leader leaves", |w| leave(w, "a")),
    ("one leaves whom nobody knows", |w| leave(w, "new")),
    ("the others are silent for a session", |w| w.pass(Duration::from_secs(10))),
    ("nobody is heard for a minute", |w| w.pass(Duration::from_secs(61))),
    ("a member commits", |w| commit(w, Some("b"))),
    ("one commits, of another generation", |w| {
        w.client("b").generation += 1;
        commit(w, Some("b"));
    }),
    ("one commits who is no member", |w| commit(w, None)),
    ("the group is deleted", |w| match w.groups.delete_group(&GroupId::new(GROUP)) {
        Ok(effects) => drop(w.carry_out(effects)),
        Err(error) => w.said.push(format!("{error:?}")),
    }),
    ("the leader assigns, and the log is full", |w| {
        w.is_log_full = true;
        assign(w);
    }),
    ("the coordinator crashes", |w| w.crash(usize::MAX)),
];

/// A group of two, `a` who leads and `b`, in a state.
fn in_state(state: Option<ClassicState>) -> World {
    let delay = Duration::ZERO;
    let mut world = World::new(GroupConfig { initial_rebalance_delay: delay, ..GroupConfig::default() });
    let Some(state) = state else { return world };
    for name in ["a", "b"] {
        world.join(name);
        world.join(name);
    }
    world.pass(Duration::ZERO);
    match state {
        ClassicState::CompletingRebalance => {}
        ClassicState::Stable => stable(&mut world),
        ClassicState::PreparingRebalance => {
            stable(&mut world);
            world.join("c");
            world.join("c");
        }
        ClassicState::Empty => {
            stable(&mut world);
            leave(&mut world, "a");
            leave(&mut world, "b");
        }
    }
    world.said.clear();
    world
}

fn stable(world: &mut World) {
    assign(world);
    world.sync("b", &[]);
}

fn assign(world: &mut World) {
    let of = |world: &mut World, name: &str, text: &str| (world.client(name).member(), text.to_owned());
    let given = [of(world, "a", "t-0"), of(world, "b", "t-1")];
    world.sync("a", &given);
}

fn beat(world: &mut World, name: &str) {
    let done = world.beat(name);
    say(world, done);
}

fn leave(world: &mut World, name: &str) {
    let done = world.leave(name);
    say(world, done);
}

fn commit(world: &mut World, name: Option<&str>) {
    let done = world.commit(name, "t", 5);
    say(world, done);
}

fn say(world: &mut World, done: Result<(), GroupError>) {
    world.said.push(done.map_or_else(|error| format!("{error:?}"), |()| "yes".to_owned()));
}

#[test]
fn each_event_does_in_each_state_what_the_table_says() {
    let mut told = String::new();
    let states = [None].into_iter().chain(ClassicState::ALL.map(Some));
    for state in states {
        let name = state.map_or("no group".to_owned(), |state| state.to_string());
        told += &format!("# {name}\n");
        for (event, act) in EVENTS {
            let mut world = in_state(state);
            act(&mut world);
            let said =
                if world.said.is_empty() { "nothing is said".to_owned() } else { world.said.join("; ") };
            told += &format!("{event}\n    -> {}: {said}\n", world.state());
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &told).unwrap();
    }
    let want = std::fs::read_to_string(golden).unwrap();
    let wrong = want.lines().zip(told.lines()).find(|(want, got)| want != got);
    assert!(want == told, "expected, got: {wrong:#?}");
}

/// Steps from state to state that the events above take, and no others.
#[test]
fn a_group_goes_only_where_the_drawing_says() {
    use ClassicState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
    let allowed: Vec<_> = ClassicState::ALL
        .iter()
        .flat_map(|from| ClassicState::ALL.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from.may_become(*to))
        .collect();
    let want = [
        (Empty, PreparingRebalance),
        (PreparingRebalance, Empty),
        (PreparingRebalance, CompletingRebalance),
        (CompletingRebalance, PreparingRebalance),
        (CompletingRebalance, Stable),
        (Stable, PreparingRebalance),
    ];
    assert_eq!(allowed, want);
}
