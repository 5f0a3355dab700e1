//! A Kafka broker: one node, any Kafka client.
//!
//! ```sh
//! cargo run --release --example broker
//! cargo run --release --example broker -- --config server.properties --log-dirs /var/lib/klamm --listeners PLAINTEXT://127.0.0.1:9092
//! ```
//!
//! Settings have Kafka's names: in the file as they are, in the environment as `KLAMM_LOG_DIRS`, as flags like `--log-dirs`.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Arg, Command};
use klamm_broker::{Broker, BrokerConfig, SettingInfo, Settings};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level());
    log.with_ansi(std::io::stderr().is_terminal()).init();
    klamm_examples::exit("broker", run())
}

/// `RUST_LOG=debug` tells more, `warn` less.
fn level() -> LevelFilter {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    wanted.unwrap_or(LevelFilter::INFO)
}

fn run() -> Result<(), Box<dyn Error>> {
    let broker = Broker::start(config()?)?;
    println!("klamm broker ready on {}, data in {}", broker.address(), broker.path().display());
    wait_for_signal()?;
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

/// Returns when the process is asked to end (SIGINT or SIGTERM).
fn wait_for_signal() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = term.recv() => Ok(()),
        }
    })?;
    Ok(())
}
