//! Counters of the work of requests.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Place;

/// What the requests of a broker have become, since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct WorkFigures {
    /// Items that were worked on: partitions, groups, resources.
    pub items: u64,
    /// Bytes of records that were decompressed or walked.
    pub bytes: u64,
    /// The most items of one slice.
    pub most_items: usize,
    /// The most bytes of a request that a network thread read to find out how much memory decoding
    /// takes.
    pub most_network_measured: usize,
    /// The most items of one slice on a network thread.
    pub most_network_items: usize,
    /// The most bytes of one slice on a network thread.
    pub most_network_bytes: usize,
    /// Slices that ran on worker threads.
    pub worker_slices: u64,
    /// Requests that took more than one slice and are not finished.
    pub unfinished: usize,
    /// Requests that took more than one slice and were finished.
    pub finished: u64,
    /// Requests that were cancelled between two slices.
    pub cancelled: u64,
    /// Bytes of decompression memory that are held (`decompression.memory.bytes`).
    pub memory: usize,
    /// The most bytes of decompression memory that were held at a time.
    pub most_memory: usize,
    /// How often decompression memory was taken.
    pub memory_taken: u64,
    /// Bytes of memory that were taken for responses before they were built
    /// (`queued.max.request.bytes`).
    pub reserved: u64,
    /// The most bytes of a response beyond the memory that its request had taken when it was built.
    pub most_unreserved: usize,
}

/// Counts [`WorkFigures`], and grants decompression memory.
#[derive(Debug)]
pub(crate) struct Counters {
    figures: Arc<Mutex<WorkFigures>>,
    memory: Arc<Semaphore>,
    /// KiB of all decompression memory.
    most: u32,
}

/// Decompression memory, returned when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryPermit {
    permit: OwnedSemaphorePermit,
    figures: Arc<Mutex<WorkFigures>>,
}

impl Counters {
    /// With so many bytes of decompression memory.
    pub(crate) fn new(memory: usize) -> Counters {
        let most = u32::try_from(memory.div_ceil(UNIT).min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let memory = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS)));
        Counters { figures: Arc::default(), memory, most }
    }

    /// Waits for so many bytes of decompression memory, or for all there is if that is less.
    pub(crate) async fn memory(&self, bytes: usize) -> Option<MemoryPermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.most);
        let permit = Arc::clone(&self.memory).acquire_many_owned(units).await.ok()?;
        let mut figures = self.figures.lock();
        figures.memory_taken += 1;
        figures.memory += permit.num_permits() * UNIT;
        figures.most_memory = figures.most_memory.max(figures.memory);
        drop(figures);
        Some(MemoryPermit { permit, figures: Arc::clone(&self.figures) })
    }

    /// Notes that memory for a response was taken before it is built.
    pub(crate) fn reserved(&self, bytes: usize) {
        self.figures.lock().reserved += bytes as u64;
    }

    /// Notes that a response was built that is so much larger than the memory that its request had
    /// taken.
    pub(crate) fn unreserved(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut figures = self.figures.lock();
        figures.most_unreserved = figures.most_unreserved.max(bytes);
    }

    pub(crate) fn figures(&self) -> WorkFigures {
        *self.figures.lock()
    }

    pub(super) fn slice(&self, place: Place, items: usize, bytes: usize) {
        let mut figures = self.figures.lock();
        figures.items += items as u64;
        figures.bytes += bytes as u64;
        figures.most_items = figures.most_items.max(items);
        match place {
            Place::Network => {
                figures.most_network_items = figures.most_network_items.max(items);
                figures.most_network_bytes = figures.most_network_bytes.max(bytes);
            }
            Place::Worker => figures.worker_slices += 1,
        }
    }

    /// Notes that a network thread measured a request with so many bytes.
    pub(crate) fn measured(&self, bytes: usize) {
        let mut figures = self.figures.lock();
        figures.most_network_measured = figures.most_network_measured.max(bytes);
    }

    pub(super) fn begun(&self) {
        self.figures.lock().unfinished += 1;
    }

    pub(super) fn ended(&self, is_done: bool) {
        let mut figures = self.figures.lock();
        figures.unfinished -= 1;
        if is_done {
            figures.finished += 1;
        } else {
            figures.cancelled += 1;
        }
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.figures.lock().memory -= self.permit.num_permits() * UNIT;
    }
}

/// Bytes of a permit.
const UNIT: usize = 1024;
