//! Topic ids (KIP-516).

use std::fmt;
use std::str::FromStr;

/// The 128-bit id that tells a topic from an earlier one of the same name (KIP-516).
///
/// Shown as Kafka does: 22 characters of URL-safe base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId([u8; 16]);

/// A text is no topic id: the error of parsing one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicIdError {
    got: String,
}

impl TopicId {
    /// The id with these bytes, or `None` for all zeros, which stand for "no id".
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Option<TopicId> {
        (bytes != [0; 16]).then_some(TopicId(bytes))
    }

    /// A random id (a version 4 UUID) made of 16 random bytes that the caller brings.
    #[must_use]
    pub fn from_random(mut random: [u8; 16]) -> TopicId {
        random[6] = (random[6] & 0x0f) | 0x40;
        random[8] = (random[8] & 0x3f) | 0x80;
        TopicId(random)
    }

    /// The bytes, in the order of the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        (0..22).try_for_each(|i| write!(f, "{}", char::from(ALPHABET[digit(bits, i)])))
    }
}

/// The `i`-th group of six bits; the last of the 22 has only two, filled up with zeros.
fn digit(bits: u128, i: u32) -> usize {
    let group = if i < 21 { bits >> (122 - 6 * i) } else { bits << 4 };
    usize::try_from(group & 0x3f).expect("six bits fit")
}

impl FromStr for TopicId {
    type Err = TopicIdError;

    fn from_str(text: &str) -> Result<TopicId, TopicIdError> {
        parse(text.as_bytes()).and_then(TopicId::new).ok_or_else(|| TopicIdError { got: text.to_owned() })
    }
}

fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let digits: Option<Vec<u128>> = text.iter().map(|c| value_of(*c)).collect();
    let digits = digits.filter(|d| d.len() == 22 && d[21] & 0xf == 0)?;
    let bits = digits[..21].iter().fold(0u128, |bits, digit| bits << 6 | digit);
    Some((bits << 2 | digits[21] >> 4).to_be_bytes())
}

fn value_of(character: u8) -> Option<u128> {
    ALPHABET.iter().position(|c| *c == character).map(|at| at as u128)
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

impl fmt::Display for TopicIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a topic id of 22 base64 characters that is not zero, got {:?}", self.got)
    }
}

impl std::error::Error for TopicIdError {}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes_what_kafka_wrote() {
        for text in ["arPZ6WUhQLiuRkMfXfPAlg", "6lBow_NVuDDefGEipnWv1A", "nI8tZRk3TCCKs2Pc7vS4ug"] {
            assert_eq!(text.parse::<TopicId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "arPZ6WUhQLiuRkMfXfPAl",
            "arPZ6WUhQLiuRkMfXfPAlh",
            "ärPZ6WUhQLiuRkMfXfPAl",
        ] {
            assert!(text.parse::<TopicId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_bytes_are_each_others_inverse(bytes: [u8; 16]) {
            let id = TopicId::from_random(bytes);
            prop_assert_eq!(id.to_string().parse::<TopicId>().unwrap(), id);
        }
    }
}
