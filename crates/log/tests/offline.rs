//! Files of a log that are missing, empty or cannot be written: the log opens without them, or is
//! offline by name while the other logs serve.

mod support;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use klamm_log::{Depth, DirConfig, Durability, LogConfig, LogDir, OnDamage, OpenError, TopicPartition};
use klamm_sim::HookDisk;
use klamm_types::TopicId;
use support::{append, batch, copy_as_killed, epoch, open, values};

const MARKER: &str = ".kafka_cleanshutdown";
const EPOCHS: &str = "t-0/leader-epoch-checkpoint";

/// Logs `t-0` and `u-0` with ten batches of one record each, three of them in epoch 1 and five in
/// epoch 4.
fn filled(path: &Path) {
    let dir = open(path, LogConfig { index_interval_bytes: 150, ..LogConfig::default() });
    for topic in ["t", "u"] {
        let log = dir.log(topic, 0).unwrap();
        for (n, leader) in [0, 0, 1, 1, 1, 4, 4, 4, 4, 4].into_iter().enumerate() {
            let mut one = batch(&n.to_string(), 1, 1000);
            log.append_batches(&mut one, epoch(leader), Depth::Header, Durability::Written).unwrap();
        }
    }
    dir.close().unwrap();
}

fn log_file(path: &Path) -> std::path::PathBuf {
    path.join("t-0/00000000000000000000.log")
}

fn cut_off(path: &Path) {
    let bytes = fs::read(log_file(path)).unwrap();
    fs::write(log_file(path), &bytes[..bytes.len() - 20]).unwrap();
}

#[test]
fn a_log_that_cannot_be_opened_is_offline_by_name_and_the_others_serve() {
    for killed in [false, true] {
        let root = tempfile::tempdir().unwrap();
        filled(root.path());
        if killed {
            fs::remove_file(root.path().join(MARKER)).unwrap();
        }
        cut_off(root.path());
        let dir = LogDir::open(root.path()).unwrap();
        let offline = dir.offline();
        assert_eq!(offline.iter().map(|log| log.partition.to_string()).collect::<Vec<_>>(), ["t-0"]);
        let why = offline[0].error.to_string();
        assert!(why.contains("t-0"), "{why}");
        assert_eq!(dir.log("t", 0).unwrap_err().to_string(), why, "asking for it tries again");
        let other = dir.log("u", 0).unwrap();
        append(&other, "more");
        assert_eq!(values(&other).len(), 11);
        dir.close().unwrap();
        // What was closed cleanly and not opened is as clean as it was; what was killed has still
        // to be recovered.
        assert_eq!(root.path().join(MARKER).exists(), !killed);
        let repair = DirConfig { on_damage: OnDamage::Cut, ..DirConfig::default() };
        let dir = LogDir::open_with(root.path(), repair).unwrap();
        assert!(dir.offline().is_empty());
        assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 9);
    }
}

#[test]
fn a_log_that_was_offline_is_opened_once_its_files_are_right_again() {
    let root = tempfile::tempdir().unwrap();
    filled(root.path());
    let whole = fs::read(log_file(root.path())).unwrap();
    cut_off(root.path());
    let dir = LogDir::open(root.path()).unwrap();
    assert_eq!(dir.offline().len(), 1);
    fs::write(log_file(root.path()), whole).unwrap();
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 10);
    assert!(dir.offline().is_empty());
}

#[test]
fn an_epoch_checkpoint_that_is_missing_empty_or_malformed_is_read_from_the_batches() {
    for killed in [false, true] {
        for (name, text) in [("missing", None), ("empty", Some("")), ("malformed", Some("0\n3\n0 0\n1 "))] {
            let root = tempfile::tempdir().unwrap();
            filled(root.path());
            let want = fs::read_to_string(root.path().join(EPOCHS)).unwrap();
            assert_eq!(want, "0\n3\n0 0\n1 2\n4 5\n");
            if killed {
                fs::remove_file(root.path().join(MARKER)).unwrap();
            }
            match text {
                Some(text) => fs::write(root.path().join(EPOCHS), text).unwrap(),
                None => fs::remove_file(root.path().join(EPOCHS)).unwrap(),
            }
            let dir = LogDir::open(root.path()).unwrap();
            let log = dir.log("t", 0).unwrap();
            assert_eq!(values(&log).len(), 10, "{name}");
            let starts: Vec<_> =
                log.epochs().entries().iter().map(|e| (e.epoch.get(), e.start.get())).collect();
            assert_eq!(starts, [(0, 0), (1, 2), (4, 5)], "{name}");
            let told = dir.inconsistencies();
            assert_eq!(told.len(), usize::from(name == "malformed"), "{told:?}");
            drop((log, dir));
            assert_eq!(fs::read_to_string(root.path().join(EPOCHS)).unwrap(), want, "{name}");
        }
    }
}

