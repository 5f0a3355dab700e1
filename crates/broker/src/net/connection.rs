//! One connection: a frame is read, answered and the answer sent before the next is read, so that
//! answers come in the order of their requests. Connections go on beside each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use klamm_protocol::{ApiKey, DecodeError, RequestHead};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::frame::{Frame, FrameReader};
use super::memory::{RequestMemory, Share};
use super::send::{Answers, send, share_of, unreserved};
use super::workers::{Lane, Workers};
use crate::handlers::{
    Answer, Delayed, Later, Outcome, PendingFetch, Round, Turn, fetch_again, footprint, handle,
    has_large_frame, lane, size_of_answer,
};
use crate::probe::Fault;
use crate::shared::Shared;
use crate::work::{MemoryPermit, Place, Running};

/// What a connection needs of its server.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) memory: RequestMemory,
    /// The same for answers.
    pub(crate) answers: RequestMemory,
    pub(crate) workers: Workers,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) peer: SocketAddr,
    /// For how long the request at hand has occupied threads.
    pub(crate) took: Duration,
}

/// Why a connection is closed before the other side asks for it.
#[derive(Debug)]
enum Ended {
    /// The other side does not wait for its answer.
    Gone,
    Because(String),
}

impl From<String> for Ended {
    fn from(reason: String) -> Ended {
        Ended::Because(reason)
    }
}

/// A request that was read.
#[derive(Debug)]
struct Received {
    head: RequestHead,
    /// `None` once it has been released.
    frame: Option<Frame>,
    /// Memory for decoding and answering it.
    share: Share,
}

impl Received {
    /// Frees the frame: the request waits, and what it still needs it has decoded.
    fn release(&mut self) {
        self.head = self.head.without_body();
        self.frame = None;
    }
}

impl Connection {
    /// Serves until the other side closes, is silent for too long, sends something wrong, or the
    /// broker stops.
    pub(crate) async fn run(mut self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let why = self.serve(&mut stream).await;
        match why {
            Ok(()) => tracing::debug!(peer = %self.peer, "connection closed"),
            Err(Ended::Gone) => tracing::debug!(peer = %self.peer, "connection closed before its answer"),
            Err(Ended::Because(reason)) => tracing::warn!(peer = %self.peer, "closed a connection: {reason}"),
        }
    }

    async fn serve(&mut self, stream: &mut TcpStream) -> Result<(), Ended> {
        let mut frames = FrameReader::new(self.memory.clone(), self.shared.config().max_request_bytes);
        let mut ready = Answers::default();
        let served = self.serve_frames(&mut frames, &mut ready, stream).await;
        // Those before the one that ended it.
        let flushed = self.flush(&mut ready, stream).await;
        served.and(flushed)
    }

    async fn serve_frames(
        &mut self,
        frames: &mut FrameReader,
        ready: &mut Answers,
        stream: &mut TcpStream,
    ) -> Result<(), Ended> {
        let mut busy = Duration::ZERO;
        loop {
            if busy > TURN {
                // The thread has other connections too.
                self.flush(ready, stream).await?;
                tokio::task::yield_now().await;
                busy = Duration::ZERO;
            }
            // Answers to appends that came together go together.
            if !frames.next_is(ApiKey::Produce) {
                self.flush(ready, stream).await?;
            }
            let Some(frame) = self.next_frame(frames, stream).await? else { return Ok(()) };
            let head = RequestHead::read(frame.bytes.clone())
                .map_err(|error| format!("request has no head: {error}"))?;
            let fault = self.shared.probe.came(&head);
            let share = self.memory_for(&head).await?;
            let mut request = Received { head, frame: Some(frame), share };
            let outcome = match fault {
                None => self.answer(&mut request, stream).await?,
                Some(fault) => self.answer_at_fault(&mut request, stream, fault).await?,
            };
            let head = &request.head;
            let took = std::mem::take(&mut self.took);
            busy += took;
            self.shared.metrics.answered(head.api_key, head.version, took);
            let wait = self.shared.wait_after(head, took);
            // Its memory is for others from here on: an answer may take as long as its reader
            // likes.
            drop(request);
            match outcome {
                Outcome::Answer(answer) => {
                    if let Some(answer) = ready.add(answer) {
                        self.flush(ready, stream).await?;
                        self.send(answer, stream).await?;
                    }
                }
                Outcome::Close(reason) => return Err(reason.into()),
                Outcome::Gone => return Ok(()),
                Outcome::Silence
                | Outcome::Wait(_)
                | Outcome::Later(_)
                | Outcome::Sliced(_)
                | Outcome::Blocks => {}
            }
            if !wait.is_zero() {
                self.flush(ready, stream).await?;
                self.mute(wait, stream).await;
            }
        }
    }

