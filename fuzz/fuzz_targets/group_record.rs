//! Any key and value as a record of a group: no panic; what is read is written and read again the
//! same, and groups can be made of it, to which members come.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use klamm_coordinator::{
    ConsumerHeartbeat, GroupConfig, GroupRecord, GroupReplay, Moment, Partitions, Present,
};
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
    let present = |seconds: u64| Present {
        moment: Moment::after(Duration::from_secs(seconds)),
        time: Timestamp::from_millis(1_700_000_000_000),
        topics: &(),
    };
    let mut groups = replay.finish(present(1));
    // Whoever comes to such a group is heard, or told why not.
    let ids: Vec<_> = groups.list().map(|listed| listed.group).collect();
    for id in ids {
        for epoch in [0, 1, -1] {
            let beat = ConsumerHeartbeat {
                group: id.clone(),
                member: Some("m".into()),
                epoch,
                topics: Some(["t".into()].into()),
                regex: Some("t.*".into()),
                rebalance_timeout: Some(Duration::from_secs(1)),
                owned: Some(Partitions::default()),
                ..ConsumerHeartbeat::default()
            };
            let Ok((effects, _)) = groups.consumer_heartbeat(&beat, present(2)) else { continue };
            effects.records.iter().for_each(|record| groups.apply(record));
        }
    }
    while groups.on_time(present(100_000_000)).is_some() {}
});
