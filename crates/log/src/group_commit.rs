//! Group commit: one sync serves all who wait for it. The first who finds no sync under way runs it for the others; those
//! who come meanwhile wait for the next one, which covers all that was written until it begins.

use klamm_types::Offset;
use parking_lot::{Condvar, Mutex};

#[derive(Debug)]
pub(crate) struct GroupCommit {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// All records before this offset are durable.
    synced: Offset,
    running: bool,
    /// Counts truncations: a sync that began before one says nothing about what was written after it.
    generation: u64,
}

/// What a caller has to do.
enum Turn {
    Done,
    Run,
}

impl GroupCommit {
    pub(crate) fn new(synced: Offset) -> GroupCommit {
        GroupCommit {
            state: Mutex::new(State { synced, running: false, generation: 0 }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn synced(&self) -> Offset {
        self.state.lock().synced
    }

    /// After a truncation less is there, and so less is durable.
    pub(crate) fn lower(&self, end: Offset) {
        let mut state = self.state.lock();
        state.synced = state.synced.min(end);
        state.generation += 1;
        self.changed.notify_all();
    }

    /// Returns when all before `wanted` is durable, or has been truncated. `sync` makes everything written so far durable
    /// and says up to where.
    pub(crate) fn wait<E>(&self, wanted: Offset, sync: impl Fn() -> Result<Offset, E>) -> Result<(), E> {
        let generation = self.state.lock().generation;
        while let Turn::Run = self.turn(wanted, generation) {
            self.run(generation, &sync)?;
        }
        Ok(())
    }

    /// Runs `sync` whatever is durable already, when no other runs.
    pub(crate) fn run_once<E>(&self, sync: impl Fn() -> Result<Offset, E>) -> Result<(), E> {
        let mut state = self.state.lock();
        while state.running {
            self.changed.wait(&mut state);
        }
        state.running = true;
        let generation = state.generation;
        drop(state);
        self.run(generation, &sync)
    }

    /// Runs `sync` in the turn that the caller has.
    fn run<E>(&self, generation: u64, sync: &impl Fn() -> Result<Offset, E>) -> Result<(), E> {
        let done = sync();
        let mut state = self.state.lock();
        state.running = false;
        match done {
            Ok(synced) if state.generation == generation => state.synced = state.synced.max(synced),
            _ => {}
        }
        self.changed.notify_all();
        drop(state);
        done.map(drop)
    }

    fn turn(&self, wanted: Offset, generation: u64) -> Turn {
        let mut state = self.state.lock();
        let is_done = |state: &State| state.synced >= wanted || state.generation != generation;
        while state.running && !is_done(&state) {
            self.changed.wait(&mut state);
        }
        if is_done(&state) {
            return Turn::Done;
        }
        state.running = true;
        Turn::Run
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
