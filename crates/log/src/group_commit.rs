//! Group commit: one sync serves all who wait for it. The first who finds no sync under way runs it
//! for the others; those who come meanwhile wait for the next one, which covers all that was
//! written until it begins.
//!
//! Who is covered is woken, and one of the others, to run the next sync; the rest sleep on. A
//! condition variable would wake all of them, one after the other through its lock, which with 64
//! threads takes longer than the sync.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::Thread;

use klamm_types::Offset;
use parking_lot::Mutex;

#[derive(Debug)]
pub(crate) struct GroupCommit {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// All records before this offset are durable.
    synced: Offset,
    running: bool,
    /// Counts truncations: a sync that began before one says nothing about what was written after
    /// it.
    generation: u64,
    /// Invariant: none is covered.
    waiting: Vec<Waiter>,
}

/// A thread that sleeps until it is covered, or has to run a sync itself.
#[derive(Clone, Debug)]
struct Waiter {
    /// What it waits for; `None` wants to run a sync, whatever is durable.
    wanted: Option<Offset>,
    /// In which it began to wait.
    generation: u64,
    thread: Thread,
    /// [`ASLEEP`], [`COVERED`] or [`LEADS`].
    said: Arc<AtomicU8>,
}

/// What a caller has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Done,
    Run,
}

const ASLEEP: u8 = 0;
const COVERED: u8 = 1;
const LEADS: u8 = 2;

impl GroupCommit {
    pub(crate) fn new(synced: Offset) -> GroupCommit {
        let waiting = Vec::new();
        GroupCommit { state: Mutex::new(State { synced, running: false, generation: 0, waiting }) }
    }

    pub(crate) fn synced(&self) -> Offset {
        self.state.lock().synced
    }

    /// After a truncation less is there, and so less is durable.
    pub(crate) fn lower(&self, end: Offset) {
        let mut state = self.state.lock();
        state.synced = state.synced.min(end);
        state.generation += 1;
        let covered = state.take_covered();
        drop(state);
        covered.iter().for_each(|waiter| waiter.say(COVERED));
    }

    /// Returns when all before `wanted` is durable, or has been truncated. `sync` makes everything
    /// written so far durable and says up to where.
    pub(crate) fn wait<E>(&self, wanted: Offset, sync: impl Fn() -> Result<Offset, E>) -> Result<(), E> {
        let generation = self.state.lock().generation;
        while self.turn(Some(wanted), generation) == Turn::Run {
            // What lies beyond the log's end was truncated before the generation was taken.
            if self.run(generation, &sync)? < wanted {
                break;
            }
        }
        Ok(())
    }

    /// Runs `sync` whatever is durable already, when no other runs.
    pub(crate) fn run_once<E>(&self, sync: impl Fn() -> Result<Offset, E>) -> Result<(), E> {
        self.turn(None, 0);
        let generation = self.state.lock().generation;
        self.run(generation, &sync).map(drop)
    }

    /// Runs `sync` in the turn that the caller has, and returns what it said.
    fn run<E>(&self, generation: u64, sync: &impl Fn() -> Result<Offset, E>) -> Result<Offset, E> {
        let done = sync();
        let mut state = self.state.lock();
        match done {
            Ok(synced) if state.generation == generation => state.synced = state.synced.max(synced),
            _ => {}
        }
        let covered = state.take_covered();
        // The one that has waited longest, or it might wait for ever.
        let leader = (!state.waiting.is_empty()).then(|| state.waiting.remove(0));
        state.running = leader.is_some();
        drop(state);
        // The disk first.
        leader.iter().for_each(|waiter| waiter.say(LEADS));
        covered.iter().for_each(|waiter| waiter.say(COVERED));
        done
    }

    /// Waits until the caller is covered or has to run a sync.
    fn turn(&self, wanted: Option<Offset>, generation: u64) -> Turn {
        let mut state = self.state.lock();
        let (thread, said) = (std::thread::current(), Arc::new(AtomicU8::new(ASLEEP)));
        let waiter = Waiter { wanted, generation, thread, said };
        if state.covers(&waiter) {
            return Turn::Done;
        }
        if !state.running {
            state.running = true;
            return Turn::Run;
        }
        state.waiting.push(waiter.clone());
        drop(state);
        waiter.sleep()
    }
}

impl State {
    fn covers(&self, waiter: &Waiter) -> bool {
        waiter.wanted.is_some_and(|wanted| self.synced >= wanted || self.generation != waiter.generation)
    }

    fn take_covered(&mut self) -> Vec<Waiter> {
        let waiting = std::mem::take(&mut self.waiting);
        let (covered, others) = waiting.into_iter().partition(|waiter| self.covers(waiter));
        self.waiting = others;
        covered
    }
}

impl Waiter {
    fn say(&self, what: u8) {
        self.said.store(what, Ordering::Release);
        self.thread.unpark();
    }

    fn sleep(&self) -> Turn {
        loop {
            match self.said.load(Ordering::Acquire) {
                COVERED => return Turn::Done,
                LEADS => return Turn::Run,
                _ => std::thread::park(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn those_who_wait_while_a_sync_runs_share_the_next() {
        let (group, syncs) = (Arc::new(GroupCommit::new(Offset::ZERO)), Arc::new(AtomicU32::new(0)));
        let (entered, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                group.wait(Offset::from(1), || {
                    syncs.fetch_add(1, Ordering::SeqCst);
                    entered.wait();
                    go.wait();
                    Ok::<_, ()>(Offset::from(1))
                })
            });
            entered.wait();
            for wanted in 2..10 {
                let (group, syncs) = (&group, &syncs);
                scope.spawn(move || {
                    group.wait(Offset::from(wanted), || {
                        syncs.fetch_add(1, Ordering::SeqCst);
                        Ok::<_, ()>(Offset::from(10))
                    })
                });
            }
            go.wait();
        });
        assert_eq!((syncs.load(Ordering::SeqCst), group.synced()), (2, Offset::from(10)));
    }

    #[test]
    fn a_sync_that_a_truncation_overtook_proves_nothing_and_is_not_run_for_ever() {
        let group = GroupCommit::new(Offset::ZERO);
        let overtaken = || {
            group.lower(Offset::ZERO);
            Ok::<_, ()>(Offset::from(5))
        };
        assert_eq!(group.wait(Offset::from(5), overtaken), Ok(()));
        assert_eq!(group.synced(), Offset::ZERO);
    }

    #[test]
    fn once_is_run_whatever_is_durable_and_says_so_too() {
        let group = GroupCommit::new(Offset::from(5));
        assert_eq!(group.run_once(|| Ok::<_, ()>(Offset::from(3))), Ok(()));
        assert_eq!(group.synced(), Offset::from(5));
        assert_eq!(group.run_once(|| Err("disk")), Err("disk"));
        assert_eq!(group.run_once(|| Ok::<_, ()>(Offset::from(7))), Ok(()));
        assert_eq!(group.synced(), Offset::from(7));
    }

    #[test]
    fn a_failed_sync_is_the_error_of_who_ran_it_and_covers_nothing() {
        let group = GroupCommit::new(Offset::ZERO);
        assert_eq!(group.wait(Offset::from(1), || Err("disk")), Err("disk"));
        assert_eq!(group.synced(), Offset::ZERO);
    }
}
