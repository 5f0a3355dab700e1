//! What holds of a group whose broker assigns, whatever happens: a file each.

#![allow(unreachable_pub)]

pub mod becomes_stable;
pub mod epochs_rise;
pub mod offsets_are_kept;
pub mod one_reader;
pub mod replay_is_the_same;
pub mod targets_are_valid;
