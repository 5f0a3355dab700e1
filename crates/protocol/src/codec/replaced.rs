//! Texts that are not UTF-8: U+FFFD replaces each malformed sequence, as in Java.

use std::char::REPLACEMENT_CHARACTER;

/// Bytes of the text of `bytes` with its malformed sequences replaced. Allocates nothing.
pub(super) fn length(bytes: &[u8]) -> usize {
    let replacement = |is_malformed| if is_malformed { REPLACEMENT_CHARACTER.len_utf8() } else { 0 };
    parts(bytes).map(|(valid, is_malformed)| valid.len() + replacement(is_malformed)).sum()
}

/// The text of `bytes` with its malformed sequences replaced; `length` is its [`length`].
pub(super) fn text(bytes: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    for (valid, is_malformed) in parts(bytes) {
        text.push_str(valid);
        if is_malformed {
            text.push(REPLACEMENT_CHARACTER);
        }
    }
    text
}

/// The parts that are UTF-8, and whether a malformed sequence follows.
fn parts(mut rest: &[u8]) -> impl Iterator<Item = (&str, bool)> {
    std::iter::from_fn(move || {
        let chunk = rest.utf8_chunks().next()?;
        let (valid, invalid) = (chunk.valid(), chunk.invalid());
        rest = rest.get(valid.len() + invalid.len()..)?;
        if invalid == [SURROGATE] {
            rest = behind_surrogate(rest);
        }
        Some((valid, !invalid.is_empty()))
    })
}

/// What follows a surrogate whose first byte was read. To Java its three bytes are one malformed
/// sequence, to Rust three.
fn behind_surrogate(rest: &[u8]) -> &[u8] {
    let continuation = rest.iter().take(2).take_while(|byte| matches!(byte, 0x80..=0xbf)).count();
    &rest[continuation..]
}

/// The first byte of a surrogate that is encoded like another character.
const SURROGATE: u8 = 0xed;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::codec::Reader;
    use crate::codec::wire::Wire;
    use crate::{ByteString, DecodeError};

    /// A string as it is encoded, not compact and compact.
    fn encoded(text: &[u8]) -> [(bool, Bytes); 2] {
        let length = u16::try_from(text.len()).unwrap();
        let classic = [&length.to_be_bytes()[..], text].concat();
        let compact = u32::from(length) + 1;
        let digits = [compact, compact >> 7, compact >> 14].map(|digits| (digits & 0x7f) as u8);
        let compact = [&[digits[0] | 0x80, digits[1] | 0x80, digits[2]], text].concat();
        [(false, classic.into()), (true, compact.into())]
    }

    fn read(bytes: Bytes, flex: bool) -> Result<ByteString, DecodeError> {
        ByteString::read(&mut Reader::new(bytes), 0, flex)
    }

    #[test]
    fn each_malformed_sequence_becomes_a_replacement_character() {
        for (bytes, want) in [
            (&b"caf\xe9"[..], "caf\u{fffd}"),
            (b"\xff\x00\xfe\x80", "\u{fffd}\0\u{fffd}\u{fffd}"),
            (b"a\xe2\x82b", "a\u{fffd}b"),
            (b"a\xf0\x9f\x98", "a\u{fffd}"),
            (b"\xc0\xafz", "\u{fffd}\u{fffd}z"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"a\xed\xa0\xbd\xed\xb8\x80b", "a\u{fffd}\u{fffd}b"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"\xed\xa0\xbfa\x80", "\u{fffd}a\u{fffd}"),
            (b"\xeda\xed\x9f", "\u{fffd}a\u{fffd}"),
            ("caf\u{e9}".as_bytes(), "caf\u{e9}"),
        ] {
            for (flex, encoded) in encoded(bytes) {
                assert_eq!(read(encoded, flex).as_deref(), Ok(want), "{bytes:x?}");
            }
        }
    }

    #[test]
    fn text_that_is_utf8_shares_the_memory_of_the_frame() {
        for (flex, encoded) in encoded("caf\u{e9}".as_bytes()) {
            let held = encoded.as_ptr_range();
            assert!(held.contains(&read(encoded, flex).unwrap().as_bytes().as_ptr()));
        }
    }

    #[test]
    fn a_replaced_text_is_at_most_as_long_as_a_text_can_be() {
        // 10,922 times U+FFFD is 32,766 bytes.
        for (flex, encoded) in encoded(&[&[0xff; 10_922][..], b"a"].concat()) {
            assert_eq!(read(encoded, flex).unwrap().len(), 32_767);
        }
        let want = DecodeError::Length { what: "string", got: 32_769, expected: "at most 32,767" };
        for (flex, encoded) in encoded(&[0xff; 10_923]) {
            assert_eq!(read(encoded, flex), Err(want.clone()));
        }
    }

    #[test]
    fn replaced_texts_are_counted_before_they_are_allocated() {
        let texts = |count: u32| {
            let text = [0, 1, 0xff].repeat(usize::try_from(count).unwrap());
            Bytes::from([&count.to_be_bytes()[..], &text].concat())
        };
        let few = Vec::<ByteString>::read(&mut Reader::new(texts(5)), 0, false).unwrap();
        assert_eq!(few, ["\u{fffd}"; 5]);
        for mut reader in [Reader::new(texts(1000)), Reader::measuring(texts(1000))] {
            let many = Vec::<ByteString>::read(&mut reader, 0, false);
            assert!(matches!(many, Err(DecodeError::Memory { .. })), "{many:?}");
        }
        let mut reader = Reader::measuring(texts(5));
        Vec::<ByteString>::read(&mut reader, 0, false).unwrap();
        let measured = reader.measured();
        assert_eq!((measured.texts, measured.replaced), (15, 5 * (3 + 16 + 24 + 16)));
        assert_eq!(measured.elements, 5 * size_of::<ByteString>() + 16);
    }
}
