//! What other logs got wrong, a test each.

mod support;

use std::fs;

use klamm_log::{Durability, LogConfig, LogDir, NewRecord};
use support::{append, copy_as_killed, epoch, open, values};

/// A batch that is larger than what recovery reads at a time.
#[test]
fn a_batch_over_one_mebibyte_is_there_after_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (living, dead) = (root.path().join("living"), root.path().join("dead"));
    let dir = open(&living, LogConfig { max_message_bytes: 8 << 20, ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    let large = "x".repeat(5 << 20);
    log.append(&NewRecord::new("before"), Durability::Written).unwrap();
    log.append(&NewRecord::new(&large), Durability::Written).unwrap();
    log.append(&NewRecord::new("behind"), Durability::Written).unwrap();
    copy_as_killed(&living, &dead);
    let dir = open(&dead, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    assert_eq!(values(&log).iter().map(String::len).collect::<Vec<_>>(), [6, 5 << 20, 6]);
    assert!(dir.cuts().is_empty());
}

/// KAFKA-16541: a checkpoint of the epochs that is not whole is an error with the file's name, not
/// a log without epochs.
#[test]
fn a_leader_epoch_checkpoint_that_is_cut_short_is_named_and_read_from_the_batches() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for number in 0..3 {
        let mut batch = support::batch("v", 2, 1000);
        let depth = klamm_log::Depth::Header;
        log.append_batches(&mut batch, epoch(number), depth, Durability::Written).unwrap();
    }
    dir.close().unwrap();
    let path = root.path().join("t-0/leader-epoch-checkpoint");
    let whole = fs::read_to_string(&path).unwrap();
    let mut named = 0;
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let dir = LogDir::open(root.path()).unwrap();
        assert_eq!(dir.log("t", 0).unwrap().epochs().entries().len(), 3, "cut at {length}");
        let says = |found: &klamm_log::Inconsistency| found.path.ends_with("t-0/leader-epoch-checkpoint");
        named += usize::from(dir.inconsistencies().iter().any(says));
    }
    // Without its last line break it says the same.
    assert!(named > whole.len() / 2, "{named} of {}", whole.len());
}

/// A sealed segment that is torn: found when the log is opened after an unclean stop, if it lies
/// behind the recovery point, and by the first read in any case.
#[test]
fn a_torn_sealed_segment_is_found_by_the_first_read() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..5 {
        append(&log, &n.to_string());
    }
    log.roll().unwrap();
    append(&log, "behind");
    dir.close().unwrap();
    let path = root.path().join("t-0/00000000000000000000.log");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    let read: Result<Vec<_>, _> = log.records(klamm_log::Position::Start).unwrap().collect();
    let text = read.unwrap_err().to_string();
    assert!(text.contains("00000000000000000000.log at byte") && text.contains("cut short"), "{text}");
}
