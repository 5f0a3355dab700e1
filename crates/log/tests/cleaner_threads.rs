//! Compacted logs that are cleaned at a time (`log.cleaner.threads`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use klamm_log::{CleanerConfig, CleanupPolicy, DirConfig, Durability, LogConfig, LogDir, NewRecord};
use klamm_sim::HookDisk;

/// Directories of logs that are being cleaned at the same time.
#[derive(Default)]
struct Cleaned {
    logs: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

impl Cleaned {
    /// Notes the log of a file that a cleaning writes, and waits until `most` logs are written.
    fn wait_for(&self, most: usize, path: &Path) -> bool {
        let log = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let mut logs = self.logs.lock().unwrap();
        logs.extend(log);
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(logs, PATIENCE, |logs| logs.len() < most).unwrap();
        !waited.1.timed_out()
    }
}

fn compacted() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy::Compact,
        segment_bytes: 2048,
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    }
}

#[test]
fn as_many_logs_are_cleaned_at_a_time_as_there_are_threads() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, cleaned) = (HookDisk::default(), Arc::new(Cleaned::default()));
    // None to begin with: the number changes while the threads run.
    let none = CleanerConfig { threads: 0, backoff: Duration::from_millis(10), ..CleanerConfig::default() };
    let config = DirConfig {
        log: compacted(),
        cleaner: none.clone(),
        disk: Arc::new(disk.clone()),
        ..DirConfig::default()
    };
    let dir = LogDir::open_with(directory.path(), config).unwrap();
    let logs = [0, 1].map(|number| dir.log("t", number).unwrap());
    for log in &logs {
        for _ in 0..100 {
            log.append(&NewRecord::new("value").key("key"), Durability::Written).unwrap();
        }
    }
    let seen = Arc::clone(&cleaned);
    disk.set(move |_, path| match path.to_string_lossy().contains(".cleaned") {
        true if !seen.wait_for(2, path) => Err(std::io::Error::other("only one log is cleaned at a time")),
        _ => Ok(()),
    });
    let background = dir.start_background();
    dir.set_cleaner(CleanerConfig { threads: 2, ..none }).unwrap();
    let logs = cleaned.logs.lock().unwrap();
    let waited = cleaned.changed.wait_timeout_while(logs, PATIENCE, |logs| logs.len() < 2).unwrap();
    assert_eq!(waited.0.len(), 2, "logs that were cleaned at the same time");
    drop(waited);
    drop(background);
}

/// Far more than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
