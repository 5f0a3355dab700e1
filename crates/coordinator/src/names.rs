//! Names that clients give, each with a type of its own.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::java::string_hash;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Copies the text; clones share it.
            #[must_use]
            pub fn new(text: &str) -> $name {
                $name(Arc::from(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// What a consumer calls its group (`group.id`).
    GroupId
}
name! {
    /// What the coordinator calls a member of a group.
    MemberId
}
name! {
    /// What a member calls itself for good (`group.instance.id`, KIP-345): it is then static, and
    /// keeps its partitions over a restart.
    InstanceId
}
name! {
    /// A name of a way to assign partitions that members agree on, such as `range`.
    ProtocolName
}
name! {
    /// A topic as a group names it. It need not exist.
    Topic
}

impl GroupId {
    /// Where in an `__consumer_offsets` of so many partitions the group belongs, as every broker
    /// and tool of Kafka's finds it: the absolute value of Java's hash of its name (0 for the least
    /// there is), divided among them.
    ///
    /// # Panics
    /// When there is no partition.
    ///
    /// # Examples
    /// ```
    /// use klamm_coordinator::GroupId;
    ///
    /// assert_eq!(GroupId::new("flights").partition(50), 9);
    /// ```
    #[must_use]
    pub fn partition(&self, partitions: usize) -> usize {
        string_hash(self.as_str()).checked_abs().map_or(0, |hash| hash.unsigned_abs() as usize) % partitions
    }
}

impl Topic {
    /// The same text, without looking at it: clones of one have it.
    pub(crate) fn is_the_same(&self, other: &Topic) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::GroupId;

    /// What Kafka's `Utils.abs(group.hashCode()) % partitions` gives. A negative hash was once cut
    /// of its sign, which is another partition.
    #[test]
    fn a_group_belongs_where_kafka_looks_for_it() {
        let table = [
            ("readers", 28, 1),
            ("flights", 9, 1),
            ("Gruppe für 🦀", 17, 1),
            ("group-1", 49, 2),
            ("my-consumer-group", 13, 1),
            ("polygenelubricants", 0, 0),
            ("planes", 33, 0),
        ];
        for (group, of_50, of_3) in table {
            let group = GroupId::new(group);
            assert_eq!((group.partition(50), group.partition(3)), (of_50, of_3), "{group}");
        }
    }
}
