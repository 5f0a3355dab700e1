//! Sending an answer: bytes are written, stretches of files go out with `sendfile`.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use klamm_log::Slice;
use klamm_protocol::{Piece, Pieces, Region};
use nix::sys::sendfile::sendfile;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::memory::{self, OutOfMemory, RequestMemory, Share};
use crate::handlers::Answer;
use crate::work::SMALL_RESPONSE;

/// Small answers that are ready, to be sent in one call.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<u8>);

impl Answers {
    /// Adds a small one; gives back one that goes by itself.
    pub(super) fn add(&mut self, answer: Answer) -> Option<Answer> {
        let [Piece::Bytes(bytes)] = &answer.frame.pieces[..] else { return Some(answer) };
        if bytes.len() > TOGETHER || self.0.len() > SMALL_RESPONSE - TOGETHER {
            return Some(answer);
        }
        self.0.extend_from_slice(bytes);
        None
    }

    /// All of them, as one.
    pub(super) fn take(&mut self) -> Option<Answer> {
        let bytes = Some(std::mem::take(&mut self.0)).filter(|bytes| !bytes.is_empty())?;
        let frame = Pieces { pieces: vec![Piece::Bytes(bytes.into())] };
        Some(Answer { frame, ..Answer::default() })
    }
}

/// Sends the whole answer; the other side has to take each piece within `patience`. Where memory is
/// short, a reader who takes his time gives back what his answer has. After an error part of it may
/// have been sent, and the connection must be closed.
pub(crate) async fn send(
    stream: &mut TcpStream,
    answer: Answer,
    memory: &RequestMemory,
    patience: Duration,
) -> io::Result<()> {
    let bytes = answer.frame.pieces.iter().map(length).sum();
    let (begun, is_counted) = (Instant::now(), answer.share.bytes() > 0);
    let mut sent = std::pin::pin!(send_pieces(stream, &answer, patience));
    loop {
        if let Ok(sent) = tokio::time::timeout(LOOK, &mut sent).await {
            return sent;
        }
        if is_counted && memory.is_short() && begun.elapsed() > memory::patience(bytes) {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
    }
}

async fn send_pieces(stream: &mut TcpStream, answer: &Answer, patience: Duration) -> io::Result<()> {
    let mut gathered = Vec::new();
    for piece in &answer.frame.pieces {
        if length(piece) <= GATHERED && gathered.len() <= GATHERED {
            gather(&mut gathered, piece, answer)?;
            continue;
        }
        send_gathered(stream, &mut gathered, patience).await?;
        in_time(patience, send_piece(stream, piece, answer)).await?;
    }
    send_gathered(stream, &mut gathered, patience).await
}

async fn send_gathered(stream: &mut TcpStream, gathered: &mut Vec<u8>, patience: Duration) -> io::Result<()> {
    if !gathered.is_empty() {
        in_time(patience, stream.write_all(gathered)).await?;
        gathered.clear();
    }
    Ok(())
}

async fn in_time(patience: Duration, sent: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(patience, sent).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A few records are copied: one call and one packet instead of three, and whoever waits for them
/// is woken once.
fn gather(gathered: &mut Vec<u8>, piece: &Piece, answer: &Answer) -> io::Result<()> {
    match piece {
        Piece::Bytes(bytes) => gathered.extend_from_slice(bytes),
        Piece::Region(region) => {
            gathered.extend_from_slice(&slice_of(region, answer)?.read().map_err(io::Error::other)?);
        }
    }
    Ok(())
}

fn slice_of<'a>(region: &Region, answer: &'a Answer) -> io::Result<&'a Slice> {
    answer.slices.get(&region.token).ok_or_else(|| io::Error::other("NET-1: a region has a slice"))
}

fn length(piece: &Piece) -> usize {
    if let Piece::Region(region) = piece { region.length as usize } else { in_memory(piece) }
}

/// Memory of an answer that waits to be sent, out of what its request had taken for the work; what
/// is small is the connection's own.
pub(super) async fn share_of(
    answer: &Answer,
    mut work: Share,
    memory: &RequestMemory,
) -> Result<Share, OutOfMemory> {
    let bytes = counted(answer);
    if bytes == 0 {
        return Ok(Share::default());
    }
    if bytes <= work.bytes() {
        return Ok(work.split(bytes));
    }
    // Nobody who has memory waits for more, so that those who have some always finish.
    drop(work);
    memory.take(bytes).await
}

/// Bytes of a response in memory beyond what its request has taken; none where the response is
/// small.
pub(super) fn unreserved(answer: &Answer, work: &Share) -> usize {
    counted(answer).saturating_sub(work.bytes())
}

/// Bytes of a response in memory; 0 for one so small that the connection's own allowance covers it.
fn counted(answer: &Answer) -> usize {
    let bytes = answer.frame.pieces.iter().map(in_memory).sum();
    if bytes <= SMALL_RESPONSE { 0 } else { bytes }
}

fn in_memory(piece: &Piece) -> usize {
    if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 }
}

async fn send_piece(stream: &mut TcpStream, piece: &Piece, answer: &Answer) -> io::Result<()> {
    match piece {
        Piece::Bytes(bytes) => stream.write_all(bytes).await,
        Piece::Region(region) => send_region(stream, region, slice_of(region, answer)?).await,
    }
}

async fn send_region(stream: &mut TcpStream, region: &Region, slice: &Slice) -> io::Result<()> {
    let Some(file) = slice.as_file() else {
        return stream.write_all(&slice.read().map_err(io::Error::other)?).await;
    };
    let mut offset = i64::try_from(slice.position()).map_err(io::Error::other)?;
    let mut left = region.length as usize;
    while left > 0 {
        let sent = stream.async_io(Interest::WRITABLE, || {
            let count = left.min(CHUNK);
            Ok(sendfile(stream.as_fd(), file, Some(&mut offset), count)?)
        });
        match sent.await? {
            // The header is out already: the other side would take what comes next for records.
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            sent => left -= sent,
        }
    }
    Ok(())
}

/// Bytes of a piece that is copied to go with others.
const GATHERED: usize = 4 * 1024;
/// Bytes of an answer that may wait for others.
const TOGETHER: usize = 1024;
/// How often a reader is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes at a time, so that one reader with a fast connection does not keep a thread.
const CHUNK: usize = 1 << 20;
