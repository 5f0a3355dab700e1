//! A named pipe in the place of a file of a log. In a file of its own: a process that is started
//! holds the locks of directories for a moment.

mod support;

use std::fs;
use std::path::Path;

use klamm_log::{LogConfig, LogDir, Position};
use support::{append, open};

/// Two logs with ten records each.
fn filled(path: &Path) {
    let dir = open(path, LogConfig { index_interval_bytes: 150, ..LogConfig::default() });
    for topic in ["t", "u"] {
        let log = dir.log(topic, 0).unwrap();
        (0..10).for_each(|n| _ = append(&log, &n.to_string()));
    }
    dir.close().unwrap();
}

/// Opens a directory and tells what is wrong with it, and how many records each of its logs serves.
fn told(path: &Path) -> String {
    let dir = match LogDir::open(path) {
        Ok(dir) => dir,
        Err(error) => return error.to_string(),
    };
    let offline = dir.offline().into_iter().map(|log| log.error.to_string());
    let told: Vec<_> = offline.chain(dir.inconsistencies().iter().map(ToString::to_string)).collect();
    let records = |log: klamm_log::Log| log.records(Position::Start).unwrap().filter(Result::is_ok).count();
    let served: Vec<_> = dir.logs().into_iter().map(records).collect();
    format!("{told:?}, {served:?} records")
}

/// A named pipe has no end of its own: whoever opens it waits for the other one.
#[test]
fn a_named_pipe_in_the_place_of_a_file_is_named_and_nothing_waits_for_it() {
    for name in [
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "t-0/leader-epoch-checkpoint",
        "t-0/partition.metadata",
        "t-0/00000000000000000000.log",
        "t-0/00000000000000000000.index",
        "t-0/00000000000000000000.timeindex",
    ] {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        let pipe = folder.path().join(name);
        let _ = fs::remove_file(&pipe);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (send, told_in_time) = std::sync::mpsc::channel();
        let path = folder.path().to_owned();
        std::thread::spawn(move || send.send(told(&path)));
        let told = told_in_time.recv_timeout(std::time::Duration::from_secs(60));
        let told = told.unwrap_or_else(|_| panic!("opening waits for {name}"));
        let named = name.split('/').next().unwrap_or(name);
        assert!(told.contains(named) || told == "[], [10, 10] records", "{name}: {told}");
    }
}
