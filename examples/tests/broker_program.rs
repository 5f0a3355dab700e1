//! The broker as a program: what it prints, where its settings come from, how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use klamm_broker::Settings;

/// The program, which Cargo builds beside the tests.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join("examples/broker")
}

/// A broker on a free port.
fn command(directory: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["--listeners", "PLAINTEXT://127.0.0.1:0", "--log-dirs"]).arg(directory).args(flags);
    command
}

/// A broker that runs, and ends with the test.
struct Running {
    child: Child,
    /// Lines of its standard output.
    output: Receiver<String>,
    /// Lines of its standard error.
    log: Receiver<String>,
    /// `127.0.0.1:port`.
    address: String,
    /// What it says when it is ready.
    ready: String,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let ready = output.recv_timeout(LONGEST).expect("the broker is ready");
        let address = ready.split_once("PLAINTEXT://").and_then(|(_, rest)| rest.split_once(", data in "));
        let address = address.expect("the address is in the line").0.to_owned();
        Running { child, output, log, address, ready }
    }

    /// Ends it with a signal; its exit code, and the lines of its log.
    fn end(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, self.log.iter().collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.for_each(|line| drop(sender.send(line)));
    });
    receiver
}

/// Runs a broker that does not start.
fn refused(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn file(directory: &Path, text: &str) -> String {
    let path = directory.join("server.properties");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_broker_says_when_it_is_ready_and_ends_in_order() {
    for signal in ["-TERM", "-INT"] {
        let directory = tempfile::tempdir().unwrap();
        let broker = Running::start(command(directory.path(), &[]));
        let data = directory.path().display();
        assert_eq!(
            broker.ready,
            format!("klamm broker ready on PLAINTEXT://{}, data in {data}", broker.address)
        );
        TcpStream::connect(&broker.address).unwrap();
        let (code, log) = broker.end(signal);
        assert_eq!(code, Some(0), "{signal}: {log:?}");
        // The directory is free again.
        let again = Running::start(command(directory.path(), &[]));
        let stopping = again.output.try_recv();
        assert!(stopping.is_err(), "standard output has one line until it stops: {stopping:?}");
    }
}

#[test]
fn the_exit_code_says_why_the_program_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said) = refused(command(directory.path(), &["--no-such-flag", "1"]));
    assert_eq!(code, Some(2), "{said}");
    let running = Running::start(command(directory.path(), &[]));
    let (code, said) = refused(command(directory.path(), &[]));
    assert_eq!(code, Some(1));
    assert!(said.contains("in use by another process"), "{said}");
    let listener = format!("PLAINTEXT://{}", running.address);
    let other = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(["--listeners", &listener, "--log-dirs"]).arg(other.path());
    let (code, said) = refused(command);
    assert!(code == Some(1) && said.contains(&running.address), "{code:?} {said}");
}

#[test]
fn flags_override_the_environment_and_the_environment_overrides_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let text = format!("log.dirs={}\nlisteners=PLAINTEXT://127.0.0.1:0\n", path("file"));
    let config = file(directory.path(), &text);
    let with = |environment: Option<&str>, flag: Option<&str>| {
        let mut command = Command::new(program());
        command.args(["--config", &config]);
        environment.map(|name| command.env("KLAMM_LOG_DIRS", path(name)));
        flag.map(|name| command.args(["--log-dirs", &path(name)]));
        Running::start(command).ready.clone()
    };
    for (environment, flag, want) in [
        (None, None, "file"),
        (Some("environment"), None, "environment"),
        (Some("environment"), Some("flag"), "flag"),
    ] {
        let ready = with(environment, flag);
        assert!(ready.ends_with(&format!("data in {}", path(want))), "{want}: {ready}");
    }
}

