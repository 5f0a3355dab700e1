//! Puts a CSV file into a log, a row a record, and reads it back, comparing every row.
//!
//! ```sh
//! cargo run --release --example replay_csv -- flights.csv --topic flights --key tailnum --time time_hour --partitions 3
//! ```

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use csv::StringRecord;
use indicatif::{ProgressBar, ProgressStyle};
use klamm_examples::time::parse_time;
use klamm_log::{
    Compression, DirConfig, Durability, Log, LogConfig, LogDir, NewRecord, Position, Timestamp, Writer,
};

/// Puts a CSV file into a log, a row a record, and reads it back.
#[derive(Parser)]
struct Options {
    /// The file; its first row names the columns. "-" is standard input.
    file: String,
    /// Folder of the log; created when it is not there.
    #[arg(long, default_value = "./klamm-rows")]
    dir: PathBuf,
    /// Topic that the rows are added to.
    #[arg(long, default_value = "rows")]
    topic: String,
    /// Partitions that the rows are spread over, by key.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    partitions: u32,
    /// Column that is the key; without it records have none.
    #[arg(long)]
    key: Option<String>,
    /// Column that is the time: milliseconds since 1970, or a date such as 2013-01-31 or 2013-01-31
    /// 05:00:00 (UTC).
    #[arg(long)]
    time: Option<String>,
    /// Codec: none, gzip, snappy, lz4 or zstd.
    #[arg(long, default_value = "none")]
    compression: Compression,
    /// Bytes of a segment.
    #[arg(long, default_value_t = 1 << 30)]
    segment_bytes: u32,
}

/// Where the key and the time stand in a row.
struct Columns {
    key: Option<usize>,
    time: Option<usize>,
}

fn main() -> ExitCode {
    klamm_examples::exit("replay_csv", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let log = LogConfig {
        compression: options.compression,
        segment_bytes: options.segment_bytes,
        ..LogConfig::default()
    };
    let dir = LogDir::open_with(&options.dir, DirConfig { log, ..DirConfig::default() })?;
    let logs = (0..options.partitions).map(|n| dir.log(&options.topic, n)).collect::<Result<Vec<_>, _>>()?;

    let ends: Vec<_> = logs.iter().map(|log| log.bounds().end()).collect();
    let written = write(&options, &logs)?;
    let read = read_back(&logs, &ends, written.rows)?;
    if read != written {
        return Err(format!("wrote {written:?}, but read {read:?}").into());
    }
    println!("{} rows read back as they were written, in order in each partition", read.rows);
    dir.close()?;
    Ok(())
}

/// A count, and a sum over the rows of each partition in which their order tells.
#[derive(PartialEq, Debug)]
struct Summary {
    rows: u64,
    sums: Vec<u64>,
}

impl Summary {
    fn new(partitions: usize) -> Summary {
        Summary { rows: 0, sums: vec![0; partitions] }
    }

    fn add(&mut self, partition: usize, row: &[u8]) {
        let mut hasher = DefaultHasher::new();
        (self.sums[partition], row).hash(&mut hasher);
        self.sums[partition] = hasher.finish();
        self.rows += 1;
    }
}

fn write(options: &Options, logs: &[Log]) -> Result<Summary, Box<dyn Error>> {
    let (source, size) = open(&options.file)?;
    let bar = bar(size, "written")?;
    let began = Instant::now();
    let mut rows = csv::Reader::from_reader(bar.wrap_read(source));
    let columns = columns(options, rows.headers()?)?;
    let mut writers: Vec<Writer> = logs.iter().map(|log| log.writer(Durability::Written)).collect();
    let mut summary = Summary::new(logs.len());
    let (mut row, mut text) = (StringRecord::new(), Vec::new());
    while rows.read_record(&mut row)? {
        let key = columns.key.and_then(|at| row.get(at));
        let timestamp =
            columns.time.and_then(|at| row.get(at)).map(|text| time_of(text, &row)).transpose()?;
        text.clear();
        csv::Writer::from_writer(&mut text).write_record(&row)?;
        let value = text.trim_ascii_end();
        let partition = partition_of(key, summary.rows, logs.len());
        writers[partition].push(&NewRecord {
            timestamp,
            key: key.map(str::as_bytes),
            value: Some(value),
            headers: &[],
        })?;
        summary.add(partition, value);
    }
    for writer in &mut writers {
        writer.flush()?;
    }
    logs.iter().try_for_each(Log::sync)?;
    bar.finish_and_clear();
    report("wrote", summary.rows, began);
    Ok(summary)
}

fn read_back(logs: &[Log], ends: &[klamm_log::Offset], rows: u64) -> Result<Summary, Box<dyn Error>> {
    let bar = bar(rows, "read back")?;
    let began = Instant::now();
    let mut summary = Summary::new(logs.len());
    for (partition, (log, end)) in logs.iter().zip(ends).enumerate() {
        let mut reader = log.reader(Position::At(*end))?;
        while let Some(record) = reader.next()? {
            summary.add(partition, record.value.unwrap_or_default());
            if summary.rows.is_multiple_of(4096) {
                bar.set_position(summary.rows);
            }
        }
    }
    bar.finish_and_clear();
    report("read", summary.rows, began);
    Ok(summary)
}

fn open(file: &str) -> Result<(Box<dyn Read>, u64), Box<dyn Error>> {
    if file == "-" {
        return Ok((Box::new(std::io::stdin().lock()), 0));
    }
    let opened = File::open(file).map_err(|error| format!("cannot open {file}: {error}"))?;
    let size = opened.metadata()?.len();
    Ok((Box::new(BufReader::new(opened)), size))
}

fn columns(options: &Options, headers: &StringRecord) -> Result<Columns, Box<dyn Error>> {
    let find = |name: &String| {
        let found = headers.iter().position(|header| header == name);
        let names = headers.iter().collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("no column {name:?}; the file has {names}"))
    };
    Ok(Columns {
        key: options.key.as_ref().map(find).transpose()?,
        time: options.time.as_ref().map(find).transpose()?,
    })
}

fn time_of(text: &str, row: &StringRecord) -> Result<Timestamp, Box<dyn Error>> {
    let line = row.position().map_or(0, csv::Position::line);
    let expected = "milliseconds since 1970 or a date such as 2013-01-31 05:00:00";
    Ok(parse_time(text).ok_or_else(|| format!("line {line}: expected {expected}, got {text:?}"))?)
}

fn partition_of(key: Option<&str>, row: u64, partitions: usize) -> usize {
    let number = key.map_or(row, |key| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    });
    usize::try_from(number % partitions as u64).unwrap_or(0)
}

fn bar(length: u64, what: &'static str) -> Result<ProgressBar, Box<dyn Error>> {
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent}% {elapsed}, {eta} left")?;
    Ok(ProgressBar::new(length).with_style(style).with_message(what))
}

fn report(what: &str, rows: u64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64().max(1e-9);
    println!("{what} {rows} rows in {seconds:.2} s");
}
