//! Running Kafka's own message classes.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::jars::Jars;
use crate::spec::{Family, Spec};

/// Has `Oracle.java` write `count` random messages for each version of all messages into `out`.
pub fn run(
    root: &Path,
    jars: &Jars,
    specs: &[Spec],
    seed: u64,
    count: u32,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut java = Command::new("java")
        .arg("-cp")
        .arg(jars.folder.join("*"))
        .arg(root.join("xtask/oracle/Oracle.java"))
        .args([seed.to_string(), count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run java: {error}"))?;
    let names: String = specs.iter().map(|spec| class_of(spec) + "\n").collect();
    java.stdin.take().ok_or("java takes input")?.write_all(names.as_bytes())?;
    let done = java.wait_with_output()?;
    if !done.status.success() {
        return Err(format!("java failed: {}", done.status).into());
    }
    std::fs::write(out, &done.stdout)?;
    println!("{}: {} messages", out.display(), done.stdout.iter().filter(|b| **b == b'\n').count());
    Ok(())
}

/// The Java class of a message.
fn class_of(spec: &Spec) -> String {
    let name = &spec.name;
    match spec.family {
        Family::Message => format!("org.apache.kafka.common.message.{}", spec.java_name()),
        Family::Group => format!("org.apache.kafka.coordinator.group.generated.{name}"),
        Family::Transaction => format!("org.apache.kafka.coordinator.transaction.generated.{name}"),
        Family::Metadata => format!("org.apache.kafka.common.metadata.{name}"),
    }
}
