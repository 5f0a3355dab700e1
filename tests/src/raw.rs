//! Frames through a socket without memory of the client's own, for tests that count the broker's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use klamm_broker::Broker;

/// Connects to a broker.
///
/// # Panics
/// When the broker does not listen.
#[must_use]
pub fn connect(broker: &Broker) -> TcpStream {
    let stream = TcpStream::connect(broker.bootstrap()).expect("the broker listens");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout can be set");
    stream
}

/// Sends a frame and reads the response; its bytes. `None` when the connection is closed instead.
pub fn exchange(stream: &mut TcpStream, frame: &[u8]) -> Option<usize> {
    stream.write_all(frame).ok()?;
    skip(stream)
}

/// Reads a response; its bytes. `None` when the connection is closed instead.
pub fn skip(stream: &mut TcpStream) -> Option<usize> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let length = u32::from_be_bytes(length) as usize;
    let (mut left, mut buffer) = (length, [0; 16 << 10]);
    while left > 0 {
        let most = left.min(buffer.len());
        left -= stream.read(&mut buffer[..most]).ok().filter(|read| *read > 0)?;
    }
    Some(length)
}
