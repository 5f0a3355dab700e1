//! Members of a group whose broker assigns: they join, leave, stall, crash, do not hear answers,
//! change what they want; topics come, grow and go; the coordinator crashes at any record, or its
//! log is full, in an order that a seed decides. Some members speak the classic protocol.
//! `SEED=7 cargo test -p klamm-coordinator --test consumer_simulation -- --nocapture` replays one,
//! `SEEDS=10000` runs more.

mod consumer_invariants;
mod support;

use std::time::Duration;

use bytes::Bytes;
use consumer_invariants::epochs_rise::Epochs;
use consumer_invariants::offsets_are_kept::{Acknowledged, check_member};
use consumer_invariants::one_reader::Readers;
use consumer_invariants::{becomes_stable, replay_is_the_same, targets_are_valid};
use klamm_coordinator::consumer_protocol::encode_assignment;
use klamm_coordinator::{Catalog, ConsumerHeartbeat, GroupConfig, GroupError, GroupId, MemberId, Partitions};
use support::consumers::{ConsumerWorld, GROUP, names};
use support::random::Random;

/// Lines of the trace that are told when something is wrong.
const TOLD: usize = 60;
const TOPICS: [&str; 4] = ["ta", "tb", "u", "v"];
const WANTS: [&str; 5] = ["ta", "ta,tb", "ta,tb,u", "u,v", "v"];

/// What a client does of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// It is to join.
    Out,
    In,
    /// Its last answer was lost: it says all again.
    Unsure,
    /// Classic: it has joined, and is to ask for its assignment.
    Joined,
}

