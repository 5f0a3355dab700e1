//! What a crash, or another program, left in a partition's folder, told by suffix:
//!
//! - `.deleted` was to be removed; `.cleaned` is of a cleaning that did not finish: both go;
//! - `.swap` is of one that did: it takes the place of the segments whose offsets it has; without its log it was not yet to;
//! - an index without a log is of no use.

use std::collections::BTreeSet;

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

/// Clears the folder up and returns the base offsets of the segments, in order, and the offsets of the snapshots.
pub(crate) fn tidy(folder: &Folder) -> Result<(Vec<Offset>, Vec<Offset>), OpenError> {
    let mut logs = BTreeSet::new();
    let (mut swaps, mut indexes, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
    for name in folder.names()? {
        let parsed = SegmentFileName::parse(&name);
        match parsed.as_ref().map(|p| (p.suffix.as_str(), p.kind, p.base)) {
            Some((".deleted" | ".cleaned", ..)) => folder.remove(&name)?,
            None if name.ends_with(".tmp") && belongs_to_a_log(&name) => folder.remove(&name)?,
            Some((".swap", kind, base)) => swaps.push(Swap { name, kind, base }),
            Some(("", FileKind::Log, base)) => drop(logs.insert(base)),
            Some(("", FileKind::ProducerSnapshot, base)) => snapshots.push(base),
            Some(("", _, base)) => indexes.push((name, base)),
            _ => {}
        }
    }
    if !swaps.is_empty() {
        finish_swaps(folder, swaps, &mut logs)?;
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

/// Each log gets its name last, when all else is durable: until then another opening does the same again.
fn finish_swaps(folder: &Folder, swaps: Vec<Swap>, logs: &mut BTreeSet<Offset>) -> Result<(), OpenError> {
    let (of_logs, of_indexes): (Vec<_>, Vec<_>) = swaps.into_iter().partition(|s| s.kind == FileKind::Log);
    for Swap { base, .. } in &of_logs {
        remove_replaced(folder, *base, logs)?;
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

/// The log at `base` replaces those whose offsets it has.
fn remove_replaced(folder: &Folder, base: Offset, logs: &mut BTreeSet<Offset>) -> Result<(), OpenError> {
    let end = swap_end(folder, base)?;
    logs.insert(base);
    let replaced: Vec<_> = logs.range(base..).copied().take_while(|old| *old < end).collect();
    for old in replaced.into_iter().filter(|old| *old != base) {
        remove(folder, old)?;
        logs.remove(&old);
    }
    Ok(())
}

/// The offset after the last batch of a `.swap` log.
fn swap_end(folder: &Folder, base: Offset) -> Result<Offset, OpenError> {
    let name = format!("{}.swap", SegmentFileName::of(base, FileKind::Log));
    let file = folder.open(&name, OpenMode::Read)?;
    let size = file.len().map_err(|e| folder.failed("look up", &name, e))?;
    let mut scan = Scan::new(file, 0, size, Check::Header, 256 * 1024);
    let mut end = base;
    loop {
        match scan.next() {
            Ok(Some(batch)) => end = batch.header.next_offset(),
            Err(ScanError::Io(error)) => return Err(folder.failed("read", &name, error).into()),
            Ok(None) | Err(ScanError::Batch(_)) => return Ok(end),
        }
    }
}

impl Swap {
    fn give_name(&self, folder: &Folder) -> Result<(), OpenError> {
        Ok(folder.rename(&self.name, self.name.trim_end_matches(".swap"))?)
    }
}
