//! A broker under attack, as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use klamm_broker::{Broker, Settings};

/// A broker in a process of its own. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What the process of a broker does: serves until its input ends.
pub(crate) fn serve(settings: &[String]) {
    let pairs = settings.iter().map(|setting| setting.split_once('=').expect("KEY=VALUE"));
    let settings = pairs.fold(Settings::default(), |settings, (key, value)| settings.flag(key, value));
    let broker = Broker::start(settings.resolve().expect("settings that can be")).expect("starts");
    println!("{}", broker.bootstrap());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    broker.stop().expect("stops");
}

impl Server {
    pub(crate) fn start(folder: &Path, settings: &[&str]) -> Server {
        let own = std::env::current_exe().expect("this program");
        let mut command = Command::new(own);
        command.args(["serve", "listeners=PLAINTEXT://127.0.0.1:0"]);
        command.arg(format!("log.dirs={}", folder.display())).args(settings);
        // What is leaked is to be seen, not what the allocator keeps for each thread.
        command.env("MALLOC_ARENA_MAX", "2");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts a process");
        let mut line = String::new();
        let output = child.stdout.take().expect("is piped");
        BufReader::new(output).read_line(&mut line).expect("says where it listens");
        let address = line.trim().parse().unwrap_or_else(|_| panic!("the broker did not start: {line:?}"));
        Server { child, address }
    }

    /// Memory that it has, in KiB, and the most it ever had.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let figure = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a figure")
        };
        (figure("VmRSS:"), figure("VmHWM:"))
    }

    /// Files that it has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("can be asked").is_none()
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("runs");
        let _ = self.child.wait();
    }

    /// Stops it as an operator does; it has to end well.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("ends").success(), "the broker did not end well");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
