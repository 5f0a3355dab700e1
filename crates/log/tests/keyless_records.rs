//! A compacted log takes no record without a key, whatever it is appended by: compaction would drop
//! it at once.

mod support;

use klamm_log::{
    AppendError, CleanupPolicy, Compression, Depth, Durability, LeaderEpoch, LogConfig, NewRecord, Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions};
use support::{open, values};

fn compacted() -> LogConfig {
    LogConfig { cleanup_policy: CleanupPolicy::Compact, ..LogConfig::default() }
}

#[test]
fn append_refuses_it() {
    let tmp = tempfile::tempdir().unwrap();
    let log = open(tmp.path(), compacted()).log("t", 0).unwrap();
    let refused = log.append(&NewRecord::new("v"), Durability::Written);
    assert!(matches!(refused, Err(AppendError::NoKey { index: 0, record: 0 })), "{refused:?}");
}

#[test]
fn append_batches_refuses_it_in_every_codec() {
    let tmp = tempfile::tempdir().unwrap();
    let log = open(tmp.path(), compacted()).log("t", 0).unwrap();
    for compression in Compression::ALL {
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(Vec::new(), options);
        for record in [NewRecord::new("v").key("k"), NewRecord::new("v")] {
            builder.append(&record.at(Timestamp::from_millis(1))).unwrap();
        }
        let mut batch = builder.finish().unwrap().buffer;
        let refused = log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written);
        assert!(matches!(refused, Err(AppendError::NoKey { index: 0, record: 1 })), "{refused:?}");
    }
    assert_eq!(log.bounds().end().get(), 0);
}

#[test]
fn a_writer_refuses_it_when_it_is_pushed_and_goes_on_without_it() {
    let tmp = tempfile::tempdir().unwrap();
    let log = open(tmp.path(), compacted()).log("t", 0).unwrap();
    let mut writer = log.writer(Durability::Written);
    writer.push(&NewRecord::new("a").key("k")).unwrap();
    for _ in 0..2 {
        let refused = writer.push(&NewRecord::new("lost"));
        assert!(matches!(refused, Err(AppendError::NoKey { index: 0, record: 1 })), "{refused:?}");
    }
    writer.push(&NewRecord::new("b").key("l")).unwrap();
    assert_eq!(writer.flush().unwrap().get(), 2);
    assert_eq!(values(&log), ["a", "b"]);
}

#[test]
fn a_writer_refuses_what_it_gathered_before_the_log_became_a_compacted_one() {
    let tmp = tempfile::tempdir().unwrap();
    let log = open(tmp.path(), LogConfig::default()).log("t", 0).unwrap();
    let mut writer = log.writer(Durability::Written);
    writer.push(&NewRecord::new("a").key("k")).unwrap();
    writer.push(&NewRecord::new("b")).unwrap();
    log.set_config(compacted()).unwrap();
    let refused = writer.flush();
    assert!(matches!(refused, Err(AppendError::NoKey { index: 0, record: 1 })), "{refused:?}");
    writer.push(&NewRecord::new("c").key("k")).unwrap();
    assert_eq!((writer.flush().unwrap().get(), values(&log)), (1, vec!["c".to_owned()]));
}
