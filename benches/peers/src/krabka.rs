//! One `append` at a time, which syncs inside. A batch over 1 MiB could be written, but not opened
//! again.

use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;
use krabka_log::{Log, LogConfig, Offset, epoch_ms};
use krabka_protocol::DecodeBorrow;
use krabka_protocol::records::{Record, RecordBatch, RecordBatchBorrowed};
use krabka_units::prelude::{kibibytes, mebibytes};

use crate::peer::{Durable, Peer, touch};

struct Peered(Mutex<Log>);

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    let config = LogConfig { flush_on_append: durable == Durable::Yes, ..LogConfig::default() };
    Box::new(Peered(Mutex::new(Log::open(path, config).expect("opens"))))
}

fn batch(values: &[&[u8]]) -> RecordBatch {
    let now = epoch_ms(std::time::SystemTime::now());
    let record = |(offset_delta, value): (i32, &&[u8])| Record {
        offset_delta,
        value: Some(Bytes::copy_from_slice(value)),
        ..Record::default()
    };
    let records: Vec<_> = (0..).zip(values).map(record).collect();
    RecordBatch {
        last_offset_delta: records.len() as i32 - 1,
        base_timestamp: now,
        max_timestamp: now,
        records,
        ..RecordBatch::default()
    }
}

fn each(mut bytes: &[u8], mut see: impl FnMut(i64, &[u8])) {
    while !bytes.is_empty() {
        let batch = RecordBatchBorrowed::decode_borrow(&mut bytes, 2).expect("valid");
        let base = batch.header().base_offset.get();
        for record in &batch {
            let record = record.expect("valid");
            see(base + i64::from(record.offset_delta), record.value.expect("has a value"));
        }
    }
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        self.append_many(&[value]);
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mut batch = batch(values);
        self.0.lock().expect("not poisoned").append(&mut batch).expect("appends");
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let log = self.0.get_mut().expect("not poisoned");
        let (mut records, mut bytes, mut next) = (0, 0, log.log_start_offset());
        loop {
            let raw = log.read_raw(next, Offset(i64::MAX), mebibytes(1)).expect("readable");
            let Some(last) = raw.last_offset else { return Some((records, bytes)) };
            each(&raw.bytes, |_, value| {
                records += 1;
                bytes += touch(value);
            });
            next = last + 1;
        }
    }

    fn get(&self, number: u64) -> Option<usize> {
        let (number, log) = (i64::try_from(number).ok()?, self.0.lock().expect("not poisoned"));
        let mut size = kibibytes(8);
        loop {
            let raw = log.read_raw(Offset(number), Offset(number + 1), size).expect("readable");
            if raw.last_offset.is_some() {
                let mut found = None;
                each(&raw.bytes, |offset, value| found = found.or((offset == number).then_some(value.len())));
                return found;
            }
            size = size + size;
        }
    }
}
