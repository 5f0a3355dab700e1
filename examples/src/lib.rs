//! What the example programs and the tests share: the text form of what lies in a partition's folder.
#![forbid(unsafe_code)]

pub mod dump;
pub mod time;
