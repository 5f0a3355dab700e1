//! Ids on the wire.

use std::fmt;

use klamm_types::TopicId;

/// A 128-bit id on the wire; all zeros mean none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The id that means none.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// As a topic's id; `None` for zero.
    #[must_use]
    pub fn topic_id(self) -> Option<TopicId> {
        TopicId::new(self.0)
    }
}

impl From<TopicId> for Uuid {
    fn from(id: TopicId) -> Uuid {
        Uuid(*id.as_bytes())
    }
}

impl From<Option<TopicId>> for Uuid {
    fn from(id: Option<TopicId>) -> Uuid {
        id.map_or(Uuid::ZERO, Uuid::from)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.topic_id() {
            Some(id) => id.fmt(f),
            None => f.write_str("AAAAAAAAAAAAAAAAAAAAAA"),
        }
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}
