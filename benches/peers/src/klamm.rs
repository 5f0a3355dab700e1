//! `klamm-log` as a contestant.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Mutex;

use klamm_log::{
    Depth, DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, Lookup, NewRecord, Offset, Position,
};
use klamm_record::{BatchBuilder, BatchOptions};

use crate::peer::{Durable, Peer, touch};

/// Bytes of batches that reads at random keep: all that is read here, as redb's 1 GiB and the
/// system's page cache do.
const MEMORY: usize = 256 << 20;

struct Klamm {
    log: Log,
    durability: Durability,
    /// For reads at random.
    lookup: Mutex<Lookup>,
    _dir: LogDir,
}

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    open_with(path, durable, LogConfig::default())
}

pub fn open_zeroed(path: &Path, durable: Durable) -> Box<dyn Peer> {
    open_with(path, durable, LogConfig { preallocate: NonZeroU32::new(8 << 20), ..LogConfig::default() })
}

fn open_with(path: &Path, durable: Durable, log: LogConfig) -> Box<dyn Peer> {
    let durability = if durable == Durable::Yes { Durability::Synced } else { Durability::Written };
    let dir = LogDir::open_with(path, DirConfig { log, ..DirConfig::default() }).expect("opens");
    let log = dir.log("bench", 0).expect("opens");
    let lookup = Mutex::new(log.lookup(MEMORY));
    Box::new(Klamm { log, durability, lookup, _dir: dir })
}

impl Peer for Klamm {
    fn append_one(&self, value: &[u8]) {
        self.log.append(&NewRecord::new(value), self.durability).expect("appends");
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mut builder = BatchBuilder::new(Vec::with_capacity(20_000), BatchOptions::default());
        values.iter().for_each(|value| builder.append(&NewRecord::new(value)).expect("fits"));
        let mut batch = builder.finish().expect("has records").buffer;
        self.log
            .append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, self.durability)
            .expect("appends");
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let (mut reader, mut records, mut bytes) =
            (self.log.reader(Position::Start).expect("readable"), 0, 0);
        while let Some(record) = reader.next().expect("readable") {
            records += 1;
            bytes += touch(record.value.unwrap_or_default());
        }
        Some((records, bytes))
    }

    fn get(&self, number: u64) -> Option<usize> {
        let mut lookup = self.lookup.lock().expect("not poisoned");
        let found = lookup.get(Offset::new(number.try_into().ok()?)?).expect("readable");
        found.and_then(|record| Some(record.value?.len()))
    }
}
