//! Whatever is built reads back; whatever is flipped or cut is an error, never a panic and never a
//! wrong record.

use klamm_record::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, Batches, BuildError, Compression, Depth, Header,
    NewRecord, RecordBatch, check_produced, validate,
};
use klamm_types::{LeaderEpoch, Offset, Timestamp};
use proptest::prelude::*;

type Bytes = Vec<u8>;

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    gap: u32,
    timestamp: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(Bytes, Option<Bytes>)>,
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..80)
}

fn owned() -> impl Strategy<Value = Owned> {
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    let times = prop_oneof![0..2_000_000_000_000i64, Just(-1), -5..5i64];
    (0..4u32, times, prop::option::of(bytes()), prop::option::of(bytes()), headers)
        .prop_map(|(gap, timestamp, key, value, headers)| Owned { gap, timestamp, key, value, headers })
}

fn build(records: &[Owned], options: BatchOptions) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), options);
    let mut offset = options.base_offset;
    for record in records {
        let headers: Vec<_> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let new =
            NewRecord { timestamp: Timestamp::from_raw(record.timestamp), key, value, headers: &headers };
        let expected = builder.size_with(&new);
        offset = offset + record.gap;
        builder.append_at(offset, &new).unwrap();
        if record.gap == 0 {
            assert_eq!(builder.size(), expected);
        }
        offset = offset + 1;
    }
    builder.finish().unwrap().buffer
}

fn read(batch: &RecordBatch) -> Vec<Owned> {
    let records = batch.records(1 << 20).unwrap();
    let mut next = batch.base_offset();
    let mut own = |record: klamm_record::Record<'_>| {
        let gap = u32::try_from(record.offset.since(next)).unwrap();
        next = record.offset + 1;
        let headers = record.headers.iter().map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        Owned { gap, timestamp: record.timestamp.map_or(-1, Timestamp::as_millis), key, value, headers }
    };
    records.iter().map(|record| own(record.unwrap())).collect()
}

proptest! {
    #[test]
    fn what_is_built_reads_back(
        records in prop::collection::vec(owned(), 1..20),
        base in 0..u32::MAX,
        codec in 0..5usize,
    ) {
        // Under Miri there are fewer codecs.
        let compression = Some(Compression::ALL[codec]).filter(|codec| codec.is_available()).unwrap_or_default();
        let options = BatchOptions { compression, base_offset: Offset::from(base), ..BatchOptions::default() };
        let batch = RecordBatch::parse(build(&records, options).into()).unwrap();
        prop_assert_eq!(read(&batch), records.clone());
        prop_assert_eq!(batch.base_offset(), Offset::from(base));
        prop_assert_eq!(batch.record_count() as usize, records.len());
        let max = records.iter().map(|r| r.timestamp).max().unwrap().max(-1);
        prop_assert_eq!(batch.max_timestamp(), Timestamp::from_raw(max));
        let dense = records.iter().all(|r| r.gap == 0);
        prop_assert_eq!(check_produced(&batch).is_ok(), dense);
    }

    #[test]
    fn a_flipped_bit_behind_the_epoch_is_found(records in prop::collection::vec(owned(), 1..5), at: prop::sample::Index, bit in 0..8u32) {
        let mut bytes = build(&records, BatchOptions::default());
        let at = 16 + at.index(bytes.len() - 16);
        bytes[at] ^= 1 << bit;
        prop_assert!(validate(&bytes, Depth::Header).is_err(), "byte {} bit {}", at, bit);
    }

    #[test]
    fn a_cut_batch_is_an_error(records in prop::collection::vec(owned(), 1..5), at: prop::sample::Index) {
        let bytes = build(&records, BatchOptions::default());
        let cut = at.index(bytes.len());
        let error = validate(&bytes[..cut], Depth::Header).unwrap_err();
        let is_truncated = matches!(error, BatchError::Truncated { got, .. } if got == cut);
        prop_assert!(is_truncated, "{:?}", error);
    }

    /// The CRC is mended, so that the walk over the records itself meets the damage.
    #[test]
    fn damaged_records_never_panic(records in prop::collection::vec(owned(), 1..5), at: prop::sample::Index, byte: u8) {
        let mut bytes = build(&records, BatchOptions::default());
        let at = 21 + at.index(bytes.len() - 21);
        bytes[at] = byte;
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let _ = validate(&bytes, Depth::Records { limit: 1 << 20 });
        for batch in Batches::new(bytes.into()).flatten() {
            let records = batch.records(1 << 20);
            records.iter().flat_map(|r| r.iter()).for_each(drop);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = BatchHeader::parse(&bytes);
        Batches::new(bytes.into()).for_each(drop);
    }
}

#[test]
fn assigning_an_offset_leaves_the_crc_alone() {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("v")).unwrap();
    let mut bytes = builder.finish().unwrap().buffer;
    BatchHeader::assign(&mut bytes, Offset::from(77), LeaderEpoch::new(5).unwrap());
    let batch = RecordBatch::parse(bytes.into()).unwrap();
    assert_eq!((batch.base_offset().get(), batch.leader_epoch().map(LeaderEpoch::get)), (77, Some(5)));
}

