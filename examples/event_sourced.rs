//! An account that is nothing but its events: the balance is what comes of replaying them.
//!
//! ```sh
//! cargo run --release --example event_sourced -- deposit 100
//! cargo run --release --example event_sourced -- withdraw 30
//! cargo run --release --example event_sourced -- history
//! ```

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use klamm_log::{Durability, Log, LogDir, NewRecord, Position};

/// An account in a folder.
#[derive(Parser)]
struct Options {
    /// Folder of the account; created when it is not there.
    #[arg(long, default_value = "./klamm-account")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Puts money in.
    Deposit {
        /// How much.
        amount: u64,
    },
    /// Takes money out, if there is enough.
    Withdraw {
        /// How much.
        amount: u64,
    },
    /// Prints all that has happened.
    History,
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    Deposited(u64),
    Withdrawn(u64),
}

/// What the events make. Invariant: changes only by applying an event that is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Account {
    balance: u64,
}

impl Account {
    /// Decides: nothing changes yet.
    fn decide(self, command: &Command) -> Result<Option<Event>, String> {
        match *command {
            Command::Deposit { amount } => match self.balance.checked_add(amount) {
                Some(_) => Ok(Some(Event::Deposited(amount))),
                None => Err("no account is as large as that".to_owned()),
            },
            Command::Withdraw { amount } if amount <= self.balance => Ok(Some(Event::Withdrawn(amount))),
            Command::Withdraw { amount } => {
                Err(format!("{amount} is more than the balance, {}", self.balance))
            }
            Command::History => Ok(None),
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited(amount) => self.balance += amount,
            Event::Withdrawn(amount) => self.balance -= amount,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Deposited(amount) => write!(f, "deposited {amount}"),
            Event::Withdrawn(amount) => write!(f, "withdrawn {amount}"),
        }
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(text: &str) -> Result<Event, String> {
        let wrong = || format!("{text:?} is no event");
        let (what, amount) = text.split_once(' ').ok_or_else(wrong)?;
        let amount = amount.parse().map_err(|_| wrong())?;
        match what {
            "deposited" => Ok(Event::Deposited(amount)),
            "withdrawn" => Ok(Event::Withdrawn(amount)),
            _ => Err(wrong()),
        }
    }
}

fn main() -> ExitCode {
    klamm_examples::exit("event_sourced", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let dir = LogDir::open(&options.dir)?;
    let log = dir.log("account", 0)?;
    let mut account = replay(&log, matches!(options.command, Command::History))?;
    // Decided, logged, applied.
    if let Some(event) = account.decide(&options.command)? {
        log.append(&NewRecord::new(&event.to_string()), Durability::Synced)?;
        account.apply(event);
    }
    println!("balance {}", account.balance);
    dir.close()?;
    Ok(())
}

fn replay(log: &Log, aloud: bool) -> Result<Account, Box<dyn Error>> {
    let mut account = Account::default();
    for record in log.records(Position::Start)? {
        let record = record?;
        let event: Event = std::str::from_utf8(record.value.as_deref().unwrap_or_default())?.parse()?;
        account.apply(event);
        if aloud {
            println!("{}: {event}, balance {}", record.offset, account.balance);
        }
    }
    Ok(account)
}
