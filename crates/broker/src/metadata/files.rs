//! The metadata as it lies on the disk: the latest snapshot, and the log behind it. They are read
//! and never changed here, so that a folder can be looked at before it is opened.
//!
//! ```text
//! 00000000000000000041-0000000001.checkpoint   all records before offset 41, as few as make the same image
//! 00000000000000000000.log                     the records, in the order in which they were decided
//! ```

use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use klamm_log::disk::Disk;
use klamm_record::{BatchHeader, RecordBatch};
use klamm_types::{LeaderEpoch, Offset};

use crate::directory::{FileReader, is_file};

/// The files of a metadata log.
#[derive(Debug)]
pub(super) struct MetadataFiles<'d> {
    disk: &'d dyn Disk,
    /// The latest snapshot: the first offset that is not in it, the epoch of the one before, and
    /// where it is.
    snapshot: Option<(i64, i32, PathBuf)>,
    /// The segments by their first offset, in order.
    segments: Vec<(i64, PathBuf)>,
}

/// A record of the metadata log or of a snapshot.
#[derive(Debug)]
pub(super) enum Entry {
    /// One of the metadata.
    Metadata { offset: i64, value: Bytes },
    /// One of the quorum, by its type.
    Quorum { kind: i16, value: Bytes },
}

/// What a last segment that ends in the middle of a batch means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    /// The broker was killed; the log will be cut there.
    MayBeTorn,
    /// The log is damaged.
    IsWhole,
}

/// Types of the records that frame a snapshot.
const HEADER: i16 = 3;
const FOOTER: i16 = 4;
/// A batch that is longer is none: Kafka's are at most 8 MiB.
const LARGEST: usize = 64 << 20;

impl<'d> MetadataFiles<'d> {
    /// Those in the folder of the log; `None` when there is no such folder.
    pub(super) fn find(disk: &'d dyn Disk, folder: &Path) -> Result<Option<MetadataFiles<'d>>, String> {
        let failed = |error| format!("cannot list {}: {error}", folder.display());
        match disk.stat(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => drop(found.map_err(failed)?),
        }
        let mut files = MetadataFiles { disk, snapshot: None, segments: Vec::new() };
        let paths = disk.list(folder).map_err(failed)?.into_iter().map(|name| folder.join(name));
        paths.filter(|path| is_file(disk, path)).for_each(|path| files.note(path));
        files.segments.sort_unstable();
        files.check(folder)?;
        Ok(Some(files))
    }

    fn note(&mut self, path: PathBuf) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if let Some(base) = name.strip_suffix(".log").and_then(number) {
            self.segments.push((base, path));
        } else if let Some((end, epoch)) = name.strip_suffix(".checkpoint").and_then(snapshot_end) {
            self.snapshot = self.snapshot.take().max(Some((end, epoch, path)));
        }
    }

    fn check(&self, folder: &Path) -> Result<(), String> {
        let (end, first) =
            (self.end_of_snapshot().0.get(), self.segments.first().map_or(0, |(base, _)| *base));
        if first > end {
            return Err(format!(
                "{}: the log begins at offset {first}, expected a snapshot up to there, got one up to {end}",
                folder.display()
            ));
        }
        Ok(())
    }

    /// The first offset that is not in the snapshot, and the epoch of the one before.
    pub(super) fn end_of_snapshot(&self) -> (Offset, LeaderEpoch) {
        let (end, epoch) = self.snapshot.as_ref().map_or((0, 0), |(end, epoch, _)| (*end, *epoch));
        (Offset::new(end).unwrap_or_default(), LeaderEpoch::new(epoch).unwrap_or_default())
    }

    /// Shows `visit` all records in order. What it refuses is told with the place.
    pub(super) fn read(
        &self,
        tail: Tail,
        mut visit: impl FnMut(Entry) -> Result<(), String>,
    ) -> Result<(), String> {
        if let Some((.., path)) = &self.snapshot {
            read_snapshot(self.disk, path, &mut visit)?;
        }
        let from = self.end_of_snapshot().0.get();
        let last = self.segments.last().map(|(base, _)| *base);
        for (base, path) in &self.segments {
            match Batches::open(self.disk, path)?.read(from, &mut visit) {
                Err(Stopped::Broken(_)) if tail == Tail::MayBeTorn && Some(*base) == last => {}
                read => read?,
            }
        }
        Ok(())
    }
}

