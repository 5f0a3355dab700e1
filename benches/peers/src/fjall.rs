//! fjall as a log.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use crate::peer::{Durable, Peer, touch};

struct Peered {
    database: Database,
    records: Keyspace,
    next: AtomicU64,
    durable: Durable,
}

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    let database = Database::builder(path).journal_compression(CompressionType::None).open().expect("opens");
    let options = || {
        let plain = CompressionPolicy::disabled();
        KeyspaceCreateOptions::default().expect_point_read_hits(true).data_block_compression_policy(plain)
    };
    let records = database.keyspace("log", options).expect("opens");
    Box::new(Peered { database, records, next: AtomicU64::new(0), durable })
}

impl Peered {
    fn number(&self) -> [u8; 8] {
        self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes()
    }
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        self.records.insert(self.number(), value).expect("inserts");
        if self.durable == Durable::Yes {
            self.database.persist(PersistMode::SyncData).expect("syncs");
        }
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mode = if self.durable == Durable::Yes { PersistMode::SyncData } else { PersistMode::Buffer };
        let mut batch =
            OwnedWriteBatch::with_capacity(self.database.clone(), values.len()).durability(Some(mode));
        values.iter().for_each(|value| batch.insert(&self.records, self.number(), *value));
        batch.commit().expect("commits");
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let (mut records, mut bytes) = (0, 0);
        for record in self.records.iter() {
            records += 1;
            bytes += touch(&record.value().expect("readable"));
        }
        Some((records, bytes))
    }

    fn get(&self, number: u64) -> Option<usize> {
        Some(self.records.get(number.to_be_bytes()).expect("readable")?.len())
    }
}
