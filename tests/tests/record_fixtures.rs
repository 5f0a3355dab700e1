//! Batches that Apache Kafka wrote, with each codec, read as Kafka's own dump says; and built again
//! from their records they are byte for byte the same.

use klamm_record::{
    BatchBuilder, BatchOptions, Batches, Compression, Depth, Header, NewRecord, RecordBatch, TimestampType,
    validate,
};
use klamm_tests::fixtures;

const LIMIT: usize = 16 << 20;

#[test]
fn every_batch_and_record_reads_as_kafkas_dump_says() {
    let (mut batches, mut records) = (0, 0);
    for partition in fixtures::partitions() {
        for segment in fixtures::segments(&partition) {
            let want = fixtures::wanted_lines(&partition, &segment.name);
            let got = fixtures::lines_of(&segment.bytes, 0, !fixtures::is_internal(&partition));
            assert_eq!(got.len(), want.len(), "{}", segment.name);
            for (got, want) in got.iter().zip(&want) {
                assert_eq!(got, want, "{}", segment.name);
            }
            batches += want.iter().filter(|line| line.starts_with('b')).count();
            records += want.iter().filter(|line| line.starts_with('|')).count();
        }
    }
    assert!(batches > 800 && records > 1500, "{batches} batches and {records} records");
}

#[test]
fn every_batch_passes_the_deeper_validation() {
    for partition in fixtures::partitions() {
        for segment in fixtures::segments(&partition) {
            for batch in Batches::new(segment.bytes) {
                let batch = batch.unwrap();
                validate(batch.as_bytes(), Depth::Records { limit: LIMIT }).unwrap();
            }
        }
    }
}

fn rebuild(batch: &RecordBatch, options: BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for record in batch.records(LIMIT).unwrap().iter() {
        let record = record.unwrap();
        let headers: Vec<Header<'_>> = record.headers.iter().collect();
        let new = NewRecord {
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        builder.append_at(record.offset, &new).unwrap();
    }
    builder.finish().unwrap().buffer
}

/// From what its header and its records say, however the cleaner has changed it.
fn again(batch: &RecordBatch) -> Vec<u8> {
    if batch.record_count() > 0 {
        return rebuild(batch, BatchOptions::of(batch.header()));
    }
    let mut bytes = Vec::new();
    batch.header().write_empty(&mut bytes);
    bytes
}

/// A batch with log append time keeps time deltas in its records that mean nothing any more.
fn is_told_by_its_records(batch: &RecordBatch) -> bool {
    batch.timestamp_type() == TimestampType::CreateTime
}

#[test]
fn uncompressed_batches_are_rebuilt_byte_for_byte() {
    let mut rebuilt = 0;
    for partition in fixtures::partitions() {
        for segment in fixtures::segments(&partition) {
            for batch in Batches::new(segment.bytes).map(Result::unwrap) {
                if batch.compression() == Compression::None && is_told_by_its_records(&batch) {
                    assert_eq!(again(&batch), batch.as_bytes().to_vec(), "{} {batch:?}", segment.name);
                    rebuilt += 1;
                }
            }
        }
    }
    assert!(rebuilt > 825, "{rebuilt}");
}

#[test]
fn compressed_batches_hold_the_same_records_after_each_codec() {
    for partition in ["plain-gzip-0", "plain-snappy-0", "plain-lz4-0", "plain-zstd-0", "headers-0"] {
        for segment in fixtures::segments(partition) {
            for batch in Batches::new(segment.bytes).map(Result::unwrap) {
                for compression in Compression::ALL {
                    let bytes =
                        rebuild(&batch, BatchOptions { compression, ..BatchOptions::of(batch.header()) });
                    let again = RecordBatch::parse(bytes.into()).unwrap();
                    let (a, b) = (batch.records(LIMIT).unwrap(), again.records(LIMIT).unwrap());
                    let (a, b) = (a.iter().map(Result::unwrap), b.iter().map(Result::unwrap));
                    assert!(a.eq(b), "{partition} {compression}");
                    assert_eq!(again.max_timestamp(), batch.max_timestamp());
                }
            }
        }
    }
}

#[test]
fn duplicate_header_keys_survive() {
    let segment = &fixtures::segments("headers-0")[0];
    let batch = Batches::new(segment.bytes.clone()).next().unwrap().unwrap();
    let records = batch.records(LIMIT).unwrap();
    let record = records.iter().map(Result::unwrap).find(|r| r.key == Some(b"same-key-twice")).unwrap();
    let keys: Vec<&[u8]> = record.headers.iter().map(|h| h.key).collect();
    assert_eq!(keys, [b"d", b"d"]);
    let values: Vec<_> = record.headers.iter().map(|h| h.value).collect();
    assert_ne!(values[0], values[1]);
    assert_eq!(record.headers.last("d"), Some(values[1]));
}
