//! A queue of jobs that survives its workers: jobs are one log, how far they are done is another.
//!
//! ```sh
//! cargo run --release --example work_queue -- add "paint the door" "mow the lawn"
//! cargo run --release --example work_queue -- work
//! ```
//!
//! A job is done at least once: killed between doing a job and noting it, the worker does that one
//! again.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use klamm_log::{Durability, Log, LogDir, NewRecord, Offset, Position};

/// A queue of jobs in a folder.
#[derive(Parser)]
struct Options {
    /// Folder of the queue; created when it is not there.
    #[arg(long, default_value = "./klamm-queue")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Adds jobs; each is on the disk when its number is printed.
    Add {
        /// What is to be done.
        #[arg(required = true)]
        jobs: Vec<String>,
    },
    /// Does the jobs that are waiting, in order.
    Work {
        /// Stop after so many.
        #[arg(long, default_value_t = usize::MAX)]
        most: usize,
    },
}

/// The queue: jobs from `next` on are waiting.
struct Queue {
    jobs: Log,
    done: Log,
    next: Offset,
}

fn main() -> ExitCode {
    klamm_examples::exit("work_queue", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let dir = LogDir::open(&options.dir)?;
    let mut queue = Queue::open(&dir)?;
    match options.command {
        Command::Add { jobs } => jobs.iter().try_for_each(|job| queue.add(job))?,
        Command::Work { most } => queue.work(most)?,
    }
    dir.close()?;
    Ok(())
}

impl Queue {
    /// The last record of `done` says where to go on.
    fn open(dir: &LogDir) -> Result<Queue, Box<dyn Error>> {
        let (jobs, done) = (dir.log("jobs", 0)?, dir.log("done", 0)?);
        let mut next = Offset::ZERO;
        if let Some(last) = done.bounds().end().get().checked_sub(1).and_then(Offset::new) {
            let record = done.records(Position::At(last))?.next().ok_or("the last note is not there")??;
            let note: [u8; 8] = record.value.as_deref().unwrap_or_default().try_into()?;
            next = Offset::try_from(i64::from_be_bytes(note))?;
        }
        Ok(Queue { jobs, done, next })
    }

    fn add(&mut self, job: &str) -> Result<(), Box<dyn Error>> {
        let number = self.jobs.append(&NewRecord::new(job), Durability::Synced)?;
        println!("job {number}: {job}");
        Ok(())
    }

    fn work(&mut self, most: usize) -> Result<(), Box<dyn Error>> {
        for job in self.jobs.records(Position::At(self.next))?.take(most) {
            let job = job?;
            println!(
                "done {}: {}",
                job.offset,
                String::from_utf8_lossy(job.value.as_deref().unwrap_or_default())
            );
            self.next = job.offset + 1;
            self.done.append(&NewRecord::new(&self.next.get().to_be_bytes()), Durability::Synced)?;
        }
        println!("{} waiting", self.jobs.bounds().end().since(self.next));
        Ok(())
    }
}
