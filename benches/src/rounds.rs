//! Rounds of contestants.

use std::fs;
use std::time::{Duration, Instant};

/// One contestant's measurements: units of work per CPU second, a figure a round.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Its name.
    pub name: String,
    /// Units per CPU second of the thread.
    pub per_cpu: Vec<f64>,
    /// Units per second of wall clock.
    pub per_wall: Vec<f64>,
}

/// A contestant: called once a round, it does its work and says what that was.
pub type Contestant<'a> = (&'a str, Box<dyn FnMut() -> Round<'a> + 'a>);

/// What a contestant did in a round.
pub struct Round<'a> {
    units: u64,
    cleanup: Option<Box<dyn FnOnce() + 'a>>,
}

impl<'a> Round<'a> {
    /// So many units of work.
    #[must_use]
    pub fn of(units: u64) -> Round<'a> {
        Round { units, cleanup: None }
    }

    /// With something to be put away when the clock has stopped.
    #[must_use]
    pub fn then(self, cleanup: impl FnOnce() + 'a) -> Round<'a> {
        Round { cleanup: Some(Box::new(cleanup)), ..self }
    }
}

/// Runs the contestants in turn, A B C A B C, `rounds` times.
pub fn run(rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<Figures> {
    let empty = |name: &str| Figures { name: name.to_owned(), per_cpu: Vec::new(), per_wall: Vec::new() };
    let mut figures: Vec<Figures> = contestants.iter().map(|(name, _)| empty(name)).collect();
    for _ in 0..rounds {
        for (figure, (_, work)) in figures.iter_mut().zip(&mut contestants) {
            let (began, cpu) = (Instant::now(), thread_cpu());
            let Round { units, cleanup } = work();
            let (wall, cpu) = (began.elapsed(), thread_cpu().saturating_sub(cpu));
            cleanup.into_iter().for_each(|cleanup| cleanup());
            figure.per_wall.push(rate(units, wall));
            figure.per_cpu.push(rate(units, cpu));
        }
    }
    figures
}

impl Figures {
    /// The median rate per CPU second.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(self.per_cpu.clone())
    }

    /// The median of the ratios to another contestant, formed within each round.
    #[must_use]
    pub fn ratio_to(&self, other: &Figures) -> f64 {
        median(self.per_cpu.iter().zip(&other.per_cpu).map(|(a, b)| a / b).collect())
    }
}

/// The middle of the values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::cast_precision_loss)]
fn rate(units: u64, time: Duration) -> f64 {
    units as f64 / time.as_secs_f64().max(1e-9)
}

/// CPU time of this thread, user and system, to the nanosecond.
#[must_use]
pub fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0))
}