    async fn flush(&mut self, ready: &mut Answers, stream: &mut TcpStream) -> Result<(), Ended> {
        match ready.take() {
            Some(answer) => self.send(answer, stream).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, answer: Answer, stream: &mut TcpStream) -> Result<(), Ended> {
        let sent = send(stream, answer, &self.answers, self.shared.config().max_idle).await;
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ended::Gone,
            _ => Ended::Because(format!("cannot answer: {error}")),
        })
    }

    /// Reads nothing for so long: the client has used more than its quotas (KIP-219).
    async fn mute(&mut self, time: Duration, stream: &TcpStream) {
        if !time.is_zero() {
            self.pause(&Notify::new(), Instant::now() + time, stream).await;
        }
    }

    /// `None` when there is none to come.
    async fn next_frame(
        &mut self,
        frames: &mut FrameReader,
        stream: &mut TcpStream,
    ) -> Result<Option<Frame>, String> {
        let idle = self.shared.config().max_idle;
        tokio::select! {
            frame = frames.next(stream, idle) => frame.map_err(|error| error.to_string()),
            _ = self.stopping.wait_for(|stopping| *stopping) => Ok(None),
        }
    }

    async fn answer(&mut self, request: &mut Received, stream: &TcpStream) -> Result<Outcome, String> {
        let outcome = self.work(request).await?;
        match self.finish(outcome, &mut request.share, stream).await? {
            Outcome::Wait(delayed) => {
                request.release();
                self.wait(delayed, request, stream).await
            }
            Outcome::Later(later) => {
                request.release();
                request.share = Share::default();
                self.wait_for_others(later, stream).await
            }
            outcome => Ok(outcome),
        }
    }

    /// As a test wants it.
    async fn answer_at_fault(
        &mut self,
        request: &mut Received,
        stream: &TcpStream,
        fault: Fault,
    ) -> Result<Outcome, String> {
        let mut own = self.clone();
        match fault {
            Fault::Close => return Ok(Outcome::Close("a test asked for it".to_owned())),
            Fault::Delay(time) => own.mute(time, stream).await,
            Fault::Error(error) => own.shared = Arc::new(self.shared.with_fault(error)),
            Fault::LoseAnswer => {
                own.answer(request, stream).await?;
                return Ok(Outcome::Close("a test asked for it, after the request".to_owned()));
            }
        }
        own.answer(request, stream).await
    }

    /// Memory for decoding and answering a request. It is taken at once, before anything is
    /// decoded.
    async fn memory_for(&self, head: &RequestHead) -> Result<Share, String> {
        let api = ApiKey::from_code(head.api_key).map_or("API", ApiKey::name);
        let named = |error: &dyn std::fmt::Display| format!("{api} version {}: {error}", head.version);
        let bytes =
            self.measure(head).await?.map_err(|error| named(&format!("request cannot be read: {error}")))?;
        if bytes == 0 {
            return Ok(Share::default());
        }
        self.answers.take_whole(bytes).await.map_err(|error| named(&error))
    }

    /// Bytes of memory for decoding and answering a request. A large frame is read on a worker
    /// thread.
    async fn measure(&self, head: &RequestHead) -> Result<Result<usize, DecodeError>, String> {
        if !has_large_frame(head) {
            self.shared.work.measured(head.body.len());
            return Ok(footprint(head));
        }
        let head = head.clone();
        let mut stopping = self.stopping.clone();
        let measured = tokio::select! {
            measured = self.workers.run(Lane::Large, move || footprint(&head)) => measured,
            _ = stopping.wait_for(|stopping| *stopping) => return Err("the broker stops".to_owned()),
        };
        measured.map(|(bytes, _)| bytes).ok_or_else(|| "the request could not be measured".to_owned())
    }

    async fn work(&mut self, request: &mut Received) -> Result<Outcome, String> {
        let Received { head, share, .. } = request;
        let (mut lane, round) = (lane(head.api_key), Round::MayWait);
        if lane != Lane::Command && has_large_frame(head) {
            lane = Lane::Large;
        }
        if lane == Lane::Network {
            let turn = Turn { round, may_block: false, peer: self.peer.ip() };
            let done = Workers::run_here(|| timed(&self.shared, head, turn));
            match self.note(done, share).await? {
                Outcome::Blocks => {}
                outcome => return Ok(outcome),
            }
        }
        let (shared, head) = (Arc::clone(&self.shared), head.clone());
        let turn = Turn { round, may_block: true, peer: self.peer.ip() };
        let done = self.workers.run(lane, move || timed(&shared, &head, turn)).await;
        // The place is kept until the answer's memory is counted: there are no more uncounted ones
        // than places.
        let (done, _place) = done.unzip();
        self.note(done, share).await
    }

    async fn note(
        &mut self,
        done: Option<(Outcome, Duration)>,
        share: &mut Share,
    ) -> Result<Outcome, String> {
        let (outcome, took) = done.ok_or_else(|| "the request could not be answered".to_owned())?;
        self.took += took;
        self.count(outcome, share).await
    }

    /// Counts the memory of the response, if it is large, out of that of the request.
    async fn count(&self, mut outcome: Outcome, share: &mut Share) -> Result<Outcome, String> {
        if let Outcome::Answer(answer) = &mut outcome {
            let share = std::mem::take(share);
            self.shared.work.unreserved(unreserved(answer, &share));
            answer.share = share_of(answer, share, &self.answers).await.map_err(|error| error.to_string())?;
        }
        Ok(outcome)
    }

    /// Runs the slices that are left of a request on worker threads. It is cancelled when its
    /// client disconnects, and a large one when the broker stops.
    async fn finish(
        &mut self,
        mut outcome: Outcome,
        share: &mut Share,
        stream: &TcpStream,
    ) -> Result<Outcome, String> {
        let mut stopping = self.stopping.clone();
        while let Outcome::Sliced(running) = outcome {
            let is_large = running.is_large();
            outcome = tokio::select! {
                outcome = self.slice(running, share) => outcome?,
                () = disconnected(stream), if is_large => Outcome::Gone,
                _ = stopping.wait_for(|stopping| *stopping), if is_large => Outcome::Gone,
            };
        }
        Ok(outcome)
    }

    async fn slice(&mut self, running: Box<Running<Outcome>>, share: &mut Share) -> Result<Outcome, String> {
        let granted = match running.take_wanted() {
            Some(bytes) => self.shared.work.memory(bytes).await,
            None => None,
        };
        if let Some(bytes) = running.take_response() {
            self.reserve(bytes, share).await?;
            if running.fits_network() {
                let done = Workers::run_here(|| timed_slice(running, Place::Network, granted));
                return self.note(done, share).await;
            }
        }
        let lane = if running.is_large() { Lane::Large } else { Lane::Io };
        let slice = move || timed_slice(running, Place::Worker, granted);
        let (done, _place) = self.workers.run(lane, slice).await.unzip();
        self.note(done, share).await
    }

    /// Takes memory for a response that is not built yet, beside what the request has.
    async fn reserve(&self, bytes: usize, share: &mut Share) -> Result<(), String> {
        let more = self.answers.take_beside(bytes, share).await.map_err(|error| error.to_string())?;
        share.merge(more);
        self.shared.work.reserved(bytes);
        Ok(())
    }

    /// Until those have come that the answer depends on. They are not waited for when the broker
    /// stops.
    async fn wait_for_others(&mut self, later: Later, stream: &TcpStream) -> Result<Outcome, String> {
        let told = tokio::select! {
            told = later.told => told.ok(),
            _ = self.stopping.wait_for(|stopping| *stopping) => None,
            () = gone(stream) => None,
        };
        let Some(told) = told else { return Ok(Outcome::Gone) };
        let (mut share, bytes) = (Share::default(), size_of_answer(&told));
        if bytes > 0 {
            self.reserve(bytes, &mut share).await?;
        }
        let outcome = (later.respond)(told).map_err(|error| error.to_string())?;
        self.count(outcome, &mut share).await
    }

    /// Attempts the fetch again whenever one of its partitions has grown, and for the last time at
    /// the deadline, or when others wait for the memory that it has.
    async fn wait(
        &mut self,
        mut delayed: Delayed,
        request: &mut Received,
        stream: &TcpStream,
    ) -> Result<Outcome, String> {
        let deadline = Instant::now() + delayed.max_wait.min(LONGEST_WAIT);
        let (waiter, answers) = (Arc::new(Notify::new()), self.answers.clone());
        loop {
            let (shared, partitions) = (Arc::clone(&self.shared), delayed.partitions);
            let _watch = shared.purgatory.watch(&partitions, &waiter);
            // A partition may have grown before it was watched, and may grow with each look: the
            // thread has other connections too.
            tokio::task::yield_now().await;
            delayed = match self.attempt(delayed.fetch, Round::MayWait, request, stream).await? {
                Outcome::Wait(delayed) => delayed,
                outcome => return Ok(outcome),
            };
            let waited = tokio::select! {
                waited = self.pause(&waiter, deadline, stream) => waited,
                () = answers.is_wanted(), if request.share.bytes() > 0 => Waited::TimeUp,
            };
            match waited {
                Waited::Grown => {}
                Waited::TimeUp => return self.attempt(delayed.fetch, Round::Last, request, stream).await,
                Waited::Gone => return Ok(Outcome::Gone),
            }
        }
    }

    /// Attempts a decoded fetch again.
    async fn attempt(
        &mut self,
        fetch: Box<PendingFetch>,
        round: Round,
        request: &mut Received,
        stream: &TcpStream,
    ) -> Result<Outcome, String> {
        let Received { head, share, .. } = request;
        let turn = Turn { round, may_block: false, peer: self.peer.ip() };
        let begun = std::time::Instant::now();
        let shared = Arc::clone(&self.shared);
        let done = Workers::run_here(|| {
            let outcome = first_slice(fetch_again(&shared, head, turn, fetch), turn);
            (outcome, begun.elapsed())
        });
        let outcome = self.note(done, share).await?;
        self.finish(outcome, share, stream).await
    }

    async fn pause(&mut self, waiter: &Notify, deadline: Instant, stream: &TcpStream) -> Waited {
        tokio::select! {
            () = waiter.notified() => Waited::Grown,
            () = tokio::time::sleep_until(deadline) => Waited::TimeUp,
            _ = self.stopping.wait_for(|stopping| *stopping) => Waited::TimeUp,
            () = gone(stream) => Waited::Gone,
        }
    }
}

