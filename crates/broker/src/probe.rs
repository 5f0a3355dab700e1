//! What a test asks of a broker that runs: faults for requests to come, and which came. Off unless
//! a test turns it on.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::{ApiKey, ErrorCode, RequestHead};
use parking_lot::Mutex;

/// What happens to a request instead of what should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It is answered with this error, and has no effect.
    Error(ErrorCode),
    /// It is answered so much later.
    Delay(Duration),
    /// The connection is closed before it has an effect.
    Close,
    /// It has its effect, but the connection is closed instead of an answer.
    LoseAnswer,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    faults: HashMap<i16, VecDeque<Fault>>,
    came: VecDeque<RequestHead>,
    /// Of their bodies.
    bytes: usize,
}

/// Requests that are remembered; older ones are forgotten.
const REMEMBERED: usize = 10_000;
const REMEMBERED_BYTES: usize = 256 << 20;

impl Probe {
    pub(crate) fn on() -> Probe {
        Probe(Some(Arc::default()))
    }

    /// Notes a request, and says what is to happen to it.
    pub(crate) fn came(&self, head: &RequestHead) -> Option<Fault> {
        let mut state = self.0.as_ref()?.lock();
        state.bytes += head.body.len();
        state.came.push_back(head.clone());
        while state.came.len() > REMEMBERED || state.bytes > REMEMBERED_BYTES {
            let Some(gone) = state.came.pop_front() else { break };
            state.bytes -= gone.body.len();
        }
        state.faults.get_mut(&head.api_key)?.pop_front()
    }

    pub(crate) fn add(&self, api: ApiKey, fault: Fault) {
        if let Some(state) = &self.0 {
            state.lock().faults.entry(api.code()).or_default().push_back(fault);
        }
    }

    pub(crate) fn requests(&self) -> Vec<RequestHead> {
        self.0.as_ref().map(|state| state.lock().came.iter().cloned().collect()).unwrap_or_default()
    }
}
