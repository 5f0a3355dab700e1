//! Reading one request frame: four bytes of length, then the request. Memory is taken as bytes arrive, not as a length
//! declares, and all frames together have a bound.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bound on the memory of all requests that are being read or answered (`queued.max.request.bytes`).
#[derive(Clone, Debug)]
pub(crate) struct RequestMemory {
    free: Arc<Semaphore>,
    max_frame: usize,
}

/// A frame, and its share of the memory, which it gives back when it is dropped.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    _share: Vec<OwnedSemaphorePermit>,
}

#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("frame declares {got} bytes, expected 8 to {max} (socket.request.max.bytes)")]
    Length { got: i32, max: usize },
    #[error("no memory for the request within {0:?} (queued.max.request.bytes)")]
    Memory(Duration),
    #[error("the rest of a frame did not come within {0:?}")]
    Stalled(Duration),
}

impl RequestMemory {
    pub(crate) fn new(bytes: usize, max_frame: usize) -> RequestMemory {
        RequestMemory { free: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))), max_frame }
    }

    /// The next frame; `None` when the other side has closed between two frames, or was silent for `idle`.
    pub(crate) async fn read(
        &self,
        stream: &mut TcpStream,
        idle: Duration,
    ) -> Result<Option<Frame>, FrameError> {
        let mut head = [0; 4];
        let first = tokio::time::timeout(idle, stream.read(&mut head[..1])).await;
        if first.unwrap_or(Ok(0))? == 0 {
            return Ok(None);
        }
        let rest = async {
            stream.read_exact(&mut head[1..]).await?;
            self.read_body(stream, i32::from_be_bytes(head)).await.map(Some)
        };
        tokio::time::timeout(STALL, rest).await.unwrap_or(Err(FrameError::Stalled(STALL)))
    }

    async fn read_body(&self, stream: &mut TcpStream, declared: i32) -> Result<Frame, FrameError> {
        let wrong = FrameError::Length { got: declared, max: self.max_frame };
        let length =
            usize::try_from(declared).ok().filter(|l| (8..=self.max_frame).contains(l)).ok_or(wrong)?;
        let (mut buffer, mut share) = (BytesMut::new(), Vec::new());
        while buffer.len() < length {
            // Room for as much again as has come: what is taken is at most twice what was sent.
            let more = buffer.len().max(FIRST).min(length - buffer.len());
            share.push(self.take(more).await?);
            let target = buffer.len() + more;
            buffer.reserve(more);
            while buffer.len() < target {
                let mut room = stream.take((target - buffer.len()) as u64);
                if room.read_buf(&mut buffer).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
        Ok(Frame { bytes: buffer.freeze(), _share: share })
    }

    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, FrameError> {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let taken = tokio::time::timeout(PATIENCE, Arc::clone(&self.free).acquire_many_owned(permits)).await;
        taken.ok().and_then(Result::ok).ok_or(FrameError::Memory(PATIENCE))
    }
}

/// The first share of a frame.
const FIRST: usize = 16 * 1024;
/// How long a frame may take from its first byte to its last.
const STALL: Duration = Duration::from_secs(60);
/// How long a frame waits for memory: those who hold it may wait for more themselves.
const PATIENCE: Duration = Duration::from_secs(10);
