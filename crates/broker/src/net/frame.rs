//! Reading request frames: four bytes of length, then the request. A busy connection has a buffer
//! that takes a whole frame, or what there is of several, in one call; one that is silent has none.

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
use super::memory::{OutOfMemory, RequestMemory, Share, patience, patience_beyond};

/// Reads the frames of one connection.
#[derive(Debug)]
pub(crate) struct FrameReader {
    memory: RequestMemory,
    max_frame: usize,
    /// Whole frames that have come and are not taken yet, each with its length, and their share of
    /// the memory.
    whole: (Bytes, Arc<Share>),
    /// What has come behind them.
    buffer: Buffer,
    /// Memory of the buffer beyond what is the connection's own. Invariant: with that at least as
    /// much as there is in the buffer.
    share: Share,
    /// When the frame went beyond the bound of the memory, and how many bytes of it had come.
    beyond: Option<(Instant, usize)>,
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
        FrameReader { memory, max_frame, whole, buffer, share, beyond: None, expected: LEAST }
    }

    /// Whether the next frame is there, and asks for this API.
    pub(crate) fn next_is(&self, api: ApiKey) -> bool {
        self.whole.0.get(PREFIX..PREFIX + 2).is_some_and(|key| *key == api.code().to_be_bytes())
    }

    /// The next frame; `None` when the other side has closed between two frames, or was silent for
    /// `idle`.
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
        let mut begun = Instant::now();
        loop {
            let missing = match declared(self.buffer.as_ref(), self.max_frame)? {
                Some(end) if self.buffer.len() >= end => {
                    self.gather()?;
                    return Ok(self.split());
                }
                Some(end) => end - self.buffer.len(),
                None => PREFIX - self.buffer.len(),
            };
            let asked = Instant::now();
            self.room_for(missing).await?;
            // That others have the memory is not the sender's fault.
            begun += asked.elapsed();
            self.more(stream, begun).await?;
        }
    }

    /// Waits for the first bytes of a frame, without a buffer if there are none yet; says whether
    /// there are any.
    async fn first(&mut self, stream: &mut TcpStream, idle: Duration) -> Result<bool, FrameError> {
        loop {
            if poll_once(stream.readable()).await.is_pending() {
                (self.buffer, self.share) = (Buffer::default(), Share::default());
                let Ok(ready) = tokio::time::timeout(idle, stream.readable()).await else { return Ok(false) };
                ready?;
            }
            if !self.try_room(self.expected + SLACK)? {
                // A small request gets its answer however short memory is.
                self.expected = LEAST;
                self.try_room(LEAST + SLACK)?;
            }
            match poll_once(self.read(stream)).await {
                // A client that closes without reading its last answer.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(false);
                }
                Poll::Ready(read) => return Ok(read? > 0),
                Poll::Pending => {}
            }
        }
    }

    /// Reads more of a frame that has begun at `begun`. Where memory is short, one that does not
    /// come, or slowly, gives back what it has.
    async fn more(&mut self, stream: &mut TcpStream, begun: Instant) -> Result<(), FrameError> {
        loop {
            match tokio::time::timeout(LOOK, self.read(stream)).await {
                Ok(Ok(0)) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => {
                    read?;
                    return if self.is_too_slow(begun) {
                        Err(FrameError::Stalled(begun.elapsed()))
                    } else {
                        Ok(())
                    };
                }
                Err(_) if begun.elapsed() >= STALL || self.is_too_slow(begun) => {
                    return Err(FrameError::Stalled(begun.elapsed()));
                }
                Err(_) => {}
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

    /// Whether a frame that is not whole yet keeps memory that others wait for.
    fn is_too_slow(&self, begun: Instant) -> bool {
        let bytes = self.buffer.as_ref();
        let is_whole =
            declared(bytes, self.max_frame).is_ok_and(|end| end.is_some_and(|end| bytes.len() >= end));
        let is_slow = match self.beyond {
            Some((since, had)) => since.elapsed() > patience_beyond(bytes.len() - had),
            None => begun.elapsed() > patience(bytes.len()),
        };
        !is_whole && is_slow && self.share.bytes() > 0 && self.memory.is_short()
    }

    /// Makes room for what is missing of a frame, or for as much again as has come if that is less:
    /// what is taken is at most twice what was sent. For what may come behind it there is room if
    /// that needs no waiting.
    async fn room_for(&mut self, missing: usize) -> Result<(), FrameError> {
        let has = self.buffer.len();
        let ahead = self.expected.saturating_sub(has);
        let least = missing.min(has.max(LEAST));
        if self.try_room(least.max(ahead) + SLACK)? || self.try_room(least)? {
            return Ok(());
        }
        let lacking = has + least - OWN - self.share.bytes();
        self.memory.take_more(lacking, &mut self.share).await?;
        if self.share.is_beyond() && self.beyond.is_none() {
            self.beyond = Some((Instant::now(), has));
        }
        self.fit(has + least)?;
        Ok(())
    }

    /// Makes room for `more` bytes, if there is memory for them now.
    fn try_room(&mut self, more: usize) -> io::Result<bool> {
        let needed = self.buffer.len() + more;
        let lacking = needed.saturating_sub(OWN + self.share.bytes());
        let taken = if lacking == 0 { Some(Share::default()) } else { self.memory.try_take(lacking) };
        let Some(taken) = taken else { return Ok(false) };
        self.share.merge(taken);
        self.fit(needed)?;
        Ok(true)
    }

    /// Goes on in a larger buffer where this one has no room for so many bytes.
    fn fit(&mut self, bytes: usize) -> io::Result<()> {
        if self.buffer.capacity() < bytes {
            let mut larger = Buffer::new(bytes, self.memory.pool())?;
            larger.extend(self.buffer.as_ref());
            self.buffer = larger;
        }
        Ok(())
    }

    /// Takes the whole frames out of the buffer; a part of one stays.
    fn gather(&mut self) -> io::Result<()> {
        let bytes = self.buffer.as_ref();
        let mut end = 0;
        // One that declares what it may not is told of when its turn comes.
        while let Ok(Some(length)) = declared(&bytes[end..], self.max_frame) {
            // A large one goes alone: what comes behind it must not keep its memory.
            let is_large = end > 0 && (end + length > AHEAD || self.beyond.is_some());
            if bytes.len() - end < length || is_large {
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
        // Little in a large buffer is better copied than kept with all of it.
        let taken = std::mem::replace(&mut self.buffer, rest);
        let whole = match end * 4 < taken.capacity() {
            true => Bytes::copy_from_slice(&taken.as_ref()[..end]),
            false => Bytes::from_owner(taken).slice(..end),
        };
        self.beyond = None;
        let share = self.share.split(end);
        // What was taken for more than came is for others.
        self.share = self.share.split(self.buffer.len().saturating_sub(OWN));
        self.whole = (whole, Arc::new(share));
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
