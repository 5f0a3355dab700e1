//! Directories in a log directory that hold no log are neither deleted nor written into.

mod support;

use std::fs;
use std::path::Path;

use klamm_log::{LogConfig, LogDir, OpenError};
use support::{append, open, values};

const ID: &str = "0b8e8f3b7c0a4f0d9b1b6c0e1a2b3c4d";

/// All files below `path`, with their contents.
fn tree(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        match entry.is_dir() {
            true => found.extend(tree(&entry)),
            false => found.push((entry.display().to_string(), fs::read(&entry).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn directories_of_others_stay_as_they_are_whatever_their_names() {
    let root = tempfile::tempdir().unwrap();
    let names = [
        "photos-to-delete",
        "photos-2024",
        "t-0-delete",
        &format!("photos.{ID}-delete"),
        &format!("t-0.{}-delete", &ID[1..]),
        &format!("t-0.{ID}-future"),
        &format!("t-0.{ID}-stray"),
        "backup-stray",
    ];
    for name in names {
        fs::create_dir_all(root.path().join(name).join("inner-1")).unwrap();
        for file in ["a.jpg", "draft.tmp", "inner-1/b.tmp"] {
            fs::write(root.path().join(name).join(file), "a picture").unwrap();
        }
    }
    let before: Vec<_> = names.iter().map(|name| tree(&root.path().join(name))).collect();
    for round in 0..2 {
        let dir = open(root.path(), LogConfig::default());
        assert_eq!(dir.logs().len(), round, "only the log that was created");
        append(&dir.log("mine", 0).unwrap(), "one");
        dir.close().unwrap();
        let after: Vec<_> = names.iter().map(|name| tree(&root.path().join(name))).collect();
        assert_eq!(before, after);
    }
}

#[test]
fn a_directory_without_a_file_of_a_log_is_refused_as_a_log_by_name() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("photos-2024")).unwrap();
    fs::write(root.path().join("photos-2024/a.jpg"), "a picture").unwrap();
    fs::write(root.path().join("notes-0"), "a plain file").unwrap();
    let dir = open(root.path(), LogConfig::default());
    for (topic, partition, found) in [("photos", 2024, "a.jpg"), ("notes", 0, "notes-0")] {
        let error = dir.log(topic, partition).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{topic}-{partition}")) && text.contains(found), "{text}");
    }
    append(&dir.log("mine", 0).unwrap(), "one");
}

#[test]
fn an_empty_directory_becomes_a_log_only_when_it_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("t-0")).unwrap();
    let dir = open(root.path(), LogConfig::default());
    assert_eq!(dir.logs().len(), 0);
    assert_eq!(fs::read_dir(root.path().join("t-0")).unwrap().count(), 0);
    append(&dir.log("t", 0).unwrap(), "one");
    dir.close().unwrap();
    assert_eq!(values(&open(root.path(), LogConfig::default()).log("t", 0).unwrap()), ["one"]);
}

#[test]
fn removed_logs_are_deleted_at_the_next_opening_with_names_that_were_shortened_too() {
    let root = tempfile::tempdir().unwrap();
    let long = "x".repeat(249);
    let short = &long[..255 - ".-delete".len() - ID.len() - "-0".len()];
    let names = [format!("t-0.{ID}-delete"), format!("{short}-0.{ID}-delete")];
    for name in &names {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("00000000000000000000.log"), "").unwrap();
    }
    drop(open(root.path(), LogConfig::default()));
    names.iter().for_each(|name| assert!(!root.path().join(name).exists(), "{name}"));
}

#[test]
fn plain_files_with_the_names_of_directories_do_not_prevent_opening() {
    let root = tempfile::tempdir().unwrap();
    let names = [
        "t-0".to_owned(),
        "__cluster_metadata-0".to_owned(),
        "x-delete".to_owned(),
        format!("t-0.{ID}-delete"),
        format!("t-0.{ID}-future"),
        format!("t-0.{ID}-stray"),
    ];
    names.iter().for_each(|name| fs::write(root.path().join(name), "mine").unwrap());
    let dir = LogDir::open(root.path()).unwrap();
    append(&dir.log("u", 0).unwrap(), "one");
    dir.close().unwrap();
    for name in names {
        assert_eq!(fs::read(root.path().join(&name)).unwrap(), b"mine", "{name}");
    }
}

#[test]
fn files_of_others_beside_a_log_stay() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    append(&dir.log("t", 0).unwrap(), "one");
    dir.close().unwrap();
    let notes = root.path().join("t-0/notes.tmp");
    let draft = root.path().join("t-0/leader-epoch-checkpoint.tmp");
    [&notes, &draft].iter().for_each(|path| fs::write(path, "half").unwrap());
    drop(open(root.path(), LogConfig::default()));
    assert!(notes.exists() && !draft.exists());
}
