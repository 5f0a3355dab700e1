//! The encoding of each type a field can have, compact (`flex`) and not.

use bytes::{BufMut, Bytes};

use crate::codec::reader::Width;
use crate::codec::{Part, Reader, Writer};
use crate::{ByteString, DecodeError, EncodeError, Records, Uuid};

/// A value on the wire.
pub(crate) trait Wire: Sized {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer, version: i16, flex: bool) -> Result<(), EncodeError>;

    /// As the value of a tagged field, where null is written another way.
    fn read_tagged(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        Self::read(reader, version, true)
    }

    /// As the value of a tagged field.
    fn write_tagged(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        self.write(writer, version, true)
    }
}

macro_rules! plain {
    ($type:ty, $read:ident, $put:ident) => {
        impl Wire for $type {
            fn read(reader: &mut Reader, _: i16, _: bool) -> Result<Self, DecodeError> {
                reader.$read()
            }

            fn write(&self, writer: &mut Writer, _: i16, _: bool) -> Result<(), EncodeError> {
                writer.put().$put(*self);
                Ok(())
            }
        }
    };
}

plain!(i8, i8, put_i8);
plain!(i16, i16, put_i16);
plain!(u16, u16, put_u16);
plain!(i32, i32, put_i32);
plain!(u32, u32, put_u32);
plain!(i64, i64, put_i64);
plain!(f64, f64, put_f64);

impl Wire for bool {
    fn read(reader: &mut Reader, _: i16, _: bool) -> Result<Self, DecodeError> {
        Ok(reader.i8()? != 0)
    }

    fn write(&self, writer: &mut Writer, _: i16, _: bool) -> Result<(), EncodeError> {
        writer.put().put_u8(u8::from(*self));
        Ok(())
    }
}

impl Wire for Uuid {
    fn read(reader: &mut Reader, _: i16, _: bool) -> Result<Self, DecodeError> {
        let bytes = reader.take("uuid", 16)?;
        Ok(bytes.first_chunk().map_or(Uuid::ZERO, |chunk| Uuid(*chunk)))
    }

    fn write(&self, writer: &mut Writer, _: i16, _: bool) -> Result<(), EncodeError> {
        writer.put().put_slice(&self.0);
        Ok(())
    }
}

impl Wire for Option<ByteString> {
    fn read(reader: &mut Reader, _: i16, flex: bool) -> Result<Self, DecodeError> {
        let length = reader.length("string", flex, Width::Short)?;
        length.map(|length| reader.text(length)).transpose()
    }

    fn write(&self, writer: &mut Writer, _: i16, flex: bool) -> Result<(), EncodeError> {
        write_text(writer, self.as_ref(), flex)
    }
}

impl Wire for ByteString {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError> {
        Option::read(reader, version, flex)?.ok_or(DecodeError::Null { field: "a string" })
    }

    fn write(&self, writer: &mut Writer, _: i16, flex: bool) -> Result<(), EncodeError> {
        write_text(writer, Some(self), flex)
    }
}

fn write_text(writer: &mut Writer, text: Option<&ByteString>, flex: bool) -> Result<(), EncodeError> {
    writer.length("string", text.map(|t| t.len()), flex, Width::Short)?;
    writer.put().put_slice(text.map_or(&[], |t| t.as_bytes()));
    Ok(())
}

impl Wire for Option<Bytes> {
    fn read(reader: &mut Reader, _: i16, flex: bool) -> Result<Self, DecodeError> {
        let length = reader.length("bytes", flex, Width::Long)?;
        length.map(|length| reader.bytes(length)).transpose()
    }

    fn write(&self, writer: &mut Writer, _: i16, flex: bool) -> Result<(), EncodeError> {
        write_bytes(writer, self.as_ref(), flex)
    }
}

impl Wire for Bytes {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError> {
        Option::read(reader, version, flex)?.ok_or(DecodeError::Null { field: "a byte string" })
    }

    fn write(&self, writer: &mut Writer, _: i16, flex: bool) -> Result<(), EncodeError> {
        write_bytes(writer, Some(self), flex)
    }
}

