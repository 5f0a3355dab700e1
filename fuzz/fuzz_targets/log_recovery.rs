//! Any bytes as a segment, an index or a checkpoint, found after an unclean stop: opening is an
//! error or a log that reads to its end, and opening again finds the same.
#![no_main]

use std::sync::atomic::{AtomicU64, Ordering};

use klamm_log::{LogDir, Position};
use libfuzzer_sys::fuzz_target;

static ROUND: AtomicU64 = AtomicU64::new(0);

fuzz_target!(|data: (u8, Vec<u8>, Vec<u8>)| {
    let (what, mut bytes, other) = data;
    let root = std::env::temp_dir().join(format!(
        "klamm-fuzz-{}-{}",
        std::process::id(),
        ROUND.fetch_add(1, Ordering::Relaxed)
    ));
    let folder = root.join("t-0");
    std::fs::create_dir_all(&folder).expect("writable");
    klamm_fuzz::mend_crc(&mut bytes);
    std::fs::write(folder.join("00000000000000000000.log"), &bytes).expect("writable");
    let name = [
        "t-0/00000000000000000000.index",
        "t-0/00000000000000000000.timeindex",
        "recovery-point-offset-checkpoint",
        "t-0/leader-epoch-checkpoint",
        ".kafka_cleanshutdown",
    ][usize::from(what) % 5];
    std::fs::write(root.join(name), &other).expect("writable");
    let first = read_all(&root);
    if let Some(first) = first {
        assert_eq!(read_all(&root), Some(first));
    }
    let _ = std::fs::remove_dir_all(&root);
});

/// The records, up to the first that is damaged; `None` when the folder does not open.
fn read_all(root: &std::path::Path) -> Option<(i64, usize)> {
    let dir = LogDir::open(root).ok()?;
    let log = dir.log("t", 0).ok()?;
    let mut reader = log.reader(Position::Start).ok()?;
    let mut count = 0;
    while let Ok(Some(_)) = reader.next() {
        count += 1;
    }
    dir.close().ok()?;
    Some((log.bounds().end().get(), count))
}
