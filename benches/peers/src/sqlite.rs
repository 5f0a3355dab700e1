//! SQLite as a log.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::Connection;

use crate::peer::{Durable, Peer, touch};

const INSERT: &str = "INSERT INTO log (value) VALUES (?1)";

struct Peered(Mutex<Connection>);

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    let database = Connection::open(path.join("log.sqlite")).expect("opens");
    let level = if durable == Durable::Yes { "FULL" } else { "OFF" };
    for (name, value) in [("locking_mode", "EXCLUSIVE"), ("journal_mode", "WAL"), ("synchronous", level)] {
        database.pragma_update(None, name, value).expect("valid");
    }
    database.pragma_update(None, "cache_size", -65_536).expect("valid");
    database.pragma_update(None, "mmap_size", 1i64 << 30).expect("valid");
    database
        .execute_batch("CREATE TABLE log (id INTEGER PRIMARY KEY, value BLOB NOT NULL)")
        .expect("creates");
    Box::new(Peered(Mutex::new(database)))
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        let database = self.0.lock().expect("not poisoned");
        database.prepare_cached(INSERT).expect("valid").execute([value]).expect("inserts");
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mut database = self.0.lock().expect("not poisoned");
        let begun = database.transaction().expect("begins");
        {
            let mut insert = begun.prepare_cached(INSERT).expect("valid");
            for value in values {
                insert.execute([*value]).expect("inserts");
            }
        }
        begun.commit().expect("commits");
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let database = self.0.get_mut().expect("not poisoned");
        let mut select = database.prepare_cached("SELECT value FROM log ORDER BY id").expect("valid");
        let (mut rows, mut records, mut bytes) = (select.query([]).expect("readable"), 0, 0);
        while let Some(row) = rows.next().expect("readable") {
            records += 1;
            bytes += touch(row.get_ref(0).expect("there").as_blob().expect("bytes"));
        }
        Some((records, bytes))
    }

    fn get(&self, number: u64) -> Option<usize> {
        let database = self.0.lock().expect("not poisoned");
        let mut select = database.prepare_cached("SELECT value FROM log WHERE id = ?1").expect("valid");
        let id = i64::try_from(number).ok()? + 1;
        select.query_row([id], |row| Ok(row.get::<_, Vec<u8>>(0)?.len())).ok()
    }
}
