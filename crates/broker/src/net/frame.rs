//! Reading request frames: four bytes of length, then the request. A busy connection has a buffer that takes a whole frame, or what
//! there is of several, in one call; one that is silent has none.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::ApiKey;
use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::buffer::Buffer;
use super::memory::{OutOfMemory, RequestMemory, Share, patience};

/// Reads the frames of one connection.
#[derive(Debug)]
pub(crate) struct FrameReader {
    memory: RequestMemory,
    max_frame: usize,
    /// Whole frames that have come and are not taken yet, each with its length, and their share of the memory.
    whole: (Bytes, Arc<Share>),
    /// What has come behind them.
    buffer: Buffer,
    /// Memory of the buffer beyond what is the connection's own. Invariant: with that at least as much as there is in the buffer.
    share: Share,
    /// Bytes that come at a time: what came last is the best guess.
    expected: usize,
}

/// A frame, and its share of the memory, which it gives back when it is dropped.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    _share: Arc<Share>,
}

#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("frame declares {got} bytes, expected 8 to {max} (socket.request.max.bytes)")]
    Length { got: i32, max: usize },
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    #[error("the rest of a frame did not come within {0:?}")]
    Stalled(Duration),
}

impl FrameReader {
    pub(crate) fn new(memory: RequestMemory, max_frame: usize) -> FrameReader {
        let (buffer, share, whole) = (Buffer::default(), Share::default(), Default::default());
        FrameReader { memory, max_frame, whole, buffer, share, expected: LEAST }
    }

    /// Whether the next frame is there, and asks for this API.
    pub(crate) fn next_is(&self, api: ApiKey) -> bool {
        self.whole.0.get(PREFIX..PREFIX + 2).is_some_and(|key| *key == api.code().to_be_bytes())
    }

    /// The next frame; `None` when the other side has closed between two frames, or was silent for `idle`.
    pub(crate) async fn next(
        &mut self,
        stream: &mut TcpStream,
        idle: Duration,
    ) -> Result<Option<Frame>, FrameError> {
        if let Some(frame) = self.split() {
            return Ok(Some(frame));
        }
        if self.buffer.len() == 0 && !self.first(stream, idle).await? {
            return Ok(None);
        }
        let begun = Instant::now();
        loop {
            let missing = match declared(self.buffer.as_ref(), self.max_frame)? {
                Some(end) if self.buffer.len() >= end => {
                    self.gather()?;
                    return Ok(self.split());
                }
                Some(end) => end - self.buffer.len(),
                None => self.expected,
            };
            let has = self.buffer.len();
            // Room for as much again as has come: what is taken is at most twice what was sent.
            let room = missing.min(has.max(self.expected)).max(self.expected.saturating_sub(has));
            self.room(room + SLACK).await?;
            self.more(stream, begun).await?;
        }
    }

    /// Waits for the first bytes of a frame, without a buffer if there are none yet; says whether there are any.
    async fn first(&mut self, stream: &mut TcpStream, idle: Duration) -> Result<bool, FrameError> {
        loop {
            if poll_once(stream.readable()).await.is_pending() {
                (self.buffer, self.share) = (Buffer::default(), Share::default());
                let Ok(ready) = tokio::time::timeout(idle, stream.readable()).await else { return Ok(false) };
                ready?;
            }
            self.room(self.expected + SLACK).await?;
            if let Poll::Ready(read) = poll_once(self.read(stream)).await {
                return Ok(read? > 0);
            }
        }
    }

    /// Reads more of a frame that has begun at `begun`. Where memory is short, one that does not come, or slowly, gives back what it has.
    async fn more(&mut self, stream: &mut TcpStream, begun: Instant) -> Result<(), FrameError> {
        loop {
            match tokio::time::timeout(LOOK, self.read(stream)).await {
                Ok(Ok(0)) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(Ok(_)) if self.memory.is_short() && begun.elapsed() > patience(self.buffer.len()) => {
                    return Err(FrameError::Stalled(begun.elapsed()));
                }
                Ok(read) => return Ok(read.map(drop)?),
                Err(_) => {}
            }
            let taken = begun.elapsed();
            if taken >= STALL || (self.memory.is_short() && self.share.bytes() > 0) {
                return Err(FrameError::Stalled(taken));
            }
        }
    }