/// The outcome of a request, or of its first slice.
fn timed(shared: &Arc<Shared>, head: &RequestHead, turn: Turn) -> (Outcome, Duration) {
    let begun = std::time::Instant::now();
    (first_slice(handle(shared, head, turn), turn), begun.elapsed())
}

/// The outcome of the first slice, where a request runs in slices.
fn first_slice(outcome: Outcome, turn: Turn) -> Outcome {
    match outcome {
        Outcome::Sliced(running) => sliced(running, turn.place(), None),
        outcome => outcome,
    }
}

/// The outcome of one slice, and how long it took.
fn timed_slice(
    running: Box<Running<Outcome>>,
    place: Place,
    granted: Option<MemoryPermit>,
) -> (Outcome, Duration) {
    let begun = std::time::Instant::now();
    (sliced(running, place, granted), begun.elapsed())
}

/// The outcome of one slice.
fn sliced(mut running: Box<Running<Outcome>>, place: Place, granted: Option<MemoryPermit>) -> Outcome {
    match running.slice(place, granted) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Outcome::Sliced(running),
    }
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waited {
    /// A partition has grown.
    Grown,
    /// There is no more time, or the broker stops.
    TimeUp,
    /// The other side has closed.
    Gone,
}

/// Resolves when the other side has closed; never once it has sent more, which then is read later.
async fn gone(stream: &TcpStream) {
    match stream.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

/// Resolves when the other side has closed, even if it had sent more before.
async fn disconnected(stream: &TcpStream) {
    match stream.ready(Interest::READABLE).await {
        Ok(ready) if !ready.is_read_closed() => std::future::pending().await,
        Ok(_) | Err(_) => {}
    }
}

/// For how long a connection has its thread when others may want it.
const TURN: Duration = Duration::from_millis(1);
/// A client may ask to wait for weeks; nobody is kept longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
