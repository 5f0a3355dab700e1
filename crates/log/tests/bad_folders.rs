//! Folders that are not as they should be: read-only, removed under an open log.

mod support;

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use klamm_log::{DirConfig, Durability, LogConfig, LogDir, NewRecord};
use klamm_sim::HookDisk;
use support::open_hook;
use support::{append, open, values};

/// What all of an error's chain says.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text += &format!(": {error}");
        next = error.source();
    }
    text
}

fn read_only(disk: &HookDisk) {
    disk.set(|operation, _| match operation {
        "open" | "write" | "truncate" | "rename" | "remove" | "create_dir" => {
            Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
        }
        _ => Ok(()),
    });
}

fn filled(path: &Path) {
    let dir = open(path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &n.to_string());
    }
    dir.close().unwrap();
}

#[test]
fn a_disk_that_became_read_only_says_so_and_what_is_there_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(folder.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &n.to_string());
    }
    read_only(&disk);
    let error = log.append(&NewRecord::new("late"), Durability::Written).unwrap_err();
    let text = told(&error);
    assert!(text.contains("t-0") && text.contains("read-only"), "{text}");
    assert_eq!(values(&log).len(), 10);
    let error = dir.log("new", 0).unwrap_err();
    let text = told(&error);
    assert!(text.contains("new-0") && text.contains("read-only"), "{text}");
    disk.clear();
}

#[test]
fn a_folder_on_a_read_only_disk_is_refused_with_its_path_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let disk = HookDisk::default();
    read_only(&disk);
    let config = DirConfig { disk: Arc::new(disk.clone()), ..DirConfig::default() };
    let opened = LogDir::open_with(folder.path(), config);
    let (error, name) = match &opened {
        Err(error) => (told(error), folder.path().to_owned()),
        Ok(dir) => {
            let log = dir.log("t", 0).unwrap();
            assert_eq!(values(&log).len(), 10);
            let error = log.append(&NewRecord::new("late"), Durability::Written).unwrap_err();
            (told(&error), folder.path().to_owned())
        }
    };
    assert!(error.contains(name.to_str().unwrap()) && error.contains("read-only"), "{error}");
    drop(opened);
    disk.clear();
    let dir = open(folder.path(), LogConfig::default());
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 10);
}

#[test]
fn a_folder_that_is_removed_is_noticed_at_once_and_a_file_within_a_second() {
    for (removed, after) in [("", 0), ("t-0", 0), ("t-0/00000000000000000000.log", 1000)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let clock = klamm_sim::HeldClock::at(5000);
        let config = DirConfig { clock: Arc::clone(&clock) as _, ..DirConfig::default() };
        let dir = LogDir::open_with(&path, config).unwrap();
        let log = dir.log("t", 0).unwrap();
        log.append(&NewRecord::new("there"), Durability::Synced).unwrap();
        let gone = path.join(removed);
        if gone.is_dir() { std::fs::remove_dir_all(gone) } else { std::fs::remove_file(gone) }.unwrap();
        clock.set(5000 + after);
        let error = log.append(&NewRecord::new("gone"), Durability::Synced).unwrap_err();
        let text = told(&error);
        assert!(text.contains("00000000000000000000.log") && text.contains("no longer"), "{text}");
        let error = log.append(&NewRecord::new("more"), Durability::Written).unwrap_err();
        assert!(told(&error).contains("no longer"), "{error}");
    }
}

/// Ten synced records in two segments, stopped cleanly.
fn synced(path: &Path) {
    let dir = open(path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &n.to_string());
        if n == 4 {
            log.roll().unwrap();
        }
    }
    dir.close().unwrap();
}

#[test]
fn a_log_that_ends_before_its_recovery_point_does_not_open() {
    for (name, take) in [
        (
            "a batch",
            (|log| File::options().write(true).open(log).unwrap().set_len(0)) as fn(&Path) -> io::Result<()>,
        ),
        ("a segment", |log| std::fs::remove_file(log)),
        ("the folder", |log| std::fs::remove_dir_all(log.parent().unwrap())),
    ] {
        for killed in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            synced(folder.path());
            take(&folder.path().join("t-0/00000000000000000005.log")).unwrap();
            if killed {
                std::fs::remove_file(folder.path().join(".kafka_cleanshutdown")).unwrap();
            }
            let config = DirConfig::default();
            let opened = LogDir::open_with(folder.path(), config).and_then(|dir| dir.log("t", 0));
            let text = told(&opened.err().unwrap_or_else(|| panic!("{name} is gone, killed: {killed}")));
            assert!(
                text.contains("t-0 ends at offset") && text.contains("before 10 had been synced"),
                "{text}"
            );
        }
    }
}

#[test]
fn what_opening_cuts_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    synced(folder.path());
    std::fs::remove_file(folder.path().join(".kafka_cleanshutdown")).unwrap();
    let log = folder.path().join("t-0/00000000000000000005.log");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, [&whole[..], &[7; 50]].concat()).unwrap();
    let dir = open(folder.path(), LogConfig::default());
    let cuts = dir.cuts();
    assert_eq!(cuts.len(), 1);
    assert_eq!((cuts[0].bytes, cuts[0].offset.get(), cuts[0].position), (50, 10, whole.len() as u64));
    assert!(cuts[0].to_string().contains("00000000000000000005.log at byte"), "{}", cuts[0]);
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 10);
}
