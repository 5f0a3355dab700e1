//! Messages, requests and responses.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::codec::{Measured, Part, Reader, Writer};
use crate::{ApiKey, DecodeError, EncodeError, Pieces};

/// A message: a request, a response, or a record of an internal topic.
pub trait Message: Part {
    /// Its name.
    const NAME: &'static str;
    /// The versions that there are.
    const VERSIONS: RangeInclusive<i16>;

    /// Reads one from all of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`], also when bytes are left over.
    fn decode(bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let message = Self::read(&mut reader, version)?;
        reader.finish(Self::NAME)?;
        Ok(message)
    }

    /// Measures the memory that the message at the front of `bytes` takes once it is decoded.
    /// Allocates nothing.
    ///
    /// # Errors
    /// [`DecodeError`] when decoding fails.
    fn measure(bytes: Bytes, version: i16) -> Result<Measured, DecodeError> {
        let mut reader = Reader::measuring(bytes);
        Self::read(&mut reader, version)?;
        Ok(reader.measured())
    }

    /// Reads one from the front of `reader`.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            let (low, high) = (*Self::VERSIONS.start(), *Self::VERSIONS.end());
            return Err(DecodeError::Version { message: Self::NAME, low, high, got: version });
        }
        Self::read_part(reader, version)
    }

    /// Writes it as one piece of bytes.
    ///
    /// # Errors
    /// [`EncodeError`] when a field has a value that `version` cannot carry, or lies in a file.
    fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let in_a_file = EncodeError::Unsupported { message: Self::NAME, field: "records in a file", version };
        self.encode_pieces(version)?.into_bytes().ok_or(in_a_file)
    }

    /// Writes it as pieces: large records are not copied, and those in a file are only pointed to.
    ///
    /// # Errors
    /// [`EncodeError`] when a field has a value that `version` cannot carry.
    fn encode_pieces(&self, version: i16) -> Result<Pieces, EncodeError> {
        let mut writer = Writer::default();
        self.write(&mut writer, version)?;
        Ok(writer.finish())
    }

    /// Writes it at the end of `writer`.
    ///
    /// # Errors
    /// As [`Message::encode_pieces`].
    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if !Self::VERSIONS.contains(&version) {
            let (low, high) = (*Self::VERSIONS.start(), *Self::VERSIONS.end());
            return Err(EncodeError::Version { message: Self::NAME, low, high, got: version });
        }
        self.write_part(writer, version)
    }
}

/// A request, and what answers it.
pub trait Request: Message {
    /// The API.
    const KEY: ApiKey;
    /// Its response; it has the version of the request.
    type Response: Message;
}

/// A record of an internal topic.
pub trait Record: Message {
    /// The number that tells its kind: what a coordinator's key begins with, or the type in a
    /// metadata record's frame.
    const TYPE: i16;
}
