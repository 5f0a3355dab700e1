//! What holds of a group whatever happens: a file each.

#![allow(unreachable_pub)]

pub mod becomes_stable;
pub mod generation_rises;
pub mod offsets_are_kept;
pub mod one_assignment;
