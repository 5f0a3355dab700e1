//! Creating and removing many logs at once: how often the disk syncs, and what a power failure
//! leaves.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use klamm_log::{
    Clock, DirConfig, Durability, LogConfig, LogDir, NewLog, NewRecord, Offset, SystemClock, TopicPartition,
};
use klamm_sim::{HookDisk, SimDisk};
use klamm_types::TopicId;
use support::open_hook;
use support::{all, append, open};

fn new_logs(count: usize) -> Vec<NewLog> {
    (0..count)
        .map(|number| NewLog {
            partition: format!("t-{number}").parse().unwrap(),
            config: Arc::new(LogConfig::default()),
            topic_id: TopicId::new([7; 16]),
        })
        .collect()
}

fn names(logs: &[NewLog]) -> Vec<TopicPartition> {
    logs.iter().map(|log| log.partition.clone()).collect()
}

fn create(dir: &LogDir, logs: &[NewLog]) {
    dir.create_many(logs).into_iter().for_each(|log| drop(log.unwrap()));
}

/// What the disk is asked to sync from now on.
fn watch_syncs(disk: &HookDisk) -> Arc<Mutex<Vec<PathBuf>>> {
    let syncs = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&syncs);
    disk.set(move |operation, path: &Path| {
        if operation.starts_with("sync") {
            noted.lock().unwrap().push(path.to_owned());
        }
        Ok(())
    });
    syncs
}

#[test]
fn creating_many_logs_syncs_the_directory_once() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(folder.path(), LogConfig::default());
    create(&dir, &new_logs(1));
    let syncs = watch_syncs(&disk);
    create(&dir, &new_logs(300));
    assert_eq!(*syncs.lock().unwrap(), [folder.path()]);
    assert_eq!(dir.len(), 300);
    create(&dir, &new_logs(300));
    assert_eq!(syncs.lock().unwrap().len(), 2, "those that are there already are not durable either");
}

/// The directory, `partition.metadata` with its contents, and the first segment: nothing else is
/// made before it is needed.
#[test]
fn creating_a_log_takes_four_operations() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(folder.path(), LogConfig::default());
    create(&dir, &new_logs(1));
    let counts = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let counted = Arc::clone(&counts);
    disk.set(move |operation, _: &Path| {
        *counted.lock().unwrap().entry(operation.to_owned()).or_default() += 1;
        Ok(())
    });
    create(&dir, &new_logs(301)[1..]);
    let want = [("create_dir", 300), ("open", 600), ("sync_dir", 1), ("write", 300)];
    assert_eq!(*counts.lock().unwrap(), BTreeMap::from(want.map(|(name, count)| (name.to_owned(), count))));
}

#[test]
fn a_log_that_is_named_twice_is_created_once_and_the_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(folder.path(), LogConfig::default());
    let made = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&made);
    disk.set(move |operation, path: &Path| {
        if operation == "create_dir" {
            noted.lock().unwrap().push(path.to_owned());
        }
        Ok(())
    });
    let twice: Vec<_> = new_logs(400).into_iter().flat_map(|log| [log.clone(), log]).collect();
    let logs: Vec<_> = dir.create_many(&twice).into_iter().map(Result::unwrap).collect();
    assert_eq!(logs.iter().map(|log| log.partition().clone()).collect::<Vec<_>>(), names(&twice));
    let made = made.lock().unwrap();
    assert_eq!((made.len(), made.iter().collect::<BTreeSet<_>>().len()), (400, 400));
    append(&logs[0], "a");
    assert_eq!(all(&logs[1]).len(), 1, "both are handles on one log");
}

#[test]
fn removing_many_logs_writes_each_checkpoint_once() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(folder.path(), LogConfig::default());
    let logs = new_logs(300);
    create(&dir, &logs);
    // The checkpoints name all logs from here on.
    dir.maintain(SystemClock.now()).unwrap();
    let syncs = watch_syncs(&disk);
    let removed = dir.remove_many(&names(&logs)).unwrap();
    assert!(removed.into_iter().all(|removed| removed.unwrap()));
    let (synced, checkpoints) = (syncs.lock().unwrap().clone(), 4);
    assert!(synced.len() <= 2 * checkpoints + 1, "{synced:?}");
    assert!(dir.is_empty());
    assert!(dir.remove_many(&names(&logs)).unwrap().into_iter().all(|removed| !removed.unwrap()));
    create(&dir, &logs);
    assert_eq!(dir.get(&logs[7].partition).unwrap().bounds().end(), Offset::ZERO);
}

#[test]
fn closing_syncs_no_new_log_that_was_never_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(folder.path(), LogConfig::default());
    create(&dir, &new_logs(100));
    append(&dir.get(&"t-0".parse().unwrap()).unwrap(), "a");
    let syncs = watch_syncs(&disk);
    dir.close().unwrap();
    let synced = syncs.lock().unwrap().clone();
    let is_other =
        |path: &&PathBuf| path.to_string_lossy().contains("/t-") && !path.to_string_lossy().contains("/t-0");
    assert_eq!(synced.iter().find(is_other), None);
    drop(dir);
    let dir = open(folder.path(), LogConfig::default());
    assert_eq!(dir.len(), 100);
    assert_eq!(all(&dir.get(&"t-0".parse().unwrap()).unwrap()).len(), 1);
}

/// After a power failure, whatever the disk kept: a record that was acknowledged as durable is
/// there, its log knows its topic, and a log that was never written to is there, empty, or can be
/// created.
#[test]
fn a_power_failure_loses_no_log_with_records() {
    let logs = new_logs(3);
    let disk = SimDisk::default();
    let open = |disk: &SimDisk| {
        let config = DirConfig { disk: Arc::new(disk.clone()), ..DirConfig::default() };
        LogDir::open_with("/data", config).unwrap()
    };
    let dir = open(&disk);
    create(&dir, &logs);
    let written = dir.get(&logs[1].partition).unwrap();
    written.append(&NewRecord::new("a"), Durability::Synced).unwrap();
    for found in disk.crash(7) {
        let dir = open(&found.disk);
        let written = dir.get(&logs[1].partition).unwrap_or_else(|| panic!("{}", found.how));
        assert_eq!(all(&written).len(), 1, "{}", found.how);
        assert_eq!(dir.topic_id(&logs[1].partition).unwrap(), logs[1].topic_id, "{}", found.how);
        for log in dir.create_many(&logs) {
            let log = log.unwrap();
            append(&log, "b");
        }
    }
}
