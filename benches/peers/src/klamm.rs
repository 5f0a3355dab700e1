use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Mutex;

use klamm_log::{
    Depth, DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset, Position, Reader,
};
use klamm_record::{BatchBuilder, BatchOptions};

use crate::peer::{Durable, Peer, touch};

struct Klamm {
    log: Log,
    durability: Durability,
    /// For reads at random.
    reader: Mutex<Reader>,
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
    let reader = Mutex::new(log.reader(Position::Start).expect("readable"));
    Box::new(Klamm { log, durability, reader, _dir: dir })
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
        let mut reader = self.reader.lock().expect("not poisoned");
        reader.seek(Offset::new(number.try_into().ok()?)?).expect("in range");
        reader.next().expect("readable").and_then(|record| Some(record.value?.len()))
    }
}
