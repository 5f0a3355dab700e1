//! Reading request frames: four bytes of length, then the request. A busy connection has a buffer that takes a whole frame, or what
//! there is of several, in one call; one that is silent has none.

use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
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
    /// What has come and is not taken yet.
    buffer: Buffer,
    /// Memory of the buffer beyond what is the connection's own. Invariant: with that at least as much as there is in the buffer.
    share: Share,
    /// Bytes that the last frame had: most are alike.
    expected: usize,
}

/// A frame, and its share of the memory, which it gives back when it is dropped.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    _share: Share,
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
        let (buffer, share) = (Buffer::default(), Share::default());
        FrameReader { memory, max_frame, buffer, share, expected: LEAST }
    }

    /// The next frame; `None` when the other side has closed between two frames, or was silent for `idle`.
    pub(crate) async fn next(
        &mut self,
        stream: &mut TcpStream,
        idle: Duration,
    ) -> Result<Option<Frame>, FrameError> {
        if self.buffer.len() == 0 && !self.first(stream, idle).await? {
            return Ok(None);
        }
        let begun = Instant::now();
        loop {
            let missing = match self.declared()? {
                Some(length) if self.buffer.len() >= PREFIX + length => return Ok(Some(self.split(length)?)),
                Some(length) => PREFIX + length - self.buffer.len(),
                None => self.expected,
            };
            // Room for as much again as has come: what is taken is at most twice what was sent.
            self.room(missing.min(self.buffer.len().max(self.expected)) + SLACK).await?;
            self.more(stream, begun).await?;
        }
    }

    /// Waits for the first bytes of a frame, without a buffer if there are none yet; says whether there are any.
    async fn first(&mut self, stream: &mut TcpStream, idle: Duration) -> Result<bool, FrameError> {
        loop {
            self.room(self.expected + SLACK).await?;
            if let Poll::Ready(read) = poll_once(self.read(stream)).await {
                return Ok(read? > 0);
            }
            (self.buffer, self.share) = (Buffer::default(), Share::default());
            let Ok(ready) = tokio::time::timeout(idle, stream.readable()).await else { return Ok(false) };
            ready?;
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

    /// Length of the frame that begins here, if it has come.
    fn declared(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer.as_ref().first_chunk() else { return Ok(None) };
        let (got, max) = (i32::from_be_bytes(*prefix), self.max_frame);
        let length = usize::try_from(got).ok().filter(|length| (8..=max).contains(length));
        length.map(Some).ok_or(FrameError::Length { got, max })
    }

    /// Takes the first frame out; what has come behind it is little, most often nothing.
    fn split(&mut self, length: usize) -> io::Result<Frame> {
        let end = PREFIX + length;
        self.expected = end.clamp(LEAST, MOST);
        let mut rest = Buffer::default();
        if self.buffer.len() > end {
            rest = Buffer::new(self.buffer.len() - end, self.memory.pool())?;
            rest.extend(&self.buffer.as_ref()[end..]);
        }
        let whole = std::mem::replace(&mut self.buffer, rest);
        Ok(Frame { bytes: Bytes::from_owner(whole).slice(PREFIX..end), _share: self.share.split(end) })
    }
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
/// What each connection has of its own: a small request gets its answer however short memory is.
const OWN: usize = 8 * 1024;
/// Read beyond a frame, so that the socket is known to be empty when nothing follows.
const SLACK: usize = 512;
/// How long a frame may take from its first byte to its last.
const STALL: Duration = Duration::from_secs(60);
/// How often a frame that does not come is looked at.
const LOOK: Duration = Duration::from_millis(200);
