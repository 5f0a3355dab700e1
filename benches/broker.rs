//! The broker as a process: time from its start to its first answer, and its memory when idle.
//!
//! `cargo build --release --examples && cargo bench -p klamm-benches --bench broker`
#![allow(missing_docs)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use klamm_benches::rounds::median;
use klamm_protocol::encode_request;
use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;

fn main() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/examples/broker");
    assert!(program.exists(), "build it first: cargo build --release --examples");
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..11 {
        let folder = tempfile::tempdir().expect("writable");
        let (mut broker, took) = start(&program, folder.path());
        times.push(took.as_secs_f64() * 1000.0);
        memory.push(resident_mib(&broker));
        broker.kill().expect("runs");
        broker.wait().expect("ends");
    }
    println!(
        "first answer after {:.1} ms (target 20), {:.1} MiB resident when idle (target 15)",
        median(times),
        median(memory)
    );
}

fn start(program: &Path, folder: &Path) -> (Child, Duration) {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let frame = encode_request(&ApiVersionsRequest::default(), 0, 1, None)
        .expect("can be sent")
        .into_bytes()
        .expect("no files");
    let began = Instant::now();
    let broker = Command::new(program)
        .arg("--listeners")
        .arg(format!("PLAINTEXT://127.0.0.1:{port}"))
        .arg("--log-dirs")
        .arg(folder.join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    loop {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        };
        stream.write_all(&frame).expect("sent");
        stream.read_exact(&mut [0; 8]).expect("an answer");
        return (broker, began.elapsed());
    }
}

#[allow(clippy::cast_precision_loss)]
fn resident_mib(process: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
    kib as f64 / 1024.0
}
