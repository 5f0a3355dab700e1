//! What a crash, or another program, left in a partition's folder, told by suffix:
//!
//! - `.deleted` was to be removed; `.cleaned` is of a cleaning that did not finish: both go;
//! - `.swap` is of one that did: it takes the place of the segments whose offsets it has; without
//!   its log it was not yet to. One that is damaged is an error, and nothing is removed; an empty
//!   one replaces nothing in a log that is not compacted;
//! - an index without a log is of no use.

use std::collections::{BTreeMap, BTreeSet};

use klamm_record::BatchError;
use klamm_types::Offset;

use crate::OpenError;
use crate::disk::OpenMode;
use crate::folder::Folder;
use crate::format::{FileKind, SegmentFileName, belongs_to_a_log};
use crate::scan::{Check, Scan, ScanError};

/// A file with the suffix `.swap`.
struct Swap {
    name: String,
    kind: FileKind,
    base: Offset,
}

/// Clears the folder up and returns the base offsets of the segments, in order, and the offsets of
/// the snapshots. `compacts` tells whether the log is compacted.
pub(crate) fn tidy(folder: &Folder, compacts: bool) -> Result<(Vec<Offset>, Vec<Offset>), OpenError> {
    let mut logs = BTreeSet::new();
    let (mut swaps, mut indexes, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
    let mut useless = Vec::new();
    for name in folder.names()? {
        let parsed = SegmentFileName::parse(&name);
        match parsed.as_ref().map(|p| (p.suffix.as_str(), p.kind, p.base)) {
            Some((".deleted" | ".cleaned", ..)) => useless.push(name),
            None if name.ends_with(".tmp") && belongs_to_a_log(&name) => useless.push(name),
            Some((".swap", kind, base)) => swaps.push(Swap { name, kind, base }),
            Some(("", FileKind::Log, base)) => drop(logs.insert(base)),
            Some(("", FileKind::ProducerSnapshot, base)) => snapshots.push(base),
            Some(("", _, base)) => indexes.push((name, base)),
            _ => {}
        }
    }
    let ends = swap_ends(folder, &swaps, compacts)?;
    useless.iter().try_for_each(|name| folder.remove(name))?;
    if !swaps.is_empty() {
        finish_swaps(folder, swaps, &ends, &mut logs)?;
    }
    for (name, _) in indexes.iter().filter(|(_, base)| !logs.contains(base)) {
        folder.remove(name)?;
    }
    Ok((logs.into_iter().collect(), snapshots))
}

/// Removes a segment's files.
pub(crate) fn remove(folder: &Folder, base: Offset) -> Result<(), OpenError> {
    for kind in FileKind::ALL {
        folder.remove(&SegmentFileName::of(base, kind))?;
    }
    Ok(())
}

/// Each log gets its name last, when all else is durable: until then another opening does the same
/// again.
fn finish_swaps(
    folder: &Folder,
    swaps: Vec<Swap>,
    ends: &BTreeMap<Offset, Offset>,
    logs: &mut BTreeSet<Offset>,
) -> Result<(), OpenError> {
    let (of_logs, of_indexes): (Vec<_>, Vec<_>) = swaps.into_iter().partition(|s| s.kind == FileKind::Log);
    let (of_logs, ignored): (Vec<_>, Vec<_>) = of_logs.into_iter().partition(|s| ends.contains_key(&s.base));
    ignored.iter().try_for_each(|swap| folder.remove(&swap.name))?;
    for (base, end) in ends {
        remove_replaced(folder, *base, *end, logs)?;
    }
    for swap in &of_indexes {
        match of_logs.iter().any(|log| log.base == swap.base) {
            true => swap.give_name(folder)?,
            false => folder.remove(&swap.name)?,
        }
    }
    folder.sync()?;
    of_logs.iter().try_for_each(|swap| swap.give_name(folder))?;
    Ok(folder.sync()?)
}

/// The log from `base` to `end` replaces those whose offsets it has.
fn remove_replaced(
    folder: &Folder,
    base: Offset,
    end: Offset,
    logs: &mut BTreeSet<Offset>,
) -> Result<(), OpenError> {
    logs.insert(base);
    let replaced: Vec<_> = logs.range(base..).copied().take_while(|old| *old < end).collect();
    for old in replaced.into_iter().filter(|old| *old != base) {
        remove(folder, old)?;
        logs.remove(&old);
    }
    Ok(())
}

/// The base offset and the end of each `.swap` log that is to take its place.
fn swap_ends(folder: &Folder, swaps: &[Swap], compacts: bool) -> Result<BTreeMap<Offset, Offset>, OpenError> {
    let mut ends = BTreeMap::new();
    for swap in swaps.iter().filter(|swap| swap.kind == FileKind::Log) {
        let end = swap.end(folder)?;
        if end > swap.base || compacts || !swap.has_original(folder)? {
            ends.insert(swap.base, end);
        }
    }
    Ok(ends)
}

impl Swap {
    /// Whether there is a log with batches that it would replace.
    fn has_original(&self, folder: &Folder) -> Result<bool, OpenError> {
        let original = folder.stat(self.name.trim_end_matches(".swap"))?;
        Ok(original.is_some_and(|original| original.length > 0))
    }

    /// The offset after the last batch of a log. It was synced before it got its name, so that all
    /// of it is valid.
    fn end(&self, folder: &Folder) -> Result<Offset, OpenError> {
        let file = folder.open(&self.name, OpenMode::Read)?;
        let size = file.len().map_err(|e| folder.failed("look up", &self.name, e))?;
        let mut scan = Scan::new(file, 0, size, Check::Checksum, 256 * 1024);
        let mut end = self.base;
        loop {
            let at = scan.position();
            match scan.next() {
                Ok(Some(batch)) => end = batch.header.next_offset(),
                Ok(None) => return Ok(end),
                Err(ScanError::Batch(error)) => return Err(self.damaged(folder, at, &error)),
                Err(ScanError::Io(error)) => return Err(folder.failed("read", &self.name, error).into()),
            }
        }
    }

    fn damaged(&self, folder: &Folder, at: u64, error: &BatchError) -> OpenError {
        let why = format!("at byte {at}: {error}. Without the file the segments stay that it was to replace");
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, why);
        folder.failed("finish a compaction with", &self.name, error).into()
    }

    fn give_name(&self, folder: &Folder) -> Result<(), OpenError> {
        Ok(folder.rename(&self.name, self.name.trim_end_matches(".swap"))?)
    }
}
