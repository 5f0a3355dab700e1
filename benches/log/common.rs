//! What the parts share: logs that can be emptied, batches, raw writes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use klamm_benches::rounds::{Figures, Round};
use klamm_log::disk::{Disk, OsDisk};
use klamm_log::{DirConfig, Durability, Log, LogConfig, LogDir, NewRecord, Timestamp};
use klamm_record::{BatchBuilder, BatchOptions};

/// First touch of pages that the host took back makes the page cache slow: touch them now.
pub(crate) fn warm_up(root: &Path) {
    let path = root.join("warm");
    std::fs::write(&path, vec![1; 700 << 20]).expect("writable");
    std::fs::remove_file(path).expect("removable");
}

/// A new log in a folder of its own.
pub(crate) fn log(root: &Path, name: &str) -> (LogDir, Log) {
    log_on(Arc::new(OsDisk), root, name)
}

/// A new log in a folder of its own, on this disk.
pub(crate) fn log_on(disk: Arc<dyn Disk>, root: &Path, name: &str) -> (LogDir, Log) {
    let path = root.join(name);
    let _ = std::fs::remove_dir_all(&path);
    let dir = LogDir::open_with(path, DirConfig { disk, ..DirConfig::default() }).expect("opens");
    let log = dir.log("bench", 0).expect("opens");
    (dir, log)
}

/// Ends a log that is done with: its files are emptied first, so that closing it syncs nothing.
pub(crate) fn discard(dir: &LogDir, log: &Log) {
    for entry in std::fs::read_dir(log.path()).expect("there") {
        let path = entry.expect("there").path();
        File::options().write(true).open(path).and_then(|file| file.set_len(0)).expect("writable");
    }
    let _ = dir.close();
}

/// A batch of `records` records whose value has `size` bytes.
pub(crate) fn batch_of(records: usize, size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    let value = vec![b'v'; size];
    for n in 0..records {
        builder
            .append(&NewRecord::new(&value).at(Timestamp::from_millis(1_700_000_000_000 + n as i64)))
            .expect("fits");
    }
    builder.finish().expect("has records").buffer
}

/// Prints the figures, each with its ratio to the first.
pub(crate) fn show(unit: &str, figures: &[Figures]) {
    for figure in figures {
        let ratio = figure.ratio_to(&figures[0]);
        println!("  {:<34} {:>14.0} {unit}/CPU s   ratio {ratio:.2}", figure.name, figure.median());
    }
}

/// Writes `buffer` `count` times to a new file, which is emptied afterwards; each counts as so many
/// `units`.
pub(crate) fn raw_writes<'a>(root: &Path, buffer: &[u8], count: u64, units: u64) -> Round<'a> {
    let mut file = File::create(root.join("raw")).expect("writable");
    (0..count).for_each(|_| file.write_all(buffer).expect("written"));
    Round::of(count * units).then(move || file.set_len(0).expect("writable"))
}

/// A log of 100-byte records in 16 KiB batches, with about this many segments.
pub(crate) fn filled(root: &Path, records: u64, segments: u64) -> (LogDir, Log) {
    let (dir, log) = log(root, &format!("filled-{segments}"));
    let bytes = u32::try_from((records * 113 / segments).max(64 << 10)).expect("small");
    log.set_config(LogConfig { segment_bytes: bytes, ..LogConfig::default() }).expect("valid");
    let mut writer = log.writer(Durability::Written);
    let value = [b'v'; 100];
    (0..records).for_each(|_| writer.push(&NewRecord::new(&value)).expect("appends"));
    drop(writer);
    (dir, log)
}
