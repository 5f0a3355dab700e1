//! The folder that Apache Kafka 4.3.1 left behind, opened as a folder of logs: it reads as Kafka's
//! dump says, knows the offsets that the broker answered, and what we build anew is what Kafka
//! built.

use std::fs;
use std::path::Path;

use klamm_log::format::ProducerSnapshot;
use klamm_log::{
    DirConfig, LogConfig, LogDir, Offset, Position, ReadLimit, Timestamp, TopicPartition, Visibility,
};
use klamm_tests::fixtures;

fn open(path: &Path) -> LogDir {
    LogDir::open(path).unwrap()
}

fn copied() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fixtures::copy_to(root.path());
    root
}

/// The partitions that a folder of logs opens: all but the metadata quorum's.
fn partitions() -> impl Iterator<Item = TopicPartition> {
    fixtures::partitions().into_iter().filter(|p| p != "__cluster_metadata-0").map(|p| p.parse().unwrap())
}

/// All that can be read from `log`, batch by batch, as the dump prints it.
fn read_lines(log: &klamm_log::Log, max_bytes: usize) -> Vec<String> {
    let (mut lines, mut next) = (Vec::new(), Position::Start);
    let internal = fixtures::is_internal(log.partition().topic().as_str());
    loop {
        let offset = log.reader(next).unwrap().offset();
        let slice = log.read(offset, ReadLimit { max_bytes, visibility: Visibility::All }).unwrap();
        if slice.is_empty() {
            return lines;
        }
        let bytes = slice.read().unwrap();
        let whole: usize = klamm_record::Batches::new(bytes.clone()).flatten().map(|b| b.size()).sum();
        lines.extend(fixtures::lines_of(&bytes.slice(..whole), slice.position(), !internal));
        let last = klamm_record::Batches::new(bytes.slice(..whole)).map(|b| b.unwrap().next_offset()).last();
        next = Position::At(last.unwrap());
    }
}

#[test]
fn every_folder_reads_as_kafkas_dump_says_whatever_the_budget() {
    let root = copied();
    let dir = open(root.path());
    for partition in partitions() {
        let log = dir.get(&partition).unwrap();
        let name = partition.to_string();
        let start = log.bounds().start().get();
        let mut want: Vec<String> =
            fixtures::segments(&name).iter().flat_map(|s| fixtures::wanted_lines(&name, &s.name)).collect();
        // What lies before the log's start is in the file, but no longer in the log.
        let last_of = |line: &str| {
            line.split("lastOffset: ").nth(1).map(|l| l.split(' ').next().unwrap().parse().unwrap())
        };
        let first = want.iter().position(|line| last_of(line).is_some_and(|last: i64| last >= start));
        want.drain(..first.unwrap_or(want.len()));
        for budget in [1, 700, 1 << 20] {
            let got = read_lines(&log, budget);
            assert_eq!(got.len(), want.len(), "{name} with a budget of {budget}");
            assert!(
                got == want,
                "{name} with a budget of {budget}: {:?}",
                got.iter().zip(&want).find(|(g, w)| g != w)
            );
        }
    }
}

