//! The folders that Apache Kafka 4.3.1 wrote, and what its own tool says about them (`fixtures/README.md`).

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// The folder that holds all partition folders.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kafka-4.3.1")
}

/// Names of the partition folders, sorted.
#[must_use]
pub fn partitions() -> Vec<String> {
    let entries = fs::read_dir(root()).expect("the fixtures are part of the repository");
    let folders = entries.map(|e| e.expect("readable")).filter(|e| e.path().is_dir());
    let mut names: Vec<String> = folders.map(|e| e.file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// A segment of a partition.
#[derive(Debug)]
pub struct SegmentFile {
    /// `PARTITION/FILE`, as the dump names it.
    pub name: String,
    /// All its bytes.
    pub bytes: Bytes,
}

/// The `.log` files of a partition, in order.
#[must_use]
pub fn segments(partition: &str) -> Vec<SegmentFile> {
    let entries = fs::read_dir(root().join(partition)).expect("readable");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.retain(|name| name.ends_with(".log"));
    names.sort();
    let read = |name: String| SegmentFile {
        bytes: fs::read(root().join(partition).join(&name)).expect("readable").into(),
        name: format!("{partition}/{name}"),
    };
    names.into_iter().map(read).collect()
}

/// Lines of a partition's dump that follow `Dumping FILE`, up to the next such line, line breaks in payloads included.
///
/// # Panics
/// When the dump does not speak of that file.
#[must_use]
pub fn dump_of(partition: &str, file: &str) -> Vec<String> {
    let text = fs::read(root().join(format!("{partition}.dump.txt"))).expect("each partition has a dump");
    let text = String::from_utf8_lossy(&text).into_owned();
    let start = format!("Dumping {file}\n");
    let (_, rest) =
        text.split_once(&start).unwrap_or_else(|| panic!("{partition}.dump.txt does not dump {file}"));
    let section = rest.split("\nDumping ").next().expect("split gives at least one part");
    section.lines().map(str::to_owned).collect()
}
