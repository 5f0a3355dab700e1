//! The HTTP connections there are. A connection that asks for nothing gives way when there are too many, so that whoever
//! opens connections and leaves them keeps nobody out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// Connections at a time; an operator needs few.
const MOST: usize = 32;

/// The connections, oldest first.
#[derive(Default)]
pub(super) struct Connections(VecDeque<Connection>);

struct Connection {
    task: AbortHandle,
    busy: Busy,
}

/// Whether a request of a connection is being answered.
#[derive(Clone, Default)]
pub(super) struct Busy(Arc<AtomicBool>);

impl Busy {
    pub(super) fn set(&self, is_busy: bool) {
        self.0.store(is_busy, Ordering::Release);
    }
}

impl Connections {
    /// Whether there is room for another connection; the oldest that waits for a request is closed for it.
    pub(super) fn make_room(&mut self) -> bool {
        self.0.retain(|connection| !connection.task.is_finished());
        if self.0.len() < MOST {
            return true;
        }
        let Some(oldest) = self.0.iter().position(|c| !c.busy.0.load(Ordering::Acquire)) else {
            return false;
        };
        if let Some(closed) = self.0.remove(oldest) {
            closed.task.abort();
        }
        true
    }

    pub(super) fn add(&mut self, task: AbortHandle, busy: Busy) {
        self.0.push_back(Connection { task, busy });
    }
}