#[test]
fn log_append_time_is_every_records_time() {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("a").at(Timestamp::from_millis(5))).unwrap();
    builder.append(&NewRecord::new("b").at(Timestamp::from_millis(9))).unwrap();
    let mut bytes = builder.finish().unwrap().buffer;
    BatchHeader::set_log_append_time(&mut bytes, Timestamp::from_millis(1000));
    let batch = RecordBatch::parse(bytes.into()).unwrap();
    let records = batch.records(100).unwrap();
    assert!(records.iter().all(|r| r.unwrap().timestamp == Some(Timestamp::from_millis(1000))));
}

#[test]
fn two_batches_in_one_buffer_and_half_a_third() {
    let mut buffer = Vec::new();
    for value in ["one", "two", "three"] {
        let mut builder = BatchBuilder::new(&mut buffer, BatchOptions::default());
        builder.append(&NewRecord::new(value)).unwrap();
        assert_eq!(builder.finish().unwrap().header.size(), BatchHeader::SIZE + 7 + value.len());
    }
    buffer.pop();
    let mut batches = Batches::new(buffer.into());
    assert!(batches.next().unwrap().is_ok() && batches.next().unwrap().is_ok());
    assert_eq!(batches.next(), Some(Err(BatchError::Truncated { expected: 73, got: 72 })));
    assert_eq!((batches.next(), batches.remaining().len()), (None, 72));
}

#[test]
fn misuse_of_a_builder_is_an_error_and_leaves_it_as_it_was() {
    let empty = BatchBuilder::new(Vec::new(), BatchOptions::default());
    assert_eq!(empty.finish().unwrap_err(), BuildError::Empty);
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append_at(Offset::from(5), &NewRecord::new("v").at(Timestamp::from_millis(-2))).unwrap();
    let size = builder.size();
    let again = builder.append_at(Offset::from(5), &NewRecord::new("v"));
    assert_eq!(again, Err(BuildError::Offset { got: 5, last: 5 }));
    assert!(builder.append_at(Offset::MAX, &NewRecord::new("v")).is_err());
    assert!(builder.append(&NewRecord::new("v").at(Timestamp::from_millis(i64::MAX))).is_err());
    assert_eq!((builder.size(), builder.count()), (size, 1));
}

#[test]
fn each_error_says_what_was_expected_and_what_came() {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("value")).unwrap();
    let good = builder.finish().unwrap().buffer;
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        validate(&bad, Depth::Records { limit: 100 }).unwrap_err().to_string()
    };
    assert_eq!(with(8, &[0, 0, 0, 48]), "batch length field is 48, expected at least 49");
    assert_eq!(with(8, &[0xff; 4]), "batch length field is -1, expected at least 49");
    assert_eq!(with(8, &[0, 0, 1, 0]), "batch is cut short: expected 268 bytes, got 73");
    assert_eq!(with(16, &[1]), "batch has magic 1, expected 2");
    assert_eq!(with(22, &[5]), "batch names codec 5, expected 0 to 4");
    assert_eq!(with(0, &[0xff]), "batch header has offset -72057594037927936, expected 0 or more");
    assert_eq!(
        with(57, &[0, 0, 0, 2]),
        "batch header has record count 2, expected 0 to the offsets it spans"
    );
    assert!(with(70, &[0]).starts_with("batch checksum does not match: header says 0x"));
}
