//! The crate has no sync of its own: ours is of its two files, for a lost index is not built again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use commitlog::message::{HEADER_SIZE, MessageBuf, MessageError, MessageSet};
use commitlog::reader::LogSliceReader;
use commitlog::{CommitLog, LogOptions, ReadLimit};

use crate::peer::{Durable, Peer, touch};

struct Peered {
    log: Mutex<(CommitLog, MessageBuf)>,
    files: Option<(File, File)>,
}

/// Reads one message, whatever the index says.
struct One;

pub fn open(path: &Path, durable: Durable) -> Box<dyn Peer> {
    let mut options = LogOptions::new(path);
    options.segment_max_bytes(4_000_000_000).message_max_bytes(LARGEST).index_max_items(1_000_000);
    let log = CommitLog::new(options).expect("opens");
    let file = |kind| File::open(path.join(format!("{:020}.{kind}", 0))).expect("there");
    let files = (durable == Durable::Yes).then(|| (file("log"), file("index")));
    Box::new(Peered { log: Mutex::new((log, MessageBuf::default())), files })
}

impl Peer for Peered {
    fn append_one(&self, value: &[u8]) {
        self.append_many(&[value]);
    }

    fn append_many(&self, values: &[&[u8]]) {
        let mut held = self.log.lock().expect("not poisoned");
        let (log, messages) = &mut *held;
        messages.clear();
        values.iter().for_each(|value| messages.push(value).expect("fits"));
        log.append(messages).expect("appends");
        drop(held);
        if let Some((log, index)) = &self.files {
            log.sync_data().and_then(|()| index.sync_data()).expect("syncs");
        }
    }

    fn scan(&mut self) -> Option<(u64, u64)> {
        let (log, _) = self.log.get_mut().expect("not poisoned");
        let (mut records, mut bytes, mut next) = (0, 0, 0);
        loop {
            let messages = log.read(next, ReadLimit::max_bytes(1 << 20)).expect("readable");
            if messages.is_empty() {
                return Some((records, bytes));
            }
            for message in messages.iter() {
                records += 1;
                bytes += touch(message.payload());
                next = message.offset() + 1;
            }
        }
    }

    fn get(&self, number: u64) -> Option<usize> {
        let held = self.log.lock().expect("not poisoned");
        let found = held.0.reader(&mut One, number, ReadLimit::max_bytes(LARGEST)).expect("readable")?;
        found.iter().next().map(|message| message.payload().len())
    }
}

impl LogSliceReader for One {
    type Result = MessageBuf;

    fn read_from(&mut self, file: &File, position: u32, bytes: usize) -> Result<MessageBuf, MessageError> {
        let mut read = vec![0; bytes.min(4096)];
        file.read_exact_at(&mut read, position.into())?;
        let size = u32::from_le_bytes([read[8], read[9], read[10], read[11]]) as usize;
        read.truncate(HEADER_SIZE + size);
        MessageBuf::from_bytes(read)
    }
}

const LARGEST: usize = 256 << 20;
