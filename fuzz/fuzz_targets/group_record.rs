//! Any key and value as a record of a group: no panic; what is read is written and read again the same, and groups can be made of it.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use klamm_coordinator::{GroupConfig, GroupRecord, GroupReplay, Moment};
use klamm_types::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|records: Vec<(Vec<u8>, Option<Vec<u8>>)>| {
    let mut replay = GroupReplay::new(GroupConfig::default());
    for (key, value) in records {
        let (key, value) = (Bytes::from(key), value.map(Bytes::from));
        let Ok(record) = GroupRecord::decode(&key, value.as_ref()) else { continue };
        if let Ok((key, value)) = record.encode() {
            assert_eq!(GroupRecord::decode(&key, value.as_ref()).as_ref(), Ok(&record));
        }
        replay.apply(&record);
    }
    let time = Timestamp::from_millis(1_700_000_000_000);
    let mut groups = replay.finish(Moment::after(Duration::from_secs(1)), time);
    while groups.on_time(Moment::after(Duration::from_secs(100_000_000)), time).is_some() {}
});
