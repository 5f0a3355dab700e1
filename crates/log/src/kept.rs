//! Opening a log never deletes a valid batch. What it cuts off behind the first batch that is not
//! valid is kept in files `<base offset>.cut` beside the log, for whoever wants to look at it. They
//! are never read, and stay until someone removes them.

use std::path::PathBuf;
use std::sync::Arc;

use klamm_record::BatchHeader;
use klamm_types::Offset;

use crate::disk::{DiskFile, OpenMode};
use crate::folder::{Folder, read_full};
use crate::format::{FileKind, SegmentFileName};
use crate::scan::{Check, Scan};
use crate::segment::Segment;
use crate::{FileError, Log, OpenError};

impl Log {
    /// The files beside the log that keep what openings have cut off it.
    ///
    /// # Errors
    /// [`FileError`] when the directory cannot be read.
    pub fn kept(&self) -> Result<Vec<PathBuf>, FileError> {
        let names = self.inner.folder.names()?;
        let kept = names.iter().filter(|name| name.ends_with(SUFFIX));
        Ok(kept.map(|name| self.inner.folder.path_of(name)).collect())
    }
}

/// What was cut off a log.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    folder: &'a Folder,
    /// The most bytes that all files of this kind may have.
    most: u64,
    /// Names of the files.
    pub(crate) names: Vec<String>,
}

impl<'a> Kept<'a> {
    pub(crate) fn new(folder: &'a Folder, most: u64) -> Kept<'a> {
        Kept { folder, most, names: Vec::new() }
    }

    /// Copies the bytes of a segment from `position` on, if there is a valid batch among them. The
    /// copy is durable when this returns.
    pub(crate) fn copy_from(&mut self, segment: &Segment, position: u64, size: u64) -> Result<(), OpenError> {
        let file = segment.file()?;
        let holds = holds_a_batch(&file, position, size).map_err(|error| segment.failed("read", error))?;
        if !holds {
            return Ok(());
        }
        let name = self.next_name(segment.base(), size - position)?;
        let target = self.folder.open(&name, OpenMode::Replace)?;
        let failed = |error| self.folder.failed("write to", &name, error);
        let (mut buffer, mut at) = (vec![0; CHUNK], position);
        while at < size {
            let want = usize::try_from(size - at).unwrap_or(CHUNK).min(CHUNK);
            let got = read_full(&*file, &mut buffer[..want], at).map_err(failed)?;
            if got == 0 {
                break;
            }
            target.write_all_at(&buffer[..got], at - position).map_err(failed)?;
            at += got as u64;
        }
        target.sync().map_err(failed)?;
        self.folder.sync()?;
        self.names.push(name);
        Ok(())
    }

    /// Takes a whole segment out of the log; its batches are kept, the other files removed.
    pub(crate) fn take(&mut self, segment: &Segment) -> Result<(), OpenError> {
        let (base, size) = (segment.base(), segment.size()?);
        if size > 0 {
            let name = self.next_name(base, size)?;
            self.folder.rename(&SegmentFileName::of(base, FileKind::Log), &name)?;
            self.names.push(name);
        }
        crate::leftovers::remove(self.folder, base)
    }

    /// A name that is free, if there is room for so many more bytes.
    fn next_name(&self, base: Offset, bytes: u64) -> Result<String, FileError> {
        let names = self.folder.names()?;
        let mut held = bytes;
        for name in names.iter().filter(|name| name.ends_with(SUFFIX)) {
            held += self.folder.stat(name)?.map_or(0, |stat| stat.length);
        }
        let plain = format!("{:020}{SUFFIX}", base.get());
        if held > self.most {
            let words = format!(
                "the {SUFFIX} files would have {held} bytes, expected at most {} (log.cut.max.bytes)",
                self.most
            );
            return Err(self.folder.failed("keep what is cut off in", &plain, std::io::Error::other(words)));
        }
        let numbered = (1..).map(|n| format!("{:020}.{n}{SUFFIX}", base.get()));
        Ok(std::iter::once(plain).chain(numbered).find(|name| !names.contains(name)).unwrap_or_default())
    }
}

/// Whether a valid batch starts anywhere between two positions of a file. Where there is too much
/// to check, it is assumed.
fn holds_a_batch(file: &Arc<dyn DiskFile>, from: u64, size: u64) -> std::io::Result<bool> {
    let mut work = 4 * (size - from) + CHUNK as u64;
    let mut buffer = vec![0; CHUNK];
    let mut at = from;
    while at + BatchHeader::SIZE as u64 <= size {
        let got = read_full(&**file, &mut buffer, at)?;
        let starts = (got + 1).saturating_sub(BatchHeader::SIZE);
        for start in (0..starts).filter(|start| buffer[start + MAGIC_AT] == 2) {
            let Ok(header) = BatchHeader::parse(&buffer[start..start + BatchHeader::SIZE]) else { continue };
            let position = at + start as u64;
            if header.size() as u64 > size - position {
                continue;
            }
            let Some(left) = work.checked_sub(header.size() as u64) else { return Ok(true) };
            work = left;
            let mut scan = Scan::new(Arc::clone(file), position, size, Check::Checksum, CHUNK);
            if matches!(scan.next(), Ok(Some(_))) {
                return Ok(true);
            }
        }
        if starts == 0 {
            break;
        }
        at += starts as u64;
    }
    Ok(false)
}

/// Suffix of the files.
const SUFFIX: &str = ".cut";
/// Where a batch has its magic byte.
const MAGIC_AT: usize = 16;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
