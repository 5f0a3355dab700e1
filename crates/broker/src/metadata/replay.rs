//! From the records of a metadata log to the image that they make.

use std::path::Path;

use bytes::Bytes;
use klamm_log::disk::Disk;
use klamm_protocol::metadata::abort_transaction_record::AbortTransactionRecord;
use klamm_protocol::metadata::begin_transaction_record::BeginTransactionRecord;
use klamm_protocol::metadata::end_transaction_record::EndTransactionRecord;
use klamm_protocol::{DecodeError, MetadataFrame, Record, decode_metadata_record};

use super::MetadataImage;
use super::files::{Entry, MetadataFiles, Tail, read_snapshot};
use super::foreign::Foreign;
use super::record::MetadataRecord;

/// An image in the making.
#[derive(Debug)]
pub(super) struct Replay {
    node: i32,
    image: MetadataImage,
    foreign: Foreign,
    /// The records of a transaction that has not ended: they count together or not at all
    /// (KIP-868).
    begun: Option<Vec<MetadataFrame>>,
}

impl Replay {
    /// Reads the metadata in the folder of its log, for the broker `node`; `None` when there is no
    /// such folder.
    pub(super) fn of_folder(
        disk: &dyn Disk,
        log: &Path,
        node: i32,
        tail: Tail,
    ) -> Result<Option<Replay>, String> {
        let Some(files) = MetadataFiles::find(disk, log)? else { return Ok(None) };
        let mut replay = Replay::new(node);
        files.read(tail, |entry| replay.take(entry))?;
        Ok(Some(replay))
    }

    /// Adds what a snapshot says.
    pub(super) fn add(&mut self, disk: &dyn Disk, snapshot: &Path) -> Result<(), String> {
        read_snapshot(disk, snapshot, &mut |entry| self.take(entry))
    }

    /// Nothing yet.
    pub(super) fn new(node: i32) -> Replay {
        Replay { node, image: MetadataImage::default(), foreign: Foreign::default(), begun: None }
    }

    fn take(&mut self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Quorum { kind, value } => {
                let applied = self.foreign.apply_quorum(kind, value);
                applied.map_err(|error| format!("a record of the quorum: {error}"))
            }
            Entry::Metadata { offset, value } => {
                self.decode(value).map_err(|error| format!("the record at offset {offset}: {error}"))
            }
        }
    }

    fn decode(&mut self, value: Bytes) -> Result<(), DecodeError> {
        let frame = decode_metadata_record(value)?;
        match (frame.record_type, &mut self.begun) {
            (BeginTransactionRecord::TYPE, begun) => *begun = Some(Vec::new()),
            (AbortTransactionRecord::TYPE, begun) => *begun = None,
            (EndTransactionRecord::TYPE, begun) => {
                return begun.take().unwrap_or_default().iter().try_for_each(|frame| self.apply(frame));
            }
            (_, Some(begun)) => begun.push(frame),
            (_, None) => return self.apply(&frame),
        }
        Ok(())
    }

    fn apply(&mut self, frame: &MetadataFrame) -> Result<(), DecodeError> {
        self.foreign.apply(frame, self.node)?;
        self.image.apply(&MetadataRecord::decode(frame)?);
        Ok(())
    }

    /// Whether the log ends in the middle of a transaction.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.begun.is_some()
    }

    /// What cannot be carried over, in words.
    pub(super) fn refusals(&self) -> Vec<String> {
        self.foreign.refusals(self.node, &self.image)
    }

    pub(super) fn image(&self) -> &MetadataImage {
        &self.image
    }

    pub(super) fn into_image(self) -> MetadataImage {
        self.image
    }
}
