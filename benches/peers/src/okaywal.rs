//! Each entry is synced, there is no other way. It drops what was checkpointed, so it never is
//! here. An open log is read by position, which the caller has to keep, and the file is opened for
//! each read; reading in order is measured as its recovery, which is.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use okaywal::{
    Configuration, Entry, EntryId, LogManager, LogPosition, ReadChunkResult, SegmentReader, WriteAheadLog,
};

use crate::peer::{Durable, Peer, touch};

#[derive(Debug, Default)]
struct Seen {
    records: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Manager(Arc<Mutex<Seen>>);

struct Peered {
    wal: Option<WriteAheadLog>,
    path: PathBuf,
    positions: Mutex<Vec<LogPosition>>,
    durable: Durable,
}

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    let (wal, _) = start(path);
    for file in std::fs::read_dir(path).expect("there") {
        std::fs::File::open(file.expect("there").path()).and_then(|file| file.sync_all()).expect("syncs");
    }
    Box::new(Peered { wal: Some(wal), path: path.to_owned(), positions: Mutex::default(), durable })
}

fn start(path: &Path) -> (WriteAheadLog, Seen) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let settings =
        Configuration::default_for(path).preallocate_bytes(64 << 20).checkpoint_after_bytes(u64::MAX);
    let wal = settings.buffer_bytes(64 << 10).open(Manager(Arc::clone(&seen))).expect("opens");
    let seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    (wal, seen)
}

impl Peered {
    fn wal(&self) -> &WriteAheadLog {
        self.wal.as_ref().expect("open")
    }
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        self.append_many(&[value]);
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mut entry = self.wal().begin_entry().expect("begins");
        for value in values {
            let position = entry.write_chunk(value).expect("writes").position;
            if self.durable == Durable::No {
                self.positions.lock().expect("not poisoned").push(position);
            }
        }
        entry.commit().expect("commits");
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let (wal, seen) = start(&self.path);
        self.wal = Some(wal);
        Some((seen.records, seen.bytes))
    }

    fn settle(&mut self, _path: &Path) {
        // Reading in order is done by an opening.
        let wal = self.wal.take().expect("open");
        wal.shutdown().expect("stops");
        self.wal = Some(start(&self.path).0);
    }

    fn get(&self, number: u64) -> Option<usize> {
        let position = self.positions.lock().expect("not poisoned")[usize::try_from(number).ok()?];
        let (mut chunk, mut bytes) = (self.wal().read_at(position).expect("readable"), Vec::new());
        chunk.read_to_end(&mut bytes).expect("readable");
        assert!(chunk.crc_is_valid().expect("readable"));
        Some(bytes.len())
    }
}

impl LogManager for Manager {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            bytes.clear();
            chunk.read_to_end(&mut bytes)?;
            assert!(chunk.check_crc()?, "okaywal: a CRC is wrong");
            let mut seen = self.0.lock().expect("not poisoned");
            seen.records += 1;
            seen.bytes += touch(&bytes);
        }
        Ok(())
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Err(io::Error::other("nothing is checkpointed"))
    }
}
