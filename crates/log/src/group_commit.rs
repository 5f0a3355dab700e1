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
}

/// What a caller has to do.
enum Turn {
    Done,
    Run,
}

impl GroupCommit {
    pub(crate) fn new(synced: Offset) -> GroupCommit {
        GroupCommit { state: Mutex::new(State { synced, running: false }), changed: Condvar::new() }
    }

    pub(crate) fn synced(&self) -> Offset {
        self.state.lock().synced
    }

    /// After a truncation less is there, and so less is durable.
    pub(crate) fn lower(&self, end: Offset) {
        let mut state = self.state.lock();
        state.synced = state.synced.min(end);
    }

    /// Returns when all before `wanted` is durable. `sync` makes everything written so far durable and says up to where.
    pub(crate) fn wait<E>(&self, wanted: Offset, sync: impl Fn() -> Result<Offset, E>) -> Result<(), E> {
        while let Turn::Run = self.turn(wanted) {
            let done = sync();
            let mut state = self.state.lock();
            state.running = false;
            if let Ok(synced) = done {
                state.synced = state.synced.max(synced);
            }
            self.changed.notify_all();
            drop(state);
            done?;
        }
        Ok(())
    }

    fn turn(&self, wanted: Offset) -> Turn {
        let mut state = self.state.lock();
        while state.running && state.synced < wanted {
            self.changed.wait(&mut state);
        }
        if state.synced >= wanted {
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
    fn a_failed_sync_is_the_error_of_who_ran_it_and_covers_nothing() {
        let group = GroupCommit::new(Offset::ZERO);
        assert_eq!(group.wait(Offset::from(1), || Err("disk")), Err("disk"));
        assert_eq!(group.synced(), Offset::ZERO);
    }
}
