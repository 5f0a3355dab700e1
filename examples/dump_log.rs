//! Prints a segment, an index or a checkpoint, written by Kafka or by Klamm, without opening the
//! log it belongs to.
//!
//! ```sh
//! cargo run --release --example dump_log -- klamm-rows/flights-0/00000000000000000000.log
//! cargo run --release --example dump_log -- --verify klamm-rows/flights-0/*
//! cargo run --release --example dump_log -- --offsets-decoder klamm-data/__consumer_offsets-7/*.log
//! ```

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Parser;
use klamm_coordinator::{ForeignRecord, GroupRecord, RecordError};
use klamm_examples::dump::{BatchLine, RecordLine};
use klamm_examples::is_broken_pipe;
use klamm_log::format::{
    EpochCheckpoint, FileKind, IndexEntry, OffsetCheckpoint, OffsetEntry, PartitionMetadata, SegmentFileName,
    TimeEntry,
};
use klamm_record::{BatchHeader, Batches, Record};

/// Prints what lies in a log's folder, a line a batch, a record or an entry.
#[derive(Parser)]
struct Options {
    /// Only check: print damage and a summary of each file, and exit with 1 if there is any.
    #[arg(long)]
    verify: bool,
    /// Leave out the records, print batches only.
    #[arg(long)]
    headers_only: bool,
    /// The files are of __consumer_offsets: say what each record tells of a group.
    #[arg(long)]
    offsets_decoder: bool,
    /// The most bytes that a batch may have once decompressed.
    #[arg(long, default_value_t = 256 << 20)]
    max_decompressed_bytes: usize,
    /// Files: .log, .index, .timeindex, checkpoints, partition.metadata; others are named and
    /// passed over.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What a file held: how many things, and the damage that was found.
struct Found {
    what: &'static str,
    count: u64,
    damage: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dump_log: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut sound = true;
    for path in &options.files {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("dump_log: cannot read {}: {error}", path.display());
                sound = false;
                continue;
            }
        };
        if !options.verify {
            writeln!(out, "Dumping {}", path.display())?;
        }
        let Some(found) = dump(path, bytes.into(), options, &mut out)? else {
            writeln!(out, "{}: not a file that can be shown here", path.display())?;
            continue;
        };
        found.damage.iter().try_for_each(|damage| writeln!(out, "{}: {damage}", path.display()))?;
        if options.verify {
            writeln!(
                out,
                "{}: {} {}, {} damaged",
                path.display(),
                found.count,
                found.what,
                found.damage.len()
            )?;
        }
        sound &= found.damage.is_empty();
    }
    out.flush()?;
    Ok(sound)
}

