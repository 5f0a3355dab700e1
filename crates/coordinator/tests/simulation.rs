//! Members that join, leave, stall, crash and ask twice, and a coordinator that crashes at any
//! record, in an order that a seed decides.
//! `SEED=7 cargo test -p klamm-coordinator --test simulation -- --nocapture` replays one,
//! `SEEDS=10000` runs more.

mod invariants;
mod support;

use std::time::Duration;

use invariants::offsets_are_kept::{Acknowledged, check_member};
use invariants::{becomes_stable, generation_rises, one_assignment};
use klamm_coordinator::{GroupConfig, GroupError, MemberId};
use support::World;
use support::random::Random;

const PARTITIONS: usize = 6;

/// Where a client stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// It is to join.
    Out,
    /// It has asked, and waits.
    Joining,
    /// It has its generation, and is to ask for its assignment.
    Joined,
    Syncing,
    /// It has its assignment.
    In,
}

struct Simulation {
    world: World,
    random: Random,
    names: Vec<String>,
    phases: Vec<Phase>,
    acknowledged: Acknowledged,
    offset: i64,
    trace: Vec<String>,
    /// Records that have been looked at.
    checked: usize,
    crashes: usize,
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let mut random = Random(seed);
        let delay = Duration::from_secs(random.below(4));
        let mut world = World::new(GroupConfig { initial_rebalance_delay: delay, ..GroupConfig::default() });
        let most = if random.one_in(10) { 30 } else { 5 };
        let names: Vec<String> = (0..2 + random.below(most)).map(|number| format!("c{number}")).collect();
        for name in &names {
            let client = world.client(name);
            client.version = if random.below(4) == 0 { 3 } else { 9 };
            client.instance = (random.below(3) == 0).then(|| format!("static {name}"));
            client.session = Duration::from_secs(6 + random.below(10));
            client.rebalance = Duration::from_secs(10 + random.below(30));
        }
        let phases = vec![Phase::Out; names.len()];
        let acknowledged = Acknowledged::default();
        Simulation {
            world,
            random,
            names,
            phases,
            acknowledged,
            offset: 0,
            trace: Vec::new(),
            checked: 0,
            crashes: 0,
        }
    }

    /// What a client does next, if it is well.
    fn act(&mut self, at: usize) {
        let name = self.names[at].clone();
        match self.phases[at] {
            Phase::Out => {
                self.phases[at] = Phase::Joining;
                self.world.join(&name);
            }
            Phase::Joined => {
                self.phases[at] = Phase::Syncing;
                let given = self.assignment(&name);
                self.world.sync(&name, &given);
            }
            Phase::In => self.beat(at, &name),
            Phase::Joining | Phase::Syncing => {}
        }
        self.hear();
    }

    /// The leader gives each member every n-th partition.
    fn assignment(&mut self, name: &str) -> Vec<(MemberId, String)> {
        let members = self.world.client(name).members.clone();
        let of = |at: usize| {
            let own = (0..PARTITIONS).filter(|number| number % members.len() == at);
            own.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
        };
        members.iter().enumerate().map(|(at, member)| (member.clone(), of(at))).collect()
    }

    fn beat(&mut self, at: usize, name: &str) {
        match self.world.beat(name) {
            Ok(()) => {}
            Err(GroupError::RebalanceInProgress) => self.phases[at] = Phase::Out,
            Err(_) => self.forget(at),
        }
    }

    fn commit(&mut self, at: usize) {
        let name = self.names[at].clone();
        let (member, generation) = (self.world.client(&name).member(), self.world.client(&name).generation);
        self.offset += 1;
        match self.world.commit(Some(&name), "t", self.offset) {
            Ok(()) => {
                self.acknowledged.note(self.offset);
                check_member(&self.world, &member, generation).unwrap();
            }
            Err(GroupError::CoordinatorNotAvailable) if !self.world.is_log_full => {
                self.acknowledged.note_open(self.offset);
            }
            Err(_) => {}
        }
    }

    fn forget(&mut self, at: usize) {
        let name = self.names[at].clone();
        self.world.hang_up(&name);
        self.world.client(&name).member = None;
        self.phases[at] = Phase::Out;
    }

    /// What clients were told since, and what they make of it.
    fn hear(&mut self) {
        for said in std::mem::take(&mut self.world.said) {
            if let Some((name, words)) = said.split_once(": ")
                && let Some(at) = self.names.iter().position(|own| own == name)
            {
                self.phases[at] = match words {
                    _ if words.starts_with("generation") => Phase::Joined,
                    _ if words.starts_with("has") => Phase::In,
                    "MemberIdRequired" | "RebalanceInProgress" | "CoordinatorNotAvailable" => Phase::Out,
                    _ => {
                        self.forget(at);
                        Phase::Out
                    }
                };
            }
            self.trace.push(said);
        }
    }

    fn step(&mut self) {
        let at = usize::try_from(self.random.below(self.names.len() as u64)).unwrap();
        match self.random.below(100) {
            0..50 => self.act(at),
            50..70 => self.commit(at),
            70..85 => self.pass(),
            // Its answer is lost, or it is slow to see it: it asks again.
            85..90 => {
                if matches!(self.phases[at], Phase::Joining | Phase::Syncing) {
                    self.phases[at] =
                        if self.phases[at] == Phase::Joining { Phase::Out } else { Phase::Joined };
                }
            }
            90..94 => self.forget(at),
            94..96 => drop(self.world.leave(&self.names[at].clone())),
            96..98 => self.world.is_log_full = !self.world.is_log_full,
            98 => {
                self.world.crashes_next = true;
                self.world.torn = Some(usize::try_from(self.random.below(1000)).unwrap());
            }
            _ => self.world.crash(usize::MAX),
        }
        self.hear();
        self.notice_crash();
        self.check();
    }

    fn pass(&mut self) {
        let millis = self.random.below(3000);
        self.world.pass(Duration::from_millis(millis));
    }

    /// All that waited for an answer of the coordinator that has crashed is closed.
    fn notice_crash(&mut self) {
        if std::mem::replace(&mut self.crashes, self.world.crashes) == self.world.crashes {
            return;
        }
        self.trace.push("crash".to_owned());
        for phase in &mut self.phases {
            *phase = if *phase == Phase::In { Phase::In } else { Phase::Out };
        }
    }

    fn check(&mut self) {
        let is_more = std::mem::replace(&mut self.checked, self.world.log.len()) != self.world.log.len();
        let logged =
            || generation_rises::check(&self.world).and_then(|()| one_assignment::check(&self.world));
        let all = [if is_more { logged() } else { Ok(()) }, self.acknowledged.check(&self.world)];
        if let Some(wrong) = all.into_iter().find_map(Result::err) {
            panic!("{wrong}\n{}", self.trace[self.trace.len().saturating_sub(40)..].join("\n"));
        }
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) {
        self.world.is_log_full = false;
        self.world.crashes_next = false;
        for at in 0..self.names.len() {
            if matches!(self.phases[at], Phase::Joining | Phase::Syncing) {
                self.forget(at);
            }
        }
        for _ in 0..400 {
            (0..self.names.len()).for_each(|at| self.act(at));
            self.world.pass(Duration::from_millis(500));
            self.hear();
            self.check();
        }
        if let Err(wrong) = becomes_stable::check(&self.world, &self.names, PARTITIONS) {
            panic!(
                "{wrong}\n{:?}\n{}",
                self.phases,
                self.trace[self.trace.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

fn run(seed: u64) -> Vec<String> {
    let mut simulation = Simulation::new(seed);
    (0..300).for_each(|_| simulation.step());
    simulation.calm();
    simulation.trace
}

#[test]
fn what_must_hold_holds_whatever_happens() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        return println!("{}", run(seed).join("\n"));
    }
    for seed in 0..number("SEEDS").unwrap_or(1500) {
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            panic!(
                "replay with SEED={seed} cargo test -p klamm-coordinator --test simulation -- --nocapture"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}
