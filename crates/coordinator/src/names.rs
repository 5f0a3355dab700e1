//! Names that clients give, each with a type of its own.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

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
    /// What a member calls itself for good (`group.instance.id`, KIP-345): it is then static, and keeps its partitions over a restart.
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

impl Topic {
    /// The same text, without looking at it: clones of one have it.
    pub(crate) fn is_the_same(&self, other: &Topic) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