/// `None` for a file of another kind.
fn dump(path: &Path, bytes: Bytes, options: &Options, out: &mut impl Write) -> io::Result<Option<Found>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = || String::from_utf8_lossy(&bytes).into_owned();
    let found = match SegmentFileName::parse(&name).map(|name| (name.kind, name.base.get())) {
        Some((FileKind::Log, base)) => dump_batches(bytes, base, options, out)?,
        Some((FileKind::OffsetIndex, base)) => {
            dump_index(&bytes, "entries", options, out, |entry: OffsetEntry| {
                let offset = base + i64::from(entry.relative_offset);
                (u64::from(entry.position), format!("offset: {offset} position: {}", entry.position))
            })?
        }
        Some((FileKind::TimeIndex, base)) => {
            dump_index(&bytes, "entries", options, out, |entry: TimeEntry| {
                let offset = base + i64::from(entry.relative_offset);
                (u64::from(entry.relative_offset), format!("timestamp: {} offset: {offset}", entry.timestamp))
            })?
        }
        _ if name == "partition.metadata" => {
            dump_text(PartitionMetadata::parse(&text()), options, out, |metadata| {
                (1, metadata.to_text() + "\n")
            })?
        }
        _ if name == "leader-epoch-checkpoint" => {
            dump_text(EpochCheckpoint::parse(&text()), options, out, |it| {
                (it.history.entries().len() as u64, it.to_text())
            })?
        }
        _ if name.ends_with("-checkpoint") => {
            dump_text(OffsetCheckpoint::parse(&text()), options, out, |it| {
                (it.offsets.len() as u64, it.to_text())
            })?
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

fn dump_batches(bytes: Bytes, base: i64, options: &Options, out: &mut impl Write) -> io::Result<Found> {
    let whole = bytes.len();
    let mut found = Found { what: "batches", count: 0, damage: Vec::new() };
    let (mut batches, mut next) = (Batches::new(bytes), base);
    if !options.verify {
        writeln!(out, "Log starting offset: {base}")?;
    }
    loop {
        let position = whole - batches.remaining().len();
        match batches.next() {
            None => return Ok(found),
            Some(Err(fault)) => {
                found.damage.push(format!("byte {position}, where offset {next} should be: {fault}"));
            }
            Some(Ok(batch)) => {
                found.count += 1;
                if batch.base_offset().get() < next {
                    found
                        .damage
                        .push(format!("byte {position}: offset {} after {next}", batch.base_offset()));
                }
                next = batch.next_offset().get();
                if !options.verify {
                    writeln!(
                        out,
                        "{}",
                        BatchLine { header: &batch, position: position as u64, valid: true }
                    )?;
                }
                let records = dump_records(&batch, options, out)?;
                found.damage.extend(records.map(|fault| format!("byte {position}: {fault}")));
            }
        }
    }
}

/// The damage among a batch's records, if any.
fn dump_records(
    batch: &klamm_record::RecordBatch,
    options: &Options,
    out: &mut impl Write,
) -> io::Result<Option<String>> {
    let header: &BatchHeader = batch;
    let records = match batch.records(options.max_decompressed_bytes) {
        Ok(records) => records,
        Err(fault) => return Ok(Some(fault.to_string())),
    };
    for record in &records {
        match record {
            Ok(record) if !options.verify && !options.headers_only => {
                writeln!(out, "{}", RecordLine { header, record: &record })?;
                if options.offsets_decoder && !header.is_control() {
                    writeln!(out, "  {}", told_of_a_group(&record))?;
                }
            }
            Ok(_) => {}
            Err(fault) => return Ok(Some(fault.to_string())),
        }
    }
    Ok(None)
}

/// What a record of `__consumer_offsets` tells, or why that is not known.
fn told_of_a_group(record: &Record<'_>) -> String {
    let (key, value) = (record.key.unwrap_or_default(), record.value.map(Bytes::copy_from_slice));
    let key = Bytes::copy_from_slice(key);
    match GroupRecord::decode(&key, value.as_ref()) {
        Ok(told) => format!("{told:?}"),
        Err(RecordError::Unknown { kind }) => match ForeignRecord::decode(&key, value.as_ref()) {
            Ok(Some(told)) => format!("a share or streams group, kind {kind}: {told:?}"),
            Ok(None) => format!("kind {kind}, which is not decoded here"),
            Err(fault) => fault.to_string(),
        },
        Err(fault) => fault.to_string(),
    }
}

/// Entries of an index; `show` tells the number that must rise from entry to entry, and the line.
fn dump_index<E: IndexEntry>(
    bytes: &[u8],
    what: &'static str,
    options: &Options,
    out: &mut impl Write,
    show: impl Fn(E) -> (u64, String),
) -> io::Result<Found> {
    let mut found = Found { what, count: 0, damage: Vec::new() };
    let mut last = None;
    for (number, entry) in bytes.chunks_exact(E::SIZE).enumerate() {
        let (rising, line) = show(E::decode(entry));
        if last.is_some_and(|last| rising <= last) {
            found.damage.push(format!("entry {number} does not rise: {line}"));
        }
        last = Some(rising);
        found.count += 1;
        if !options.verify {
            writeln!(out, "{line}")?;
        }
    }
    let left = bytes.len() % E::SIZE;
    if left > 0 {
        found.damage.push(format!("{left} bytes follow the last entry"));
    }
    Ok(found)
}

fn dump_text<T, X: Display>(
    parsed: Result<T, X>,
    options: &Options,
    out: &mut impl Write,
    show: impl Fn(T) -> (u64, String),
) -> io::Result<Found> {
    let (count, damage) = match parsed {
        Ok(value) => {
            let (count, text) = show(value);
            if !options.verify {
                write!(out, "{text}")?;
            }
            (count, Vec::new())
        }
        Err(fault) => (0, vec![fault.to_string()]),
    };
    Ok(Found { what: "lines", count, damage })
}
