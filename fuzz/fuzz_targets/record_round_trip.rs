//! Any records, built with any codec, read back as they were.
#![no_main]

use arbitrary::Arbitrary;
use klamm_record::{BatchBuilder, BatchOptions, Compression, Header, NewRecord, RecordBatch};
use klamm_types::Timestamp;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    codec: u8,
    records: Vec<(i32, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>)>,
}

fuzz_target!(|input: Input| {
    let compression = Compression::ALL[usize::from(input.codec) % 5];
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions { compression, ..BatchOptions::default() });
    for (time, key, value, headers) in &input.records {
        let headers: Vec<_> =
            headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let timestamp = Timestamp::from_raw(i64::from(*time));
        let record = NewRecord { timestamp, key: key.as_deref(), value: value.as_deref(), headers: &headers };
        builder.append(&record).expect("offsets rise and times are small");
    }
    let Ok(finished) = builder.finish() else { return };
    let batch = RecordBatch::parse(finished.buffer.into()).expect("what is built is valid");
    let records = batch.records(64 << 20).expect("what is built decompresses");
    for (record, (time, key, value, headers)) in records.iter().zip(&input.records) {
        let record = record.expect("what is built is valid");
        assert_eq!((record.key, record.value), (key.as_deref(), value.as_deref()));
        assert_eq!(record.timestamp, Timestamp::from_raw(i64::from(*time)));
        assert!(
            record
                .headers
                .iter()
                .map(|h| (h.key, h.value))
                .eq(headers.iter().map(|(k, v)| (&k[..], v.as_deref())))
        );
    }
    assert_eq!(records.iter().count(), input.records.len());
});
