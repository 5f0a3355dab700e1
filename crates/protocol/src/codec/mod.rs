//! How values become bytes and bytes become values: what the generated messages are built on.

mod reader;
mod replaced;
mod tags;
mod wire;
mod writer;

use crate::{DecodeError, EncodeError};

pub use reader::{Measured, Reader};
pub use writer::Writer;

/// A message, or a struct inside of one.
pub trait Part: Default + Clone + PartialEq + std::fmt::Debug {
    /// Reads it in a version that is known to exist.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn read_part(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Writes it in a version that is known to exist.
    ///
    /// # Errors
    /// [`EncodeError`].
    fn write_part(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;
}

/// What the generated modules use.
pub(crate) mod prelude {
    pub(crate) use bytes::Bytes;

    pub(crate) use super::tags::Tags;
    pub(crate) use super::wire::{Wire, differs, not_null, null, unsupported};
    pub(crate) use super::{Part, Reader, Writer};
    pub(crate) use crate::{ByteString, DecodeError, EncodeError, Message, Record, Records, Request, Uuid};
}
