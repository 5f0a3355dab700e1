//! Topic names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Name of a topic: 1 to 249 of the characters `a-z A-Z 0-9 . _ -`, and neither `.` nor `..`.
///
/// Because the check is in the constructor, a `TopicName` can be part of a path. Cloning it copies
/// a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a text is no topic name, or no name of a partition's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    Empty,
    /// The name is longer than [`TopicName::MAX_LEN`].
    TooLong {
        /// Length of the name in bytes.
        got: usize,
    },
    /// The name is `.` or `..`, which a file system reads as something else.
    Dots,
    /// A character outside of `a-z A-Z 0-9 . _ -`.
    BadCharacter {
        /// The first such character.
        got: char,
        /// Where it stands, in bytes.
        at: usize,
    },
    /// Not of the form `topic-partition`.
    NotAPartition {
        /// The text that was given.
        got: String,
    },
}

impl TopicName {
    /// The most bytes a name can have: folder names of 255 bytes leave room for `-` and the
    /// partition.
    pub const MAX_LEN: usize = 249;

    /// Checks `name` and makes it a topic name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the name breaks.
    pub fn new(name: &str) -> Result<TopicName, NameError> {
        check(name).map(|()| TopicName(Arc::from(name)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(name: &str) -> Result<(), NameError> {
    match name {
        "" => return Err(NameError::Empty),
        "." | ".." => return Err(NameError::Dots),
        _ => {}
    }
    if name.len() > TopicName::MAX_LEN {
        return Err(NameError::TooLong { got: name.len() });
    }
    match name.char_indices().find(|(_, c)| !is_allowed(*c)) {
        Some((at, got)) => Err(NameError::BadCharacter { got, at }),
        None => Ok(()),
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

impl FromStr for TopicName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<TopicName, NameError> {
        TopicName::new(name)
    }
}

impl AsRef<str> for TopicName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicName({:?})", self.as_str())
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("topic name is empty, expected 1 to 249 characters"),
            NameError::TooLong { got } => write!(f, "topic name has {got} characters, expected at most 249"),
            NameError::Dots => f.write_str("topic name must not be '.' or '..'"),
            NameError::BadCharacter { got, at } => {
                write!(f, "topic name has {got:?} at {at}, expected only a-z A-Z 0-9 . _ -")
            }
            NameError::NotAPartition { got } => {
                write!(f, "expected a topic and a partition number such as orders-0, got {got:?}")
            }
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let longest = "a".repeat(249);
        let too_long = "a".repeat(250);
        for (name, want) in [
            ("a", Ok(())),
            ("A.b_c-9", Ok(())),
            ("...", Ok(())),
            (longest.as_str(), Ok(())),
            (too_long.as_str(), Err(NameError::TooLong { got: 250 })),
            ("", Err(NameError::Empty)),
            (".", Err(NameError::Dots)),
            ("..", Err(NameError::Dots)),
            ("../x", Err(NameError::BadCharacter { got: '/', at: 2 })),
            ("a\0b", Err(NameError::BadCharacter { got: '\0', at: 1 })),
            ("straße", Err(NameError::BadCharacter { got: 'ß', at: 4 })),
        ] {
            assert_eq!(TopicName::new(name).map(|_| ()), want, "{name:?}");
        }
    }
}
