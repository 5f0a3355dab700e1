//! A broker under measurement, as a process.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load::Client;

/// A broker as a process.
pub(crate) struct Node {
    pub(crate) which: Which,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer.
    pub(crate) ready: Duration,
    pid: u32,
    child: Option<Child>,
    kafka: PathBuf,
    /// Settings beside those that every node has.
    settings: Vec<String>,
    /// Where `folder` is.
    _above: TempDir,
    folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    Klamm,
    Kafka,
}

impl Node {
    /// Starts a broker with an empty data directory.
    pub(crate) fn start(which: Which, kafka: &Path) -> Node {
        Node::start_with(which, kafka, &[])
    }

    /// Starts a broker with an empty data directory and settings (`name=value`) that both know.
    pub(crate) fn start_with(which: Which, kafka: &Path, settings: &[String]) -> Node {
        let above = tempfile::tempdir().expect("writable");
        let folder = apart(above.path());
        let mut node = Node {
            which,
            address: free_port(),
            ready: Duration::ZERO,
            pid: 0,
            child: None,
            kafka: kafka.to_owned(),
            settings: settings.to_vec(),
            _above: above,
            folder,
        };
        node.launch();
        node
    }

    fn launch(&mut self) {
        let begun = Instant::now();
        match self.which {
            Which::Klamm => self.launch_klamm(),
            Which::Kafka => self.launch_kafka(),
        }
        while !Client::answers(self.address) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?} does not answer", self.which);
            std::thread::sleep(Duration::from_micros(200));
        }
        self.ready = begun.elapsed();
    }

    fn launch_klamm(&mut self) {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/examples/broker");
        assert!(program.exists(), "build it first: cargo build --release --examples");
        let mut command = Command::new(program);
        command.arg("--listeners").arg(format!("PLAINTEXT://{}", self.address));
        command.arg("--log-dirs").arg(self.folder.join("data"));
        // As the other one is started.
        command.args(["--group-initial-rebalance-delay-ms", "0"]);
        for (name, value) in self.settings.iter().filter_map(|setting| setting.split_once('=')) {
            command.arg(format!("--{}", name.replace('.', "-"))).arg(value);
        }
        // Other settings, to see what they change: KLAMM_FLAGS="--num-io-threads 1".
        command.args(std::env::var("KLAMM_FLAGS").unwrap_or_default().split_whitespace());
        command.env_remove("KLAMM_FLAGS");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        self.pid = child.id();
        self.child = Some(child);
    }

    fn launch_kafka(&mut self) {
        let mut command = Command::new(self.kafka.join("bin/start-broker.sh"));
        command.arg(self.address.port().to_string()).arg(&self.folder);
        command
            .arg("log.message.timestamp.after.max.ms=9223372036854775807")
            .arg("log.segment.delete.delay.ms=0")
            .args(&self.settings);
        assert!(command.stdout(Stdio::null()).status().expect("runs").success(), "Kafka does not start");
        let pid = std::fs::read_to_string(self.folder.join("pid")).expect("its process id");
        self.pid = pid.trim().parse().expect("a number");
    }

    /// Stops it as an operator does, and starts it again on the same folder.
    pub(crate) fn restart(&mut self) {
        let asked = Command::new("kill").arg(self.pid.to_string()).status();
        assert!(asked.expect("runs").success(), "it runs");
        match &mut self.child {
            Some(child) => drop(child.wait()),
            None => {
                while Path::new(&format!("/proc/{}", self.pid)).exists() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                let _ = std::fs::remove_file(self.folder.join("server.log"));
            }
        }
        self.launch();
    }

    /// Waits until the files of deleted topics are gone, and no longer: their pages are used by who
    /// writes next. A hypervisor takes back what is free for long, and to touch such a page again
    /// costs more than all that is measured.
    pub(crate) fn wait_until_deleted(&self) {
        let is_left =
            || self.directories().iter().any(|name| name.starts_with("p-") || name.ends_with("-delete"));
        let begun = Instant::now();
        while is_left() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Names in its data directory.
    pub(crate) fn directories(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.join("data")).into_iter().flatten().flatten();
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// CPU seconds of all its threads.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0.0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        match &mut self.child {
            Some(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            None => {
                let _ = Command::new("kill").arg("-9").arg(self.pid.to_string()).status();
            }
        }
    }
}

/// A new directory in `above` whose files lie apart from all others on ext4, as those of a
/// top-level directory do: what was deleted elsewhere on the disk slows the creation of files
/// nearby. Its name, which is random, decides where. On other file systems it is like any other.
fn apart(above: &Path) -> PathBuf {
    let _ = Command::new("chattr").arg("+T").arg(above).stderr(Stdio::null()).status();
    tempfile::tempdir_in(above).expect("writable").keep()
}

/// A free port; the one above is free too, for Kafka's controller.
fn free_port() -> SocketAddr {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("is bound");
        if TcpListener::bind((address.ip(), address.port().saturating_add(1))).is_ok() {
            return address;
        }
    }
}
