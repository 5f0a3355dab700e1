//! Tagged fields (KIP-482).

use crate::EncodeError;
use crate::codec::Writer;
use crate::codec::wire::Wire;

/// Tagged fields on their way out, in rising order of their tags (KIP-482).
#[derive(Debug, Default)]
pub(crate) struct Tags {
    count: u32,
    body: Writer,
}

impl Tags {
    pub(crate) fn put(&mut self, tag: u32, version: i16, value: &impl Wire) -> Result<(), EncodeError> {
        let mut field = Writer::default();
        value.write_tagged(&mut field, version)?;
        let bytes = field.finish().into_bytes().unwrap_or_default();
        self.count += 1;
        self.body.uvarint(tag);
        self.body.uvarint(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.body.append(&bytes);
        Ok(())
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.uvarint(self.count);
        writer.append(&self.body.finish().into_bytes().unwrap_or_default());
    }
}