    /// Reads as much as there is room for in the share. When it comes to nothing nothing is lost.
    async fn read(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        let room = OWN + self.share.bytes() - self.buffer.len();
        let read = stream.read(self.buffer.spare(room)).await?;
        self.buffer.fill(read);
        Ok(read)
    }

    /// Makes room for `more` bytes.
    async fn room(&mut self, more: usize) -> Result<(), FrameError> {
        let needed = self.buffer.len() + more;
        let has = OWN + self.share.bytes();
        if needed > has {
            self.share.merge(self.memory.take(needed - has).await?);
        }
        if self.buffer.capacity() < needed {
            self.replace(needed)?;
        }
        Ok(())
    }

    /// Goes on in a buffer of so many bytes; returns the one before.
    fn replace(&mut self, bytes: usize) -> io::Result<Buffer> {
        let mut other = Buffer::new(bytes, self.memory.pool())?;
        other.extend(self.buffer.as_ref());
        Ok(std::mem::replace(&mut self.buffer, other))
    }

    /// Takes the whole frames out of the buffer; a part of one stays.
    fn gather(&mut self) -> io::Result<()> {
        let bytes = self.buffer.as_ref();
        let mut end = 0;
        // One that declares what it may not is told of when its turn comes.
        while let Ok(Some(length)) = declared(&bytes[end..], self.max_frame) {
            if bytes.len() - end < length {
                break;
            }
            end += length;
        }
        // Where there was more than was read, more is read at a time.
        let is_full = bytes.len() >= self.expected + SLACK;
        let more = if is_full { AHEAD.min(2 * self.expected) } else { 0 };
        self.expected = end.max(more).clamp(LEAST, MOST);
        let mut rest = Buffer::default();
        if bytes.len() > end {
            rest = Buffer::new(bytes.len() - end, self.memory.pool())?;
            rest.extend(&bytes[end..]);
        }
        let whole = Bytes::from_owner(std::mem::replace(&mut self.buffer, rest)).slice(..end);
        self.whole = (whole, Arc::new(self.share.split(end)));
        Ok(())
    }

    /// Takes the first of the whole frames.
    fn split(&mut self) -> Option<Frame> {
        let (whole, share) = &mut self.whole;
        let end = declared(whole, self.max_frame).ok().flatten()?;
        let (frame, share) = (whole.split_to(end), Arc::clone(share));
        if whole.is_empty() {
            self.whole = Default::default();
        }
        Some(Frame { bytes: frame.slice(PREFIX..), _share: share })
    }
}

/// Bytes of the frame that begins here, its length among them, if that has come.
fn declared(bytes: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = bytes.first_chunk() else { return Ok(None) };
    let got = i32::from_be_bytes(*prefix);
    let length = usize::try_from(got).ok().filter(|length| (8..=max).contains(length));
    length.map(|length| Some(PREFIX + length)).ok_or(FrameError::Length { got, max })
}

async fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Bytes of the length.
const PREFIX: usize = 4;
/// The least and the most that is read at first.
const LEAST: usize = 4 * 1024;
const MOST: usize = 1024 * 1024;
/// The most that is read of several frames at a time.
const AHEAD: usize = 64 * 1024;
/// What each connection has of its own: a small request gets its answer however short memory is.
const OWN: usize = 8 * 1024;
/// Read beyond a frame, so that the socket is known to be empty when nothing follows.
const SLACK: usize = 512;
/// How long a frame may take from its first byte to its last.
const STALL: Duration = Duration::from_secs(60);
/// How often a frame that does not come is looked at.
const LOOK: Duration = Duration::from_millis(200);
