//! A topic is read once, by a cursor, so that there is no reading at random; a batch is synced
//! always. The log is opened anew before it is read: beside a writer its batch reads leave records
//! out.

use std::path::{Path, PathBuf};

use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

use crate::peer::{Durable, Peer, touch};

struct Peered {
    wal: Walrus,
    path: PathBuf,
    durable: Durable,
}

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    Box::new(Peered { wal: start(path, durable), path: path.to_owned(), durable })
}

fn start(path: &Path, durable: Durable) -> Walrus {
    // SAFETY: the process has no other thread yet that reads its environment.
    unsafe {
        std::env::set_var("WALRUS_QUIET", "1");
        std::env::set_var("WALRUS_DATA_DIR", path);
    }
    let schedule = if durable == Durable::Yes { FsyncSchedule::SyncEach } else { FsyncSchedule::NoFsync };
    let consistency = ReadConsistency::AtLeastOnce { persist_every: u32::MAX };
    Walrus::with_consistency_and_schedule_for_key("bench", consistency, schedule).expect("opens")
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        self.wal.append_for_topic("log", value).expect("appends");
    }

    fn append_many(&self, values: &[&[u8]]) {
        self.wal.batch_append_for_topic("log", values).expect("appends");
    }

    fn settle(&mut self, _path: &Path) {
        self.wal = start(&self.path, self.durable);
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let (mut records, mut bytes) = (0, 0);
        loop {
            let entries = self.wal.batch_read_for_topic("log", 1 << 20, true).expect("readable");
            if entries.is_empty() {
                return Some((records, bytes));
            }
            for entry in entries {
                records += 1;
                bytes += touch(&entry.data);
            }
        }
    }

    fn get(&self, _number: u64) -> Option<usize> {
        None
    }
}
