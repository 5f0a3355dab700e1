use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::{LogDir, LogError};

/// A thread that calls [`LogDir::maintain`] once a second. It ends when this is dropped.
#[derive(Debug)]
pub struct Background {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    error: Option<LogError>,
}

impl LogDir {
    /// Begins to maintain the folder in the background: retention, syncs that settings ask for, checkpoints.
    #[must_use = "dropping it ends the thread"]
    pub fn start_background(&self) -> Background {
        let signal = Arc::new(Signal::default());
        let (dir, own) = (self.clone(), Arc::clone(&signal));
        let thread = std::thread::Builder::new().name("klamm-log".into()).spawn(move || own.run(&dir)).ok();
        Background { signal, thread }
    }
}

impl Background {
    /// The first error since this was last asked. A log that failed says so to whoever writes to it as well.
    #[must_use]
    pub fn take_error(&self) -> Option<LogError> {
        self.signal.state.lock().error.take()
    }
}

impl Signal {
    fn run(&self, dir: &LogDir) {
        let clock = dir.clock();
        let mut state = self.state.lock();
        while !state.stop {
            drop(state);
            let round = dir.maintain(clock.now());
            state = self.state.lock();
            if let Err(error) = round {
                state.error.get_or_insert(error);
            }
            if !state.stop {
                self.changed.wait_for(&mut state, INTERVAL);
            }
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signal.state.lock().stop = true;
        self.signal.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const INTERVAL: Duration = Duration::from_secs(1);
