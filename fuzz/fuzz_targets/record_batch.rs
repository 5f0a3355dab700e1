//! Any bytes, with the CRC mended so that the walk gets past it: no panic, and the shallow and the
//! deep check agree.
#![no_main]

use klamm_record::{Batches, ControlRecord, Depth, validate};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    klamm_fuzz::mend_crc(&mut bytes);
    let deep = validate(&bytes, Depth::Records { limit: LIMIT });
    assert!(deep.is_err() || validate(&bytes, Depth::Header).is_ok());
    for batch in Batches::new(bytes.into()).flatten() {
        let Ok(records) = batch.records(LIMIT) else { continue };
        for record in records.iter().flatten() {
            assert!(record.offset >= batch.base_offset() && record.offset <= batch.last_offset());
            assert_eq!(record.headers.iter().count(), record.headers.len());
            let _ = ControlRecord::parse(&record);
        }
    }
});
