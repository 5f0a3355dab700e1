//! Background threads: maintenance and compaction.

use std::sync::Arc;
use std::thread::{JoinHandle, ScopedJoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{Cleaning, LogDir, LogError, Step};

/// Threads that maintain a directory: one calls [`LogDir::maintain`] once a second, others clean
/// compacted logs that are dirty ([`CleanerConfig::threads`](crate::CleanerConfig::threads)). They
/// end when this is dropped.
#[derive(Debug)]
pub struct Background {
    signal: Arc<Signal>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signal {
    stop: Mutex<bool>,
    changed: Condvar,
}

impl LogDir {
    /// Begins to maintain the folder in the background: retention, syncs that settings ask for,
    /// checkpoints, compaction. [`DirConfig::observer`](crate::DirConfig::observer) is told what
    /// fails and what is deleted.
    #[must_use = "dropping it ends the threads"]
    pub fn start_background(&self) -> Background {
        let signal = Arc::new(Signal::default());
        let start = |name: &str, run: fn(&Signal, &LogDir)| {
            let (dir, own) = (self.clone(), Arc::clone(&signal));
            std::thread::Builder::new().name(name.into()).spawn(move || run(&own, &dir)).ok()
        };
        let threads = [start("klamm-log", Signal::maintain), start("klamm-cleaner", Signal::run_cleaners)];
        Background { signal, threads: threads.into_iter().flatten().collect() }
    }
}

impl Signal {
    /// What fails is told to the directory's observer.
    fn maintain(&self, dir: &LogDir) {
        let clock = dir.clock();
        while !self.is_stopped() {
            let _told = dir.maintain(clock.now());
            self.pause(INTERVAL);
        }
    }

    /// Keeps as many threads as the settings say, which may change meanwhile.
    fn run_cleaners(&self, dir: &LogDir) {
        std::thread::scope(|scope| {
            let mut cleaners: Vec<ScopedJoinHandle<'_, ()>> = Vec::new();
            while !self.is_stopped() {
                cleaners.retain(|cleaner| !cleaner.is_finished());
                for number in cleaners.len()..dir.cleaner().threads {
                    let thread = std::thread::Builder::new().name("klamm-cleaner".into());
                    let started = thread.spawn_scoped(scope, move || self.clean(dir, number));
                    cleaners.extend(started);
                }
                self.pause(INTERVAL);
            }
        });
    }

    /// Cleans one log after the other, as long as there are more threads than `number`.
    fn clean(&self, dir: &LogDir, number: usize) {
        let clock = dir.clock();
        while !self.is_stopped() && number < dir.cleaner().threads {
            let begun = dir.start_cleaning(clock.now()).ok().flatten();
            let cleaned = begun.and_then(|cleaning| self.run(cleaning, dir).ok());
            // One that failed is tried again, but not at once.
            if cleaned.is_none() {
                self.wait(Instant::now(), || dir.cleaner().backoff);
            }
        }
    }

    /// Steps, and waits after each as long as it was too fast.
    fn run(&self, mut cleaning: Cleaning, dir: &LogDir) -> Result<(), LogError> {
        let (begun, mut moved) = (Instant::now(), 0);
        while !self.is_stopped() {
            match cleaning.step()? {
                Step::More(bytes) => moved += bytes,
                Step::Done(_) => return Ok(()),
            }
            self.wait(begun, || time_for(moved, dir.cleaner().of_one_thread().max_bytes_per_second));
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        *self.stop.lock()
    }

    /// Waits until so long after `begun`, which may change meanwhile, or until it has to stop.
    fn wait(&self, begun: Instant, time: impl Fn() -> Duration) {
        loop {
            let left = time().saturating_sub(begun.elapsed());
            if left.is_zero() || self.is_stopped() {
                return;
            }
            self.pause(left.min(INTERVAL));
        }
    }

    /// Waits that long, or until it has to stop.
    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut stop = self.stop.lock();
        while !*stop && !self.changed.wait_until(&mut stop, until).timed_out() {}
    }
}

/// How long so many bytes should take.
fn time_for(bytes: u64, per_second: Option<u64>) -> Duration {
    per_second.map_or(Duration::ZERO, |most| Duration::from_millis(bytes.saturating_mul(1000) / most.max(1)))
}

impl Drop for Background {
    fn drop(&mut self) {
        *self.signal.stop.lock() = true;
        self.signal.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

const INTERVAL: Duration = Duration::from_secs(1);
