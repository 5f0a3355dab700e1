//! What is not durable is in the process's memory only: it is gone when the process is killed.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use crate::peer::{Durable, Peer, touch};

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

struct Peered {
    database: Database,
    durability: Durability,
}

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    let database = Database::create(path.join("log.redb")).expect("opens");
    let begun = database.begin_write().expect("begins");
    begun.open_table(RECORDS).expect("opens");
    begun.commit().expect("commits");
    let durability = if durable == Durable::Yes { Durability::Immediate } else { Durability::None };
    Box::new(Peered { database, durability })
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        self.append_many(&[value]);
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mut begun = self.database.begin_write().expect("begins");
        begun.set_durability(self.durability).expect("valid");
        {
            let mut records = begun.open_table(RECORDS).expect("opens");
            let next = records.len().expect("known");
            for (number, value) in (next..).zip(values) {
                records.insert(number, *value).expect("inserts");
            }
        }
        begun.commit().expect("commits");
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let table = self.database.begin_read().expect("begins").open_table(RECORDS).expect("opens");
        let (mut records, mut bytes) = (0, 0);
        for record in table.iter().expect("readable") {
            records += 1;
            bytes += touch(record.expect("readable").1.value());
        }
        Some((records, bytes))
    }

    fn get(&self, number: u64) -> Option<usize> {
        let table = self.database.begin_read().expect("begins").open_table(RECORDS).expect("opens");
        Some(table.get(number).expect("readable")?.value().len())
    }
}
