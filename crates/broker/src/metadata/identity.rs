use std::io;
use std::path::Path;

use klamm_types::TopicId;

/// Who the broker is, as the folder's `meta.properties` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// Id of the cluster, as text.
    pub(crate) cluster_id: String,
}

const FILE: &str = "meta.properties";

impl Identity {
    /// Reads the folder's identity; a folder without one gets a new one.
    ///
    /// # Errors
    /// When the file cannot be read or written, is of another version, or belongs to another node.
    pub(crate) fn load_or_create(dir: &Path, node_id: i32) -> Result<Identity, String> {
        let path = dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text, node_id).map_err(|reason| format!("{}: {reason}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path, node_id),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }
}

fn parse(text: &str, node_id: i32) -> Result<Identity, String> {
    let value = |key: &str| {
        text.lines().filter_map(|line| line.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v.trim())
    };
    match value("version") {
        Some("1") => {}
        other => return Err(format!("expected version=1, got {:?}", other.unwrap_or(""))),
    }
    let node = value("node.id").unwrap_or("");
    if node != node_id.to_string() {
        return Err(format!("the folder belongs to node.id={node}, this broker has node.id={node_id}"));
    }
    let cluster_id = value("cluster.id").ok_or("expected a line cluster.id=")?.to_owned();
    Ok(Identity { cluster_id })
}

fn create(path: &Path, node_id: i32) -> Result<Identity, String> {
    let (cluster, directory) = (random_id()?, random_id()?);
    let text = format!("#\nversion=1\nnode.id={node_id}\ncluster.id={cluster}\ndirectory.id={directory}\n");
    let draft = path.with_extension("properties.tmp");
    let written = std::fs::write(&draft, text).and_then(|()| std::fs::File::open(&draft)?.sync_all());
    written
        .and_then(|()| std::fs::rename(&draft, path))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(Identity { cluster_id: cluster.to_string() })
}

/// A new random id.
pub(crate) fn random_id() -> Result<TopicId, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(TopicId::from_random(bytes))
}
