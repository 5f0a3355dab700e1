//! The thread that sees to what is due: sessions that end, rounds whose time is up, offsets that
//! expire.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::Groups;

/// When the thread is to look next.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// For when it waits; `None` while it looks.
    set: Option<Instant>,
    rung: bool,
    stopped: bool,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct GroupThread {
    alarm: Arc<Alarm>,
    thread: Option<JoinHandle<()>>,
}

impl Alarm {
    /// Has the thread look at `at` at the latest.
    pub(super) fn set(&self, at: Instant) {
        if self.state.lock().set.is_none_or(|set| at < set) {
            self.ring();
        }
    }

    /// Has it look now.
    pub(super) fn ring(&self) {
        self.state.lock().rung = true;
        self.changed.notify_all();
    }

    /// Waits until `at`, or until it rings; whether it goes on.
    fn wait(&self, at: Instant) -> bool {
        let mut state = self.state.lock();
        state.set = Some(at);
        while !state.stopped && !state.rung && !self.changed.wait_until(&mut state, at).timed_out() {}
        state.rung = false;
        state.set = None;
        !state.stopped
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

impl GroupThread {
    pub(crate) fn start(groups: &Arc<Groups>) -> io::Result<GroupThread> {
        let (alarm, groups) = (Arc::clone(&groups.alarm), Arc::clone(groups));
        let thread = std::thread::Builder::new().name("klamm-groups".into()).spawn(move || run(&groups))?;
        Ok(GroupThread { alarm, thread: Some(thread) })
    }
}

fn run(groups: &Arc<Groups>) {
    let mut expires = Instant::now() + groups.retention_interval();
    loop {
        let due = groups.on_time().map(|moment| groups.began + moment.passed());
        if !groups.alarm.wait(due.map_or(expires, |due| due.min(expires))) {
            return;
        }
        if Instant::now() >= expires {
            groups.expire();
            expires = Instant::now() + groups.retention_interval();
        }
    }
}

impl Drop for GroupThread {
    fn drop(&mut self) {
        self.alarm.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
