//! `klamm-log` beside the system calls it cannot do without.
//! `cargo bench -p klamm-benches --bench log [-- PART...]`
//!
//! Figures are per CPU second of the thread; the ratio is to the raw limit in the same round;
//! medians. What a round wrote is cut before the next one: the first touch of a page that the host
//! took back would else be most of what is measured.
//!
//! Parts: `batches`, `single`, `writer`, `reads`, `reopen`, `durable`, `compaction`, `partitions`.
//! `BENCH_DIR` says where the files are (default: here).
#![allow(
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod append;
mod batches;
mod common;
mod compaction;
mod durable;
mod partitions;
mod reads;
mod reopen;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;

use klamm_benches::alloc;

struct Counting;

// SAFETY: hands everything to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        alloc::note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A part of the bench, by its name.
type Part = (&'static str, fn(&Path));

const PARTS: [Part; 8] = [
    ("batches", batches::run),
    ("single", append::single),
    ("writer", append::writer),
    ("reads", reads::run),
    ("reopen", reopen::run),
    ("durable", durable::run),
    ("compaction", compaction::run),
    ("partitions", partitions::run),
];

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let root =
        tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".into())).expect("writable");
    common::warm_up(root.path());
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part(root.path());
        }
    }
}