struct Simulation {
    world: ConsumerWorld,
    random: Random,
    names: Vec<String>,
    phases: Vec<Phase>,
    is_classic: Vec<bool>,
    /// Counts the lives of clients.
    lives: u32,
    offset: i64,
    epochs: Epochs,
    readers: Readers,
    acknowledged: Acknowledged,
    trace: Vec<String>,
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let mut random = Random(seed);
        let mut config = GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() };
        config.consumer.times.assignment_interval = Duration::from_millis(500 * random.below(3));
        config.consumer.times.session_timeout = Duration::from_secs(10);
        let mut world = ConsumerWorld::new(config);
        TOPICS
            .iter()
            .take(3)
            .for_each(|topic| world.topics.set(topic, 1 + usize::try_from(random.below(4)).unwrap()));
        let most = if random.one_in(10) { 30 } else { 4 };
        let names: Vec<String> = (0..2 + random.below(most)).map(|number| format!("c{number}")).collect();
        for name in &names {
            let consumer = world.consumer(name);
            consumer.topics = Some(random.pick(&WANTS).to_owned());
            consumer.regex = random.one_in(4).then(|| "t.*".to_owned());
            consumer.assignor = random.one_in(3).then(|| random.pick(&["uniform", "range"]).to_owned());
            consumer.instance = random.one_in(3).then(|| format!("static {name}"));
            consumer.timeout = Some(Duration::from_secs(5 + random.below(20)));
        }
        let count = names.len();
        // The first speaks the newer protocol, so that the group stays what it is.
        let is_classic: Vec<bool> = (0..count).map(|at| at > 0 && random.one_in(4)).collect();
        Simulation {
            world,
            random,
            names,
            phases: vec![Phase::Out; count],
            is_classic,
            lives: 0,
            offset: 0,
            epochs: Epochs::default(),
            readers: Readers::default(),
            acknowledged: Acknowledged::default(),
            trace: Vec::new(),
        }
    }

    /// What a client does next, if it is well.
    fn act(&mut self, at: usize) {
        let name = self.names[at].clone();
        self.trace.push(format!("{name} {:?}", self.phases[at]));
        if self.is_classic[at] {
            return self.act_classic(at, &name);
        }
        let done = match self.phases[at] {
            Phase::Out => self.world.join(&name),
            Phase::In | Phase::Joined => match self.random.below(3) {
                0 => self.world.acknowledge(&name),
                _ => {
                    let beat = self.world.heartbeat(&name);
                    self.world.send(&name, &beat)
                }
            },
            Phase::Unsure => self.say_all(&name),
        };
        self.hear(at, done);
    }

    /// A client that does not know what was heard of it says all that it could. It has not taken
    /// what it was told since.
    fn say_all(&mut self, name: &str) -> Result<(), GroupError> {
        let consumer = self.world.consumer(name).clone();
        let beat = ConsumerHeartbeat {
            topics: Some(names(consumer.topics.as_deref().unwrap_or_default())),
            regex: Some(consumer.regex.as_deref().unwrap_or_default().into()),
            rebalance_timeout: consumer.timeout,
            owned: Some(consumer.owned),
            ..self.world.heartbeat(name)
        };
        self.world.send(name, &beat)
    }

    fn act_classic(&mut self, at: usize, name: &str) {
        let (done, next) = match self.phases[at] {
            Phase::Out | Phase::Unsure => (self.world.classic_join(name), Phase::Joined),
            Phase::Joined => {
                let kept = self.kept();
                (self.world.classic_sync(name, kept), Phase::In)
            }
            Phase::In => (self.world.classic_beat(name), Phase::In),
        };
        match done {
            Ok(()) => self.phases[at] = next,
            // It joins again as the member that it is, with what it has.
            Err(GroupError::RebalanceInProgress) => self.phases[at] = Phase::Out,
            Err(error) => self.forget(at, &format!("{error:?}")),
        }
    }

    /// What a leader decides, should the group be classic: each keeps what it has.
    fn kept(&mut self) -> Vec<(MemberId, Bytes)> {
        let classic = self.names.clone().into_iter().zip(self.is_classic.clone());
        let classic = classic.filter(|(_, is_classic)| *is_classic);
        let kept = classic.map(|(name, _)| {
            let consumer = self.world.consumer(&name).clone();
            let own = self.world.named(&consumer.owned);
            (MemberId::new(&consumer.member), encode_assignment(&own).unwrap())
        });
        kept.collect()
    }

    fn hear(&mut self, at: usize, done: Result<(), GroupError>) {
        match done {
            Ok(()) => self.phases[at] = Phase::In,
            Err(GroupError::CoordinatorNotAvailable) => {
                self.phases[at] = if self.phases[at] == Phase::Out { Phase::Out } else { Phase::Unsure };
            }
            Err(error) => {
                self.trace.push(format!("  {error:?}"));
                self.drop_all(at);
            }
        }
    }

    /// It reads nothing any more, and joins again under the same id.
    fn drop_all(&mut self, at: usize) {
        let consumer = self.world.consumer(&self.names[at].clone());
        (consumer.owned, consumer.assignment, consumer.epoch) =
            (Partitions::default(), Partitions::default(), 0);
        self.phases[at] = Phase::Out;
    }

    /// The process ends, and another begins.
    fn forget(&mut self, at: usize, why: &str) {
        self.trace.push(format!("{} begins anew: {why}", self.names[at]));
        self.drop_all(at);
        self.lives += 1;
        let (name, lives) = (self.names[at].clone(), self.lives);
        let consumer = self.world.consumer(&name);
        consumer.member = format!("{name}-0000{lives}");
        // A static member may come back with the other protocol.
        if at > 0 && consumer.instance.is_some() && self.random.one_in(3) {
            self.is_classic[at] = !self.is_classic[at];
        }
    }

    /// The coordinator hears it, but it does not hear the answer.
    fn lose_answer(&mut self, at: usize) {
        let name = self.names[at].clone();
        if self.is_classic[at] || self.phases[at] != Phase::In {
            return;
        }
        let consumer = self.world.consumer(&name).clone();
        let owned = self.random.one_in(2).then_some(consumer.owned);
        let beat = ConsumerHeartbeat { owned, ..self.world.heartbeat(&name) };
        let heard = self.world.beat(&beat).is_ok();
        self.trace.push(format!("{name} does not hear the answer ({heard})"));
        self.phases[at] = Phase::Unsure;
    }

    fn commit(&mut self, at: usize) {
        let name = self.names[at].clone();
        let consumer = self.world.consumer(&name).clone();
        let Some((topic, partition)) = consumer.owned.iter().next() else { return };
        let Some(topic) = self.world.topics.name(topic).map(|topic| topic.to_string()) else { return };
        self.offset += 1;
        match self.world.commit(
            Some(&consumer.member),
            Some(consumer.epoch),
            &format!("{topic}-{partition}"),
            self.offset,
        ) {
            Ok(()) => {
                self.acknowledged.note(&topic, partition, self.offset);
                check_member(&self.world, &consumer.member).unwrap();
            }
            Err(GroupError::CoordinatorNotAvailable) if !self.world.is_log_full => {
                self.acknowledged.note_open(&topic, partition, self.offset);
            }
            Err(_) => {}
        }
    }

    fn change(&mut self, at: usize) {
        let name = self.names[at].clone();
        let topics = self.random.pick(&WANTS).to_owned();
        let regex = if self.random.one_in(2) { "t.*" } else { "" };
        let consumer = self.world.consumer(&name);
        (consumer.topics, consumer.regex) = (Some(topics), Some(regex.to_owned()));
        if !self.is_classic[at] && self.phases[at] == Phase::In {
            self.phases[at] = Phase::Unsure;
        }
    }

    fn leave(&mut self, at: usize) {
        let name = self.names[at].clone();
        if self.is_classic[at] {
            let _ = self.world.classic_leave(&name);
            return self.forget(at, "it left");
        }
        let is_away = self.world.consumer(&name).instance.is_some() && self.random.one_in(2);
        // It has given up all before it says so.
        self.world.consumer(&name).owned = Partitions::default();
        let _ = self.world.leave(&name, if is_away { -2 } else { -1 });
        self.forget(at, "it left");
    }

    fn change_topics(&mut self) {
        let topic = self.random.pick(&TOPICS);
        let more = 1 + usize::try_from(self.random.below(6)).unwrap();
        let count = self.world.topics.find(&topic.into()).map_or(0, |found| found.partitions);
        match self.random.below(4) {
            0 => self.world.topics.remove(topic),
            _ => self.world.topics.set(topic, more.max(count)),
        }
        self.trace.push(format!("topic {topic}: {count} to {more}"));
    }

    fn crash(&mut self) {
        let before = self.world.groups.clone();
        if self.random.one_in(2) {
            self.world.compact();
            self.epochs.begin_anew(&self.world);
        }
        self.world.crash(usize::MAX);
        self.trace.push("crash".to_owned());
        self.must(replay_is_the_same::check(&before, &self.world.groups));
    }

    fn step(&mut self) {
        let at = usize::try_from(self.random.below(self.names.len() as u64)).unwrap();
        match self.random.below(100) {
            0..52 => self.act(at),
            52..65 => self.commit(at),
            65..78 => {
                let millis = self.random.below(2500);
                self.world.pass(Duration::from_millis(millis));
            }
            78..84 => self.lose_answer(at),
            84..87 => self.change(at),
            87..89 => self.forget(at, "it crashed"),
            89..91 => self.leave(at),
            91..94 => self.change_topics(),
            94..96 => self.world.is_log_full = !self.world.is_log_full,
            96..98 => {
                self.world.crashes_next = true;
                self.world.torn = Some(usize::try_from(self.random.below(1000)).unwrap());
            }
            _ => self.crash(),
        }
        self.check();
    }

    fn check(&mut self) {
        self.trace.extend(self.world.said.drain(..).map(|said| format!("  {said}")));
        let all = [
            self.readers.check(&self.world),
            self.epochs.check(&self.world),
            self.acknowledged.check(&self.world),
        ];
        all.into_iter().for_each(|checked| self.must(checked));
    }

    fn must(&self, checked: Result<(), String>) {
        if let Err(wrong) = checked {
            panic!("{wrong}\n{}", self.trace[self.trace.len().saturating_sub(TOLD)..].join("\n"));
        }
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) {
        self.world.is_log_full = false;
        self.world.crashes_next = false;
        for _ in 0..150 {
            (0..self.names.len()).for_each(|at| self.act(at));
            self.world.pass(Duration::from_millis(500));
            self.check();
        }
        self.must(targets_are_valid::check(&self.world));
        self.must(becomes_stable::check(&self.world, &self.names));
    }
}

fn run(seed: u64) -> Simulation {
    let mut simulation = Simulation::new(seed);
    (0..250).for_each(|_| simulation.step());
    simulation.calm();
    simulation
}

#[test]
fn whatever_happens_the_invariants_hold() {
    if let Ok(seed) = std::env::var("SEED") {
        let simulation = run(seed.parse().unwrap());
        println!("{}", simulation.trace.join("\n"));
        return;
    }
    let seeds: u64 = std::env::var("SEEDS").map_or(400, |seeds| seeds.parse().unwrap());
    let mut stable = 0;
    for seed in 0..seeds {
        let done = std::panic::catch_unwind(|| run(seed));
        let simulation = done.unwrap_or_else(|_| panic!("SEED={seed} replays it"));
        stable += usize::from(simulation.world.groups.describe_consumer(&GroupId::new(GROUP)).is_some());
    }
    assert_eq!(stable, usize::try_from(seeds).unwrap());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    assert_eq!(run(3).trace, run(3).trace);
    assert_ne!(run(3).trace, run(4).trace);
}
