//! A connection of a light client.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use klamm_protocol::codec::Reader;
use klamm_protocol::messages::response_header::ResponseHeader;
use klamm_protocol::{Message, Request, encode_request, response_header_version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection with one request under way at a time.
pub(super) struct Link(TcpStream);

impl Link {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Link> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Link(stream))
    }

    /// Sends a request and waits for the response.
    pub(super) async fn ask<R: Request>(&mut self, request: &R, version: i16) -> io::Result<R::Response> {
        let frame = encode_request(request, version, 1, Some("thousands")).expect("can be sent");
        let answer = self.exchange(&frame.into_bytes().expect("no files")).await?;
        let mut reader = Reader::new(answer);
        let header = ResponseHeader::read(&mut reader, response_header_version(R::KEY, version));
        let response = header.and_then(|_| R::Response::read(&mut reader, version));
        response.map_err(|error| io::Error::other(error.to_string()))
    }

    /// Sends a frame and returns the next one that comes, without its length.
    pub(super) async fn exchange(&mut self, frame: &[u8]) -> io::Result<Bytes> {
        self.0.write_all(frame).await?;
        let length = self.0.read_u32().await?;
        let mut answer = vec![0; length as usize];
        self.0.read_exact(&mut answer).await?;
        Ok(answer.into())
    }
}
