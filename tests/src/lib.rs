//! What the tests that span crates share.
#![forbid(unsafe_code)]

pub mod admin;
pub mod client;
pub mod consumers;
pub mod document;
pub mod fixtures;
pub mod groups;
pub mod hostile;
pub mod http;
pub mod power_loss;
pub mod raw;
pub mod requests;

/// The root's README, so that its snippets are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
