//! Kafka's published jars.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Kafka's published jars, fetched through Maven once.
pub struct Jars {
    /// The folder that holds them.
    pub folder: PathBuf,
}

pub fn fetch(root: &Path) -> Result<Jars, Box<dyn Error>> {
    let folder = root.join("target/kafka-jars");
    if !folder.join(".done").exists() {
        let status = Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", folder.display()))
            .current_dir(root.join("xtask/oracle"))
            .status()
            .map_err(|error| format!("cannot run mvn: {error}"))?;
        if !status.success() {
            return Err(format!("mvn failed: {status}").into());
        }
        std::fs::write(folder.join(".done"), "")?;
    }
    Ok(Jars { folder })
}

impl Jars {
    /// The jar of one of Kafka's artifacts.
    pub fn jar(&self, artifact: &str) -> Result<PathBuf, Box<dyn Error>> {
        let prefix = format!("{artifact}-");
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            let version = name.strip_prefix(&prefix).unwrap_or_default();
            if version.starts_with(|c: char| c.is_ascii_digit()) {
                return Ok(self.folder.join(name));
            }
        }
        Err(format!("no jar of {artifact} in {}", self.folder.display()).into())
    }
}
