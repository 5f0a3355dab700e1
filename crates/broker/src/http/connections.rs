//! The HTTP connections there are. When there are too many, the oldest one gives way that waits for
//! a request or has had a response, so that whoever opens connections and leaves them, or sends
//! requests without end, keeps nobody out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// Whether the first request of a connection is being answered.
#[derive(Clone, Default)]
pub(super) struct Busy(Arc<AtomicU8>);

const WAITS: u8 = 0;
const FIRST: u8 = 1;
const LATER: u8 = 2;

impl Busy {
    /// A request has come.
    pub(super) fn begin(&self) {
        let _later = self.0.compare_exchange(WAITS, FIRST, Ordering::AcqRel, Ordering::Acquire);
    }

    /// A request has been answered, whether the response is read or not.
    pub(super) fn end(&self) {
        self.0.store(LATER, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) == FIRST
    }
}

impl Connections {
    /// Whether there is room for another connection; the oldest whose first request is not being
    /// answered is closed for it.
    pub(super) fn make_room(&mut self) -> bool {
        self.0.retain(|connection| !connection.task.is_finished());
        if self.0.len() < MOST {
            return true;
        }
        let Some(oldest) = self.0.iter().position(|c| !c.busy.is_set()) else {
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