/// Shows `visit` all records of a snapshot, which has a header and a footer.
pub(super) fn read_snapshot(
    disk: &dyn Disk,
    path: &Path,
    visit: &mut impl FnMut(Entry) -> Result<(), String>,
) -> Result<(), String> {
    let (mut first, mut last) = (None, None);
    let mut note = |entry: Entry| {
        let kind = if let Entry::Quorum { kind, .. } = entry { Some(kind) } else { None };
        first = first.or(Some(kind));
        last = Some(kind);
        visit(entry)
    };
    Batches::open(disk, path)?.read(0, &mut note)?;
    match (first.flatten(), last.flatten()) {
        (Some(HEADER), Some(FOOTER)) => Ok(()),
        _ => Err(format!(
            "{} is no whole snapshot: it has to begin with a header and to end with a footer",
            path.display()
        )),
    }
}

/// The batches of a file.
struct Batches<'a> {
    path: &'a Path,
    file: BufReader<FileReader>,
    position: u64,
    length: u64,
}

/// Why reading stopped.
enum Stopped {
    /// There is no valid batch.
    Broken(String),
    /// Its records cannot be taken.
    Refused(String),
}

impl From<Stopped> for String {
    fn from(stopped: Stopped) -> String {
        match stopped {
            Stopped::Broken(words) | Stopped::Refused(words) => words,
        }
    }
}

impl<'a> Batches<'a> {
    fn open(disk: &dyn Disk, path: &'a Path) -> Result<Batches<'a>, String> {
        let (file, length) = FileReader::open(disk, path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        Ok(Batches { path, file: BufReader::with_capacity(1 << 18, file), position: 0, length })
    }

    /// Shows `visit` the records from offset `from` on.
    fn read(mut self, from: i64, visit: &mut impl FnMut(Entry) -> Result<(), String>) -> Result<(), Stopped> {
        while self.position < self.length {
            let at = self.position;
            let broken = |words: String| {
                Stopped::Broken(format!("damage in {} at byte {at}: {words}", self.path.display()))
            };
            let batch = self.next().map_err(broken)?;
            let refused = |words| Stopped::Refused(format!("{} at byte {at}: {words}", self.path.display()));
            show(&batch, from, visit).map_err(refused)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<RecordBatch, String> {
        let mut bytes = vec![0; BatchHeader::SIZE];
        self.file.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        let header = BatchHeader::parse(&bytes).map_err(|error| error.to_string())?;
        let left = usize::try_from(self.length - self.position).unwrap_or(usize::MAX).min(LARGEST);
        if header.size() > left {
            return Err(format!("a batch has {} bytes, expected at most {left}", header.size()));
        }
        bytes.resize(header.size(), 0);
        self.file.read_exact(&mut bytes[BatchHeader::SIZE..]).map_err(|error| error.to_string())?;
        self.position += bytes.len() as u64;
        RecordBatch::parse(bytes.into()).map_err(|error| error.to_string())
    }
}

fn show(
    batch: &RecordBatch,
    from: i64,
    visit: &mut impl FnMut(Entry) -> Result<(), String>,
) -> Result<(), String> {
    let records = batch.records(LARGEST).map_err(|error| error.to_string())?;
    for record in &records {
        let record = record.map_err(|error| error.to_string())?;
        let (offset, value) = (record.offset.get(), record.value.unwrap_or_default());
        let value = Bytes::copy_from_slice(value);
        let kind = record.key.and_then(|key| key.get(2..4)).map_or(-1, |k| i16::from_be_bytes([k[0], k[1]]));
        let entry = match batch.is_control() {
            true => Entry::Quorum { kind, value },
            false => Entry::Metadata { offset, value },
        };
        if offset >= from {
            visit(entry)?;
        }
    }
    Ok(())
}

/// `<end offset, 20 digits>-<epoch, 10 digits>`
fn snapshot_end(name: &str) -> Option<(i64, i32)> {
    let (end, epoch) = name.split_once('-')?;
    let epoch = (epoch.len() == 10).then_some(epoch)?;
    Some((number(end)?, epoch.parse().ok()?))
}

fn number(digits: &str) -> Option<i64> {
    let digits = Some(digits).filter(|d| d.len() == 20 && d.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}