#[test]
fn starts_and_ends_are_what_the_broker_answered() {
    let root = copied();
    let dir = open(root.path());
    for (file, is_start) in [("earliest-offsets.txt", true), ("end-offsets.txt", false)] {
        let text = fs::read_to_string(root.path().join(file)).unwrap();
        let mut lines = 0;
        for line in text.lines() {
            let mut parts = line.rsplitn(3, ':');
            let (offset, number, topic) =
                (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            // The broker's own topics went on after the answer.
            let Some(log) =
                dir.get(&format!("{topic}-{number}").parse().unwrap()).filter(|_| !topic.starts_with("__"))
            else {
                continue;
            };
            let bounds = log.bounds();
            let got = if is_start { bounds.start() } else { bounds.end() };
            assert_eq!(got.to_string(), offset, "{line}");
            lines += 1;
        }
        assert!(lines > 25, "{lines} in {file}");
    }
}

#[test]
fn topic_ids_and_epochs_are_kafkas() {
    let root = copied();
    let dir = open(root.path());
    let epochs = dir.log("epochs", 0).unwrap();
    let entries: Vec<_> = epochs.epochs().entries().iter().map(|e| (e.epoch.get(), e.start.get())).collect();
    assert_eq!(entries, [(0, 0), (2, 15), (4, 30)]);
    for partition in partitions() {
        let id = dir.topic_id(&partition).unwrap().unwrap();
        let text =
            fs::read_to_string(root.path().join(partition.to_string()).join("partition.metadata")).unwrap();
        assert!(text.contains(&id.to_string()), "{partition}");
    }
}

/// Without a marker and without indexes all is recovered; the indexes are then byte for byte those
/// that Kafka wrote, where the batches are as they were appended (a cleaner indexes by other
/// steps).
#[test]
fn rebuilt_indexes_are_kafkas() {
    let root = copied();
    fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
    fs::remove_file(root.path().join("recovery-point-offset-checkpoint")).unwrap();
    for partition in partitions() {
        for entry in fs::read_dir(root.path().join(partition.to_string())).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "index" || e == "timeindex") {
                fs::remove_file(path).unwrap();
            }
        }
    }
    let log = LogConfig { index_interval_bytes: 512, ..LogConfig::default() };
    LogDir::open_with(root.path(), DirConfig { log, ..DirConfig::default() }).unwrap().close().unwrap();
    let mut compared = 0;
    // These have `index.interval.bytes=512`, and one run of the broker: another one begins its
    // count anew.
    for partition in ["segments-0", "segments-zstd-0"] {
        for entry in fs::read_dir(fixtures::root().join(partition)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with("index") {
                let (ours, kafkas) =
                    (root.path().join(partition).join(&name), fixtures::root().join(partition).join(&name));
                assert_eq!(fs::read(ours).unwrap(), fs::read(kafkas).unwrap(), "{partition}/{name}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 14, "{compared}");
}

#[test]
fn opening_and_closing_without_writing_changes_no_file() {
    let root = copied();
    open(root.path()).close().unwrap();
    for partition in fixtures::partitions() {
        for entry in fs::read_dir(fixtures::root().join(&partition)).unwrap() {
            let name = entry.unwrap().file_name();
            let (ours, kafkas) =
                (root.path().join(&partition).join(&name), fixtures::root().join(&partition).join(&name));
            assert_eq!(fs::read(ours).unwrap(), fs::read(kafkas).unwrap(), "{partition}/{name:?}");
        }
    }
    assert!(root.path().join(".kafka_cleanshutdown").exists());
}

#[test]
fn records_are_found_by_time() {
    let root = copied();
    let dir = open(root.path());
    let log = dir.log("odd-timestamps", 0).unwrap();
    let records: Vec<_> = log.records(Position::Start).unwrap().map(|r| r.unwrap()).collect();
    for asked in records.iter().filter_map(|r| r.timestamp) {
        let want = records.iter().find(|r| r.timestamp >= Some(asked)).map(|r| r.offset);
        assert_eq!(log.offset_since(asked).unwrap().map(|f| f.offset), want, "{asked}");
    }
    assert_eq!(log.offset_since(Timestamp::from_millis(i64::MAX)).unwrap(), None);
    let largest = records.iter().filter_map(|r| r.timestamp).max().unwrap();
    assert_eq!(log.offset_of_max_timestamp().unwrap().map(|f| f.timestamp), Some(largest));
    let plain = dir.log("plain-gzip", 0).unwrap();
    assert_eq!(
        plain.offset_since(Timestamp::from_millis(1_700_000_000_033)).unwrap().unwrap().offset,
        Offset::from(33)
    );
}

/// Without snapshots and transaction indexes, and after a kill, both are made anew from the
/// batches: the snapshot at the end holds what Kafka's does, each transaction index is byte for
/// byte Kafka's. A cleaner removes batches, so that less is known.
#[test]
fn producer_state_from_the_batches_is_kafkas() {
    let root = copied();
    fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
    fs::remove_file(root.path().join("recovery-point-offset-checkpoint")).unwrap();
    let uncompacted: Vec<_> =
        fixtures::partitions().into_iter().filter(|name| !name.starts_with("compacted")).collect();
    let is_state = |path: &Path| path.extension().is_some_and(|e| e == "snapshot" || e == "txnindex");
    for partition in &uncompacted {
        for entry in fs::read_dir(root.path().join(partition)).unwrap() {
            let path = entry.unwrap().path();
            if is_state(&path) {
                fs::remove_file(path).unwrap();
            }
        }
    }
    open(root.path()).close().unwrap();
    let (mut snapshots, mut indexes) = (0, 0);
    for partition in uncompacted.iter().filter(|name| *name != "__cluster_metadata-0") {
        let ours = |name: &str| fs::read(root.path().join(partition).join(name)).unwrap_or_default();
        let folder = fixtures::root().join(partition);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let newest = files.iter().rfind(|path| path.extension().is_some_and(|e| e == "snapshot"));
        for path in files.iter().filter(|path| is_state(path)) {
            let (name, kafkas) = (path.file_name().unwrap().to_str().unwrap(), fs::read(path).unwrap());
            if name.ends_with("txnindex") {
                assert_eq!(ours(name), kafkas, "{partition}/{name}");
                indexes += usize::from(!kafkas.is_empty());
                continue;
            }
            let snapshot = ProducerSnapshot::parse(&kafkas).unwrap();
            assert_eq!(snapshot.to_bytes(), kafkas, "{partition}/{name}");
            if Some(path) == newest && !snapshot.entries.is_empty() {
                // Kafka forgot some when it was started again: their records are from 2023.
                let ours = ProducerSnapshot::parse(&ours(name)).unwrap().entries;
                let missing: Vec<_> = snapshot.entries.iter().filter(|e| !ours.contains(e)).collect();
                assert!(missing.is_empty(), "{partition}/{name}: {missing:?} are not in {ours:?}");
                snapshots += usize::from(ours.len() == snapshot.entries.len());
            }
        }
    }
    assert!(snapshots > 10 && indexes == 3, "{snapshots} snapshots, {indexes} indexes");
}

/// Which transactions were aborted and where the open one began is what `fixtures/README.md` says.
#[test]
fn transactions_are_known() {
    let root = copied();
    let dir = open(root.path());
    let log = dir.log("txn", 0).unwrap();
    let bounds = log.bounds();
    let aborted = log.aborted_transactions(bounds.start(), bounds.end()).unwrap();
    let firsts: Vec<_> = aborted.iter().map(|a| a.first_offset.get()).collect();
    assert_eq!(firsts, [1, 11, 33, 34, 55, 67, 77, 99, 100, 121]);
    assert_eq!(bounds.stable(), bounds.end());
    let some = log.aborted_transactions(Offset::from(35), Offset::from(60)).unwrap();
    assert_eq!(some.iter().map(|a| a.first_offset.get()).collect::<Vec<_>>(), [33, 34, 55]);
    let open = dir.log("txn-open", 0).unwrap();
    assert_eq!(open.bounds().stable(), Offset::from(6));
}
