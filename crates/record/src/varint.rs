//! Zigzag variable-length integers, as in Protocol Buffers: 1 to 5 bytes for 32 bits, 1 to 10 for
//! 64.

/// Reads numbers and byte strings off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// A 32-bit number; one that needs more bits than that is refused.
    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<i32> {
        match *self.rest {
            [a, ..] if a < 0x80 => {
                self.rest = &self.rest[1..];
                Some(unzigzag32(u32::from(a)))
            }
            [a, b, ..] if b < 0x80 => {
                self.rest = &self.rest[2..];
                Some(unzigzag32(u32::from(a & 0x7f) | u32::from(b) << 7))
            }
            _ => u32::try_from(self.raw(5)?).ok().map(unzigzag32),
        }
    }

    /// A 64-bit number.
    #[inline(always)]
    pub(crate) fn varlong(&mut self) -> Option<i64> {
        match *self.rest {
            [a, ..] if a < 0x80 => {
                self.rest = &self.rest[1..];
                Some(unzigzag64(u64::from(a)))
            }
            [a, b, ..] if b < 0x80 => {
                self.rest = &self.rest[2..];
                Some(unzigzag64(u64::from(a & 0x7f) | u64::from(b) << 7))
            }
            _ => self.raw(10).map(unzigzag64),
        }
    }

    /// `None` for a negative length other than -1, or one beyond what is left; `Some(None)` for -1.
    #[inline]
    pub(crate) fn nullable_bytes(&mut self) -> Option<Option<&'a [u8]>> {
        match self.varint()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }

    #[cold]
    fn raw(&mut self, most: usize) -> Option<u64> {
        let mut value = 0u64;
        for (i, byte) in self.rest.iter().take(most).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if i == 9 && bits > 1 {
                return None;
            }
            value |= bits << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Some(value);
            }
        }
        None
    }
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, i64::from(value));
}

#[inline]
pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut left = zigzag(value);
    while left >= 0x80 {
        out.push(low_seven(left) | 0x80);
        left >>= 7;
    }
    out.push(low_seven(left));
}

/// Bytes that [`put_varlong`] writes; the same as those of [`put_varint`] for a 32-bit value.
#[inline]
pub(crate) fn size_of_varlong(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
pub(crate) fn size_of_varint(value: i32) -> usize {
    size_of_varlong(i64::from(value))
}

#[inline]
fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

#[inline]
fn unzigzag32(raw: u32) -> i32 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[inline]
fn unzigzag64(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[inline]
fn low_seven(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_numbers_have_known_bytes() {
        for (value, want) in [
            (0i64, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (8191, &[0xfe, 0x7f]),
            (8192, &[0x80, 0x80, 0x01]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] {
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            assert_eq!(out, want, "{value}");
            assert_eq!(size_of_varlong(value), want.len(), "{value}");
            assert_eq!(Cursor::new(&out).varlong(), Some(value));
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for bytes in [&[][..], &[0x80], &[0xff; 5], &[0xff, 0xff, 0xff, 0xff, 0x1f], &[0xff; 11]] {
            assert_eq!(Cursor::new(bytes).varint(), None, "{bytes:x?}");
        }
        assert_eq!(
            Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varlong(),
            None
        );
        assert_eq!(Cursor::new(&[0x03]).nullable_bytes(), None, "length -2");
        assert_eq!(Cursor::new(&[0x04, 1]).nullable_bytes(), None, "length 2, one byte there");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(long: i64, int: i32) {
            let mut out = Vec::new();
            put_varlong(&mut out, long);
            put_varint(&mut out, int);
            prop_assert_eq!(out.len(), size_of_varlong(long) + size_of_varint(int));
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!((cursor.varlong(), cursor.varint()), (Some(long), Some(int)));
            prop_assert!(cursor.rest().is_empty());
        }
    }
}
