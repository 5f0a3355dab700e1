//! What the tests that span crates share.
#![forbid(unsafe_code)]

pub mod client;
pub mod fixtures;