#[test]
fn help_describes_every_setting() {
    let help = Command::new(program()).arg("--help").output().unwrap();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = words(&String::from_utf8(help.stdout).unwrap());
    for setting in Settings::known() {
        let flag = format!("--{} <VALUE> {}", setting.key.replace('.', "-"), words(setting.meaning));
        let rest = help.split_once(&flag).unwrap_or_else(|| panic!("--help has no {flag:?}")).1;
        let values = format!("[{};", words(setting.expected));
        let default = if setting.default.is_empty() { "none" } else { &setting.default };
        let (dynamic, rest) = rest.split_once(&values).unwrap_or_else(|| panic!("{flag}: no {values}"));
        assert!(rest.starts_with(&format!(" default: {}]", words(default))), "{flag}: {default}");
        assert_eq!(dynamic.contains("Can be changed while the broker runs."), setting.is_dynamic, "{flag}");
    }
}

#[test]
fn an_unknown_setting_is_an_error_that_names_a_similar_one() {
    let directory = tempfile::tempdir().unwrap();
    let config = file(directory.path(), "num.io.thread=4\n");
    let (code, said) = refused(command(directory.path(), &["--config", &config]));
    assert!(code == Some(1) && said.contains("num.io.threads"), "{code:?} {said}");
    let mut from_environment = command(directory.path(), &[]);
    from_environment.env("KLAMM_NUM_IO_THREAD", "4");
    let (code, said) = refused(from_environment);
    assert!(code == Some(1) && said.contains("num.io.threads"), "{code:?} {said}");
}

#[test]
fn a_file_for_kafka_is_taken_and_what_has_no_effect_is_in_the_log_once() {
    let directory = tempfile::tempdir().unwrap();
    let text = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:9093\n\
                listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:9093\nreplica.fetch.max.bytes=100\n\
                controller.listener.names=CONTROLLER\nnum.replica.fetchers=2\nssl.keystore.password=secret\n";
    let config = file(directory.path(), text);
    let mut command = Command::new(program());
    command.args(["--config", &config, "--log-dirs"]).arg(directory.path().join("data"));
    let (code, log) = Running::start(command).end("-TERM");
    assert_eq!(code, Some(0));
    for once in ["replica.fetch.max.bytes", "num.replica.fetchers", "CONTROLLER://127.0.0.1:9093"] {
        let lines: Vec<_> = log.iter().filter(|line| line.contains(once)).collect();
        assert_eq!(lines.len(), 1, "{once}: {lines:?}");
    }
    assert!(log.iter().all(|line| !line.contains("secret")), "{log:?}");
}

#[test]
fn a_setting_that_would_protect_data_keeps_the_broker_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    for (line, named) in [
        (
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "authorizer.class.name",
        ),
        ("remote.log.storage.system.enable=true", "remote.log.storage.system.enable"),
        ("listener.security.protocol.map=PLAINTEXT:SASL_SSL", "PLAINTEXT"),
        ("replica.fetch.max.bytes=many", "replica.fetch.max.bytes"),
    ] {
        let config = file(directory.path(), line);
        let (code, said) = refused(command(directory.path(), &["--config", &config]));
        assert!(code == Some(1) && said.contains(named), "{line}: {code:?} {said}");
    }
}

#[test]
fn a_low_limit_on_open_files_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 2000; exec \"$0\" \"$@\""]).arg(program());
    limited.args(["--listeners", "PLAINTEXT://127.0.0.1:0", "--log-dirs"]).arg(directory.path());
    let (_, log) = Running::start(limited).end("-TERM");
    let warning = log.iter().find(|line| line.contains("ulimit -n")).expect("a warning");
    assert!(warning.contains("WARN") && warning.contains("max.connections"), "{warning}");
}

#[test]
fn rust_log_decides_what_is_logged() {
    for (value, has_info) in [("info", true), ("warn", false), ("warn,klamm_broker=info", true)] {
        let directory = tempfile::tempdir().unwrap();
        let listeners = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:9093";
        let mut command = Command::new(program());
        command.env("RUST_LOG", value).args(["--listeners", listeners, "--log-dirs"]).arg(directory.path());
        let (_, log) = Running::start(command).end("-TERM");
        assert_eq!(log.iter().any(|line| line.contains("INFO")), has_info, "{value}: {log:?}");
    }
}

const LONGEST: Duration = Duration::from_secs(60);
