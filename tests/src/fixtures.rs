//! The folders that Apache Kafka 4.3.1 wrote, and what its own tool says about them
//! (`fixtures/README.md`).

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use klamm_examples::dump::{BatchLine, RecordLine};
use klamm_record::{Batches, Record};

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

/// Lines of a partition's dump that follow `Dumping FILE`, up to the next such line, line breaks in
/// payloads included.
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

/// Batches and records of `bytes` as the dump prints them; the first batch stands at `position`.
///
/// # Panics
/// When a batch is not valid.
#[must_use]
pub fn lines_of(bytes: &Bytes, mut position: u64, with_records: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in Batches::new(bytes.clone()) {
        let batch = batch.expect("a valid batch");
        lines.push(BatchLine { header: &batch, position, valid: true }.to_string());
        position += batch.size() as u64;
        if with_records {
            let records = batch.records(16 << 20).expect("decompresses");
            let line = |r: Record<'_>| RecordLine { header: &batch, record: &r }.to_string();
            let text = records.iter().map(|r| line(r.expect("a valid record")));
            lines.extend(text.flat_map(|line| line.lines().map(str::to_owned).collect::<Vec<_>>()));
        }
    }
    lines
}

/// The lines of a dump that speak of batches and, unless it is an internal topic whose records are
/// printed decoded, of records.
#[must_use]
pub fn wanted_lines(partition: &str, file: &str) -> Vec<String> {
    let mut want = dump_of(partition, file);
    let with_records = !is_internal(partition);
    want.retain(|line| line.starts_with("baseOffset: ") || (with_records && line.starts_with("| offset: ")));
    want
}

/// Whether the dump prints the partition's records decoded.
#[must_use]
pub fn is_internal(partition: &str) -> bool {
    partition.starts_with("__")
}

/// Copies the whole folder to `to`, where a test can write.
///
/// # Panics
/// When the disk refuses.
pub fn copy_to(to: &Path) {
    copy(&root(), to);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("writable");
        }
    }
}
