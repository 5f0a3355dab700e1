//! How a figure is taken: the contestants run in turn, again and again, in one process; each round
//! measures the CPU time of the thread; the median of the rounds counts, and ratios are formed
//! within a round.
#![forbid(unsafe_code)]

pub mod alloc;
pub mod rounds;
