//! A Kafka broker: one node, any Kafka client.
//!
//! ```sh
//! cargo run --release --example broker
//! cargo run --release --example broker -- --config server.properties --log-dirs /var/lib/klamm --listeners PLAINTEXT://127.0.0.1:9092
//! ```
//!
//! Settings have Kafka's names: in the file as they are, in the environment as `KLAMM_LOG_DIRS`, as
//! flags like `--log-dirs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Arg, Command};
use klamm_broker::{Broker, BrokerConfig, LogLevels, SettingInfo, Settings};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    klamm_examples::exit("broker", run())
}

/// `RUST_LOG=debug` tells more, `warn` less, `warn,klamm_broker::groups=debug` more of groups
/// alone.
fn log(wanted: Option<&str>) -> Result<Targets, Box<dyn Error>> {
    let Some(wanted) = wanted else { return Ok(Targets::new().with_default(LevelFilter::INFO)) };
    let expected =
        "expected a level (off, error, warn, info, debug, trace), or several TARGET=LEVEL between commas";
    // A word by itself would be a target of which all is told, and nothing of others.
    let is_wrong = |part: &&str| !part.contains('=') && part.trim().parse::<LevelFilter>().is_err();
    if let Some(part) = wanted.split(',').find(is_wrong) {
        return Err(format!("RUST_LOG: {expected}, got {part:?}").into());
    }
    wanted.parse().map_err(|error| format!("RUST_LOG={wanted}: {expected}: {error}").into())
}

/// The targets of RUST_LOG with the levels of loggers over them.
fn targets(wanted: &Targets, levels: &BTreeMap<String, LevelFilter>) -> Targets {
    let with = |targets: Targets, (logger, level): (&String, &LevelFilter)| match logger.as_str() {
        "root" => targets.with_default(*level),
        logger => targets.with_target(logger, *level),
    };
    levels.iter().fold(wanted.clone(), with)
}

fn run() -> Result<(), Box<dyn Error>> {
    let log = log(std::env::var("RUST_LOG").ok().as_deref())?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    let (filter, handle) = reload::Layer::new(log.clone());
    tracing_subscriber::registry().with(lines).with(filter).init();
    // `kafka-configs --entity-type broker-loggers` changes levels over those of RUST_LOG.
    let root = log.default_level().unwrap_or(LevelFilter::INFO);
    let levels = LogLevels::new(root, move |levels| {
        let _ = handle.reload(targets(&log, levels));
    });
    let config = config()?;
    // Before the start: a signal that comes meanwhile stops the broker as soon as it has started.
    let mut signals = Signals::register()?;
    let broker = Broker::start_with_log_levels(config, levels)?;
    println!("klamm broker ready on {}, data in {}", broker.address(), broker.path().display());
    signals.wait();
    println!("klamm broker stopping");
    broker.stop()?;
    Ok(())
}

fn config() -> Result<BrokerConfig, Box<dyn Error>> {
    let mut command = Command::new("broker")
        .about("A Kafka broker: one node, any Kafka client. Settings have Kafka's names.")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("Settings, a line each: log.dirs=./klamm-data"),
        );
    for setting in Settings::known() {
        command = command.arg(
            Arg::new(setting.key)
                .long(setting.key.replace('.', "-"))
                .value_name("VALUE")
                .help(help(&setting))
                .allow_hyphen_values(true),
        );
    }
    let given = command.get_matches();
    let mut settings = Settings::default();
    if let Some(file) = given.get_one::<String>("config") {
        settings = settings.file(file)?;
    }
    settings = settings.environment(std::env::vars());
    for setting in Settings::known() {
        if let Some(value) = given.get_one::<String>(setting.key) {
            settings = settings.flag(setting.key, value);
        }
    }
    Ok(settings.resolve()?)
}

fn help(setting: &SettingInfo) -> String {
    let SettingInfo { meaning, expected, default, .. } = setting;
    let default = if default.is_empty() { "none" } else { default };
    let while_running = if setting.is_dynamic { " Can be changed while the broker runs." } else { "" };
    format!("{meaning}{while_running}\n[{expected}; default: {default}]")
}

/// The signals that ask the process to end: SIGINT and SIGTERM.
struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn register() -> std::io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(entered);
        Ok(Signals { runtime, interrupt, terminate })
    }

    /// Returns when one of them has come.
    fn wait(&mut self) {
        let (interrupt, terminate) = (&mut self.interrupt, &mut self.terminate);
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
    }
}
