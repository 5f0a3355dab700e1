//! The one place with unsafe code: a read-only map of an index file.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// Maps the first `length` bytes of an index file for reading.
///
/// What a reader of the map relies on is kept by the callers in this module's parent:
/// - the file is only ever appended to while a map of it lives:
///   [`Index::truncate`](super::Index::truncate) drops the map, which needs `&mut`, before it cuts
///   the file, so no page of the map can vanish (SIGBUS);
/// - the folder's lock keeps other processes that follow the format, Kafka included, from writing
///   to it;
/// - the bytes are only read as numbers, and each number is checked before it is used as a
///   position, so that bytes changing underneath could give a wrong number, never a wrong access.
pub(super) fn map(file: &File, length: usize) -> io::Result<Mmap> {
    // SAFETY: see above; `Mmap` derefs to bytes that nobody in this process writes while it lives.
    unsafe { MmapOptions::new().len(length).map(file) }
}
