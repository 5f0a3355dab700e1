//! The frame around a record of the metadata log: three variable-length numbers, the frame's
//! version (1), the record's type and the version of its body.

use bytes::Bytes;

use crate::codec::{Reader, Writer};
use crate::{DecodeError, EncodeError, Record};

/// A record of the metadata log whose body has not been read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataFrame {
    /// Which record it is: its [`Record::TYPE`].
    pub record_type: i16,
    /// Version of the body.
    pub version: i16,
    /// What follows.
    pub body: Bytes,
}

/// Reads the frame of a record's value.
///
/// # Errors
/// [`DecodeError`] when there is no frame of version 1.
pub fn decode_metadata_record(value: Bytes) -> Result<MetadataFrame, DecodeError> {
    let mut reader = Reader::new(value);
    let frame = reader.uvarint()?;
    if frame != 1 {
        return Err(DecodeError::Length { what: "metadata frame version", got: frame.into(), expected: "1" });
    }
    let (record_type, version) = (small(reader.uvarint()?)?, small(reader.uvarint()?)?);
    Ok(MetadataFrame { record_type, version, body: reader.into_rest() })
}

fn small(number: u32) -> Result<i16, DecodeError> {
    let wrong = DecodeError::Length {
        what: "metadata record type or version",
        got: number.into(),
        expected: "a short",
    };
    i16::try_from(number).map_err(|_| wrong)
}

/// Writes a record's value with its frame.
///
/// # Errors
/// [`EncodeError`] when the record has a field that `version` cannot carry.
pub fn encode_metadata_record<R: Record>(record: &R, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::default();
    for number in [1, R::TYPE, version] {
        writer.uvarint(u32::try_from(number).unwrap_or(0));
    }
    record.write(&mut writer, version)?;
    Ok(writer.finish().into_bytes().unwrap_or_default())
}