#[test]
fn a_log_with_records_is_opened_for_its_own_topic_only() {
    let [own, other] = [1, 2].map(|n| TopicId::new([n; 16]).unwrap());
    let name: TopicPartition = "t-0".parse().unwrap();
    let root = tempfile::tempdir().unwrap();
    let metadata = root.path().join("t-0/partition.metadata");
    let create = |dir: &LogDir, id| dir.create(&name, LogConfig::default(), Some(id));
    let dir = LogDir::open(root.path()).unwrap();
    append(&create(&dir, own).unwrap(), "a record");
    dir.release(&name);
    assert!(dir.get(&name).is_none());
    let error = create(&dir, other).unwrap_err();
    assert!(
        matches!(error, OpenError::Topic { got: Some(got), expected, .. } if (got, expected) == (own, other))
    );
    fs::write(&metadata, "").unwrap();
    assert_eq!(dir.topic_id(&name).unwrap(), None);
    let error = create(&dir, own).unwrap_err();
    assert!(error.to_string().contains("partition.metadata: got no topic id"), "{error}");
    fs::write(&metadata, format!("version: 0\ntopic_id: {own}")).unwrap();
    assert_eq!(values(&create(&dir, own).unwrap()), ["a record"]);
}

#[test]
fn an_empty_log_takes_the_id_of_the_topic_that_it_is_opened_for() {
    let id = TopicId::new([1; 16]).unwrap();
    let name: TopicPartition = "t-0".parse().unwrap();
    for text in [None, Some("")] {
        let root = tempfile::tempdir().unwrap();
        LogDir::open(root.path()).unwrap().log("t", 0).unwrap();
        let metadata = root.path().join("t-0/partition.metadata");
        text.map_or(Ok(()), |text| fs::write(&metadata, text)).unwrap();
        let dir = LogDir::open(root.path()).unwrap();
        dir.release(&name);
        dir.create(&name, LogConfig::default(), Some(id)).unwrap();
        assert_eq!(fs::read_to_string(&metadata).unwrap(), format!("version: 0\ntopic_id: {id}"));
    }
}

#[test]
fn a_full_disk_after_a_kill_does_not_keep_a_log_from_opening() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig { index_interval_bytes: 150, ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    for n in 0..20 {
        append(&log, &n.to_string());
        if n == 9 {
            log.roll().unwrap();
        }
    }
    copy_as_killed(&path, &killed);
    for index in ["00000000000000000000.index", "00000000000000000010.timeindex"] {
        fs::write(killed.join("t-0").join(index), "").unwrap();
    }
    fs::remove_file(killed.join(EPOCHS)).unwrap();
    let disk = HookDisk::default();
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    disk.set(move |operation, _| if operation == "write" { full() } else { Ok(()) });
    let config = DirConfig {
        disk: Arc::new(disk.clone()),
        log: LogConfig { index_interval_bytes: 150, ..LogConfig::default() },
        ..DirConfig::default()
    };
    let dir = LogDir::open_with(&killed, config).unwrap();
    assert!(dir.offline().is_empty(), "{:?}", dir.offline());
    let log = dir.log("t", 0).unwrap();
    assert_eq!(values(&log).len(), 20);
    disk.clear();
    append(&log, "more");
    dir.close().unwrap();
    let log = open(&killed, LogConfig::default()).log("t", 0).unwrap();
    assert_eq!(values(&log).len(), 21);
    assert_eq!(log.verify(Depth::Header).unwrap(), []);
}