fn write_bytes(writer: &mut Writer, bytes: Option<&Bytes>, flex: bool) -> Result<(), EncodeError> {
    writer.length("bytes", bytes.map(Bytes::len), flex, Width::Long)?;
    writer.put().put_slice(bytes.map_or(&[], |b| b));
    Ok(())
}

impl Wire for Option<Records> {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError> {
        Ok(Option::<Bytes>::read(reader, version, flex)?.map(Records::Bytes))
    }

    fn write(&self, writer: &mut Writer, _: i16, flex: bool) -> Result<(), EncodeError> {
        writer.records(self.as_ref(), flex)
    }
}

impl Wire for Records {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError> {
        Bytes::read(reader, version, flex).map(Records::Bytes)
    }

    fn write(&self, writer: &mut Writer, _: i16, flex: bool) -> Result<(), EncodeError> {
        writer.records(Some(self), flex)
    }
}

impl<T: Wire> Wire for Option<Vec<T>> {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError> {
        let Some(count) = reader.count(flex)? else { return Ok(None) };
        reader.charge(count, size_of::<T>())?;
        let kept = if reader.is_measuring() { 0 } else { count };
        let mut elements = Vec::with_capacity(kept);
        for _ in 0..count {
            let element = T::read(reader, version, flex)?;
            if kept > 0 {
                elements.push(element);
            }
        }
        Ok(Some(elements))
    }

    fn write(&self, writer: &mut Writer, version: i16, flex: bool) -> Result<(), EncodeError> {
        match self {
            Some(elements) => elements.write(writer, version, flex),
            None => writer.length("collection", None, flex, Width::Long),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(reader: &mut Reader, version: i16, flex: bool) -> Result<Self, DecodeError> {
        Option::read(reader, version, flex)?.ok_or(DecodeError::Null { field: "a collection" })
    }

    fn write(&self, writer: &mut Writer, version: i16, flex: bool) -> Result<(), EncodeError> {
        writer.length("collection", Some(self.len()), flex, Width::Long)?;
        self.iter().try_for_each(|element| element.write(writer, version, flex))
    }
}

impl<T: Part> Wire for T {
    fn read(reader: &mut Reader, version: i16, _: bool) -> Result<Self, DecodeError> {
        T::read_part(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16, _: bool) -> Result<(), EncodeError> {
        self.write_part(writer, version)
    }
}

/// A struct that can be null has a byte in front: -1 when it is, 0 in a tagged field.
impl<T: Part> Wire for Option<T> {
    fn read(reader: &mut Reader, version: i16, _: bool) -> Result<Self, DecodeError> {
        if reader.i8()? < 0 { Ok(None) } else { T::read_part(reader, version).map(Some) }
    }

    fn write(&self, writer: &mut Writer, version: i16, _: bool) -> Result<(), EncodeError> {
        writer.put().put_i8(if self.is_some() { 1 } else { -1 });
        self.as_ref().map_or(Ok(()), |part| part.write_part(writer, version))
    }

    fn read_tagged(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        if reader.i8()? <= 0 { Ok(None) } else { T::read_part(reader, version).map(Some) }
    }

    fn write_tagged(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        writer.put().put_i8(i8::from(self.is_some()));
        self.as_ref().map_or(Ok(()), |part| part.write_part(writer, version))
    }
}

/// A value in a version in which it cannot be null.
pub(crate) fn not_null<T: Wire>(
    reader: &mut Reader,
    version: i16,
    flex: bool,
    field: &'static str,
) -> Result<T, DecodeError> {
    T::read(reader, version, flex).map_err(|error| match error {
        DecodeError::Null { .. } => DecodeError::Null { field },
        other => other,
    })
}

/// Whether a field has another value than its default.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn differs<T: PartialEq>(value: &T, default: T) -> bool {
    *value != default
}

#[cold]
pub(crate) fn unsupported(message: &'static str, field: &'static str, version: i16) -> EncodeError {
    EncodeError::Unsupported { message, field, version }
}

#[cold]
pub(crate) fn null(message: &'static str, field: &'static str, version: i16) -> EncodeError {
    EncodeError::Null { message, field, version }
}
