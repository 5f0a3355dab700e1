//! Events of groups for logs and counters.

use std::fmt;

use crate::{GroupId, GroupKind, MemberId};

/// What has become of a group: for a log, and to be counted. Nothing has to be done about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The group.
    pub group: GroupId,
    /// What.
    pub news: News,
}

/// Something that becomes of groups.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum News {
    /// Somebody is a member.
    Joined(MemberId),
    /// Somebody is none any more.
    Gone(MemberId, Departure),
    /// Partitions are to be assigned anew. Of a classic group, whose members are to join again, it
    /// is the generation that ends; of one whose broker assigns, the epoch that begins.
    Rebalances(GroupKind, i32),
    /// Partitions are assigned to so many members, in this generation or up to this epoch.
    Assigned(GroupKind, i32, usize),
    /// It changes to this kind, with its members.
    Becomes(GroupKind),
    /// An administrator has deleted it.
    Deleted,
}

/// Why somebody is no member any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Departure {
    /// It said so, or an administrator did.
    Left,
    /// It was not heard for a whole session.
    SessionOver,
    /// It did not join again, ask for its assignment, or give up what it had to, in the time that
    /// it has.
    TooSlow,
    /// There may be fewer members than there were.
    NoRoom,
    /// A static member has come back under another id.
    Replaced,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What a client calls itself must not look like more than one line.
            News::Joined(member) => write!(f, "{} is a member", member.as_str().escape_debug()),
            News::Gone(member, why) => {
                write!(f, "{} is no member any more: {why}", member.as_str().escape_debug())
            }
            News::Rebalances(GroupKind::Classic, generation) => {
                write!(f, "members are to join again after generation {generation}")
            }
            News::Rebalances(GroupKind::Consumer, epoch) => write!(f, "group epoch {epoch} begins"),
            News::Assigned(kind, generation, members) => {
                let of = if *kind == GroupKind::Classic { "in generation" } else { "up to epoch" };
                write!(f, "partitions are assigned {of} {generation}, members: {members}")
            }
            News::Deleted => f.write_str("the group was deleted"),
            News::Becomes(GroupKind::Classic) => f.write_str("the group changes to the classic protocol"),
            News::Becomes(GroupKind::Consumer) => f.write_str("the group changes to the consumer protocol"),
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Departure::Left => "it left",
            Departure::SessionOver => "its session is over",
            Departure::TooSlow => "it was too slow",
            Departure::NoRoom => "there is no room for it",
            Departure::Replaced => "it has come back under another id",
        })
    }
}
