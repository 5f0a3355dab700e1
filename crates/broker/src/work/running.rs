//! A request that is worked on in slices.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Counters, MemoryPermit, Place, Work};

/// A request whose handler works in slices. Dropping it cancels what is left.
pub(crate) struct Running<T> {
    handler: Pin<Box<dyn Future<Output = T> + Send>>,
    work: Work,
    counters: Arc<Counters>,
    /// Whether it is counted as unfinished.
    is_counted: bool,
    is_done: bool,
}

impl<T> Running<T> {
    /// `handler` spends `work`. It must wait for nothing but `work`.
    pub(crate) fn new(work: Work, handler: impl Future<Output = T> + Send + 'static) -> Running<T> {
        let counters = Arc::clone(&work.counters);
        Running { handler: Box::pin(handler), work, counters, is_counted: false, is_done: false }
    }

    /// Runs one slice.
    pub(crate) fn slice(&mut self, place: Place, granted: Option<MemoryPermit>) -> Poll<T> {
        self.work.begin(place, granted);
        let polled = self.handler.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.work.end();
        match &polled {
            Poll::Ready(_) => self.is_done = true,
            Poll::Pending if self.is_large() && !self.is_counted => {
                self.is_counted = true;
                self.counters.begun();
            }
            Poll::Pending => {}
        }
        polled
    }

    /// Whether it has used up a slice, or needs more than one.
    pub(crate) fn is_large(&self) -> bool {
        self.work.is_large()
    }

    /// Decompression memory in bytes that the next slice needs.
    pub(crate) fn take_wanted(&self) -> Option<usize> {
        self.work.take_wanted()
    }

    /// Whether it has run on a network thread alone and may go on there: its next step is no more
    /// than a slice.
    pub(crate) fn fits_network(&self) -> bool {
        self.work.is_on_network() && !self.is_large()
    }

    /// Memory in bytes that the response takes, which the next slice builds.
    pub(crate) fn take_response(&self) -> Option<usize> {
        self.work.take_response()
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if self.is_counted {
            self.counters.ended(self.is_done);
        }
    }
}

impl<T> std::fmt::Debug for Running<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("work", &self.work).finish_non_exhaustive()
    }
}
