//! Bounds the work of one request by what the request becomes, not by its bytes on the wire.
//!
//! A handler counts each item that it works on and each byte that it decompresses. When a slice is
//! used up (`request.slice.items`, `request.slice.bytes`) the handler yields: the first slice runs
//! on the network thread that read the request, all others run on worker threads
//! (`num.io.threads`). Between two slices other requests have their turn, and the request is
//! cancelled when its client has disconnected or the broker stops.
//!
//! ```text
//!  network thread        worker thread        worker thread
//!  [slice]  -- yields --> [slice]  -- yields --> [slice] --> response
//! ```

mod figures;
mod running;

use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;

use crate::BrokerConfig;

pub use figures::WorkFigures;
pub(crate) use figures::{Counters, MemoryPermit};
pub(crate) use running::Running;

/// The thread that a slice runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A network thread: it must not wait for a disk, and has other connections.
    Network,
    /// A worker thread.
    Worker,
}

/// The budget of one request. Its clones are the same budget: the handler spends it, the connection
/// renews it.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    slice: Arc<Mutex<Slice>>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Slice {
    place: Place,
    /// Items and bytes of a whole slice.
    items: usize,
    bytes: usize,
    spent_items: usize,
    spent_bytes: usize,
    /// Whether a slice was used up, or the next step needs more than one.
    is_large: bool,
    /// Decompression memory in bytes that the handler needs before it can go on.
    wanted: Option<usize>,
    granted: Option<MemoryPermit>,
    /// Memory in bytes that building the response takes.
    response: Option<usize>,
}

impl Work {
    pub(crate) fn new(config: &BrokerConfig, counters: &Arc<Counters>, place: Place) -> Work {
        let slice = Slice {
            place,
            items: config.slice_items.max(1),
            bytes: config.slice_bytes.max(1),
            spent_items: 0,
            spent_bytes: 0,
            is_large: false,
            wanted: None,
            granted: None,
            response: None,
        };
        Work { slice: Arc::new(Mutex::new(slice)), counters: Arc::clone(counters) }
    }

    /// Counts one item, and yields when the slice is used up.
    pub(crate) async fn item(&self) {
        self.items(1).await;
    }

    /// Counts items, and yields when the slice is used up.
    pub(crate) async fn items(&self, count: usize) {
        if self.spend(count, 0) {
            yield_once().await;
        }
    }

    /// Counts bytes that were decompressed or walked, and yields when the slice is used up.
    pub(crate) async fn bytes(&self, count: usize) {
        if self.spend(0, count) {
            yield_once().await;
        }
    }

    /// Returns at once if so many items fit into one slice, otherwise in a new slice on a worker
    /// thread.
    pub(crate) async fn expect_items(&self, count: usize) {
        if count > self.slice.lock().items {
            self.slice.lock().is_large = true;
            yield_once().await;
            self.worker().await;
        }
    }

    /// Begins a pass over items that each take much less time than an item that is counted.
    pub(crate) fn pass(&self) -> Pass<'_> {
        let most = self.slice.lock().items;
        Pass { work: self, most, left: most }
    }

    /// Returns on a worker thread, where the handler may wait for a disk.
    pub(crate) async fn worker(&self) {
        while self.is_on_network() {
            yield_once().await;
        }
    }

    /// Takes memory for the output of a decompression. A need of at most one slice is met at once.
    /// For more the handler waits until others have returned theirs (`decompression.memory.bytes`).
    pub(crate) async fn memory(&self, bytes: usize) -> Option<MemoryPermit> {
        if !self.want(bytes) {
            return None;
        }
        yield_once().await;
        self.slice.lock().granted.take()
    }

    /// Takes the memory for a response of this size before it is built: what a response takes can
    /// grow with the state of the broker. The handler waits until the memory is free
    /// (`queued.max.request.bytes`); the request keeps it until the response is sent. A small
    /// response is covered by the connection's own allowance.
    pub(crate) async fn reserve(&self, bytes: usize) {
        if bytes > SMALL_RESPONSE {
            self.slice.lock().want_response(bytes);
            yield_once().await;
        }
    }

    pub(crate) fn is_on_network(&self) -> bool {
        self.slice.lock().place == Place::Network
    }

    /// The bytes of a whole slice.
    pub(crate) fn slice_bytes(&self) -> usize {
        self.slice.lock().bytes
    }

    /// The bytes that are left of this slice.
    pub(crate) fn bytes_left(&self) -> usize {
        let slice = self.slice.lock();
        slice.bytes.saturating_sub(slice.spent_bytes)
    }

    /// Notes what was spent; says whether the slice is used up.
    fn spend(&self, items: usize, bytes: usize) -> bool {
        let mut slice = self.slice.lock();
        slice.spent_items += items;
        slice.spent_bytes += bytes;
        let is_used_up = slice.spent_items >= slice.items || slice.spent_bytes >= slice.bytes;
        slice.is_large |= is_used_up;
        is_used_up
    }

    /// Asks for decompression memory before the next slice; says whether so much has to be asked
    /// for.
    fn want(&self, bytes: usize) -> bool {
        let mut slice = self.slice.lock();
        let is_more = bytes > slice.bytes;
        if is_more {
            (slice.is_large, slice.wanted) = (true, Some(bytes));
        }
        is_more
    }

    fn is_large(&self) -> bool {
        self.slice.lock().is_large
    }

    fn begin(&self, place: Place, granted: Option<MemoryPermit>) {
        let mut slice = self.slice.lock();
        (slice.place, slice.granted) = (place, granted);
        (slice.spent_items, slice.spent_bytes) = (0, 0);
    }

    fn end(&self) {
        let slice = self.slice.lock();
        self.counters.slice(slice.place, slice.spent_items, slice.spent_bytes);
    }

    fn take_wanted(&self) -> Option<usize> {
        self.slice.lock().wanted.take()
    }

    fn take_response(&self) -> Option<usize> {
        self.slice.lock().response.take()
    }
}

impl Slice {
    fn want_response(&mut self, bytes: usize) {
        self.is_large |= bytes > self.bytes;
        self.response = Some(bytes);
    }
}

/// A pass over items. It yields after as many as a slice has; the items of a pass with fewer are
/// not counted.
pub(crate) struct Pass<'a> {
    work: &'a Work,
    most: usize,
    left: usize,
}

impl Pass<'_> {
    /// Goes on to the next item.
    pub(crate) async fn next(&mut self) {
        if self.left == 0 {
            self.work.items(self.most).await;
            self.left = self.most;
        }
        self.left -= 1;
    }
}

/// Bytes of a response that are not counted.
pub(crate) const SMALL_RESPONSE: usize = 16 << 10;

/// Is pending once: the future ends its slice here.
async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests;
