//! Sending an answer: bytes are written, stretches of files go out with `sendfile`.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use klamm_log::Slice;
use klamm_protocol::{Piece, Region};
use nix::sys::sendfile::sendfile;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::handlers::Answer;

/// Sends the whole answer; the other side has to take each piece within `patience`. After an error part of it may have
/// been sent, and the connection must be closed.
pub(crate) async fn send(stream: &mut TcpStream, answer: Answer, patience: Duration) -> io::Result<()> {
    for piece in &answer.frame.pieces {
        let sent = send_piece(stream, piece, &answer);
        tokio::time::timeout(patience, sent)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    Ok(())
}

async fn send_piece(stream: &mut TcpStream, piece: &Piece, answer: &Answer) -> io::Result<()> {
    match piece {
        Piece::Bytes(bytes) => stream.write_all(bytes).await,
        Piece::Region(region) => send_region(stream, region, answer.slices.get(&region.token)).await,
    }
}

async fn send_region(stream: &mut TcpStream, region: &Region, slice: Option<&Slice>) -> io::Result<()> {
    let slice = slice.ok_or_else(|| io::Error::other("NET-1: a region has a slice"))?;
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

/// Bytes at a time, so that one reader with a fast connection does not keep a thread.
const CHUNK: usize = 1 << 20;
