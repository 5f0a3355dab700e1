//! A client as plain as can be: one connection, one request at a time, any message in any version.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Buf, Bytes};
use klamm_broker::Broker;
use klamm_protocol::messages::response_header::ResponseHeader;
use klamm_protocol::{Message, Request, encode_request, response_header_version};

/// A connection to a broker.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    next: i32,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// When the broker does not listen.
    #[must_use]
    pub fn connect(broker: &Broker) -> Client {
        Client::connect_to(broker.bootstrap())
    }

    /// Connects to a broker that is a process of its own.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn connect_to(address: impl ToSocketAddrs) -> Client {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        Client { stream, next: 1 }
    }

    /// Sends a request and reads its response.
    ///
    /// # Panics
    /// When the broker answers something else.
    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        let frame = self.frame().expect("an answer");
        self.read::<R>(frame, version)
    }

    /// Sends a request and does not wait.
    ///
    /// # Panics
    /// When the request cannot be sent in this version.
    pub fn send<R: Request>(&mut self, request: &R, version: i16) {
        let frame = encode_request(request, version, self.next, Some("test")).expect("can be sent");
        self.next += 1;
        self.raw(&frame.into_bytes().expect("no files"));
    }

    /// Sends bytes as they are; the broker may have closed already.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame, without its length.
    ///
    /// # Errors
    /// When the broker closes.
    pub fn frame(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("not negative")];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    /// Calls `meanwhile` again and again until an answer is there; it is left to be read.
    ///
    /// # Panics
    /// When the socket cannot be looked at.
    pub fn poll_each(&mut self, mut meanwhile: impl FnMut()) {
        self.stream.set_nonblocking(true).expect("can be set");
        while self.stream.peek(&mut [0; 1]).is_err() {
            meanwhile();
        }
        self.stream.set_nonblocking(false).expect("can be set");
    }

    /// Reads a response's frame.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn read<R: Request>(&self, frame: Bytes, version: i16) -> R::Response {
        let mut reader = klamm_protocol::codec::Reader::new(frame);
        ResponseHeader::read(&mut reader, response_header_version(R::KEY, version)).expect("a header");
        R::Response::decode(reader.into_rest(), version).expect("a response")
    }

    /// The correlation id of a frame.
    #[must_use]
    pub fn correlation_id(frame: &Bytes) -> i32 {
        frame.clone().get_i32()
    }

    /// Whether the broker has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}
