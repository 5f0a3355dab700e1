//! The broker's identity: `meta.properties` (KIP-112).

use std::io;
use std::path::Path;

use klamm_log::disk::Disk;
use klamm_protocol::Uuid;
use klamm_types::TopicId;
use thiserror::Error;

use crate::directory::{read_text, replace_text};

/// Who the broker is, and which folder this is, as the folder's `meta.properties` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// Id of the cluster, as text.
    pub(crate) cluster_id: String,
    /// Id of the folder; zero where the file says none.
    pub(crate) directory: Uuid,
}

const FILE: &str = "meta.properties";

/// Why there is no identity.
#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    /// The disk, or the system's random numbers, failed.
    #[error("{0}")]
    Failed(String),
    /// The folder is not this broker's.
    #[error("{0}")]
    Foreign(String),
}

impl Identity {
    /// Reads the folder's identity, if it has one.
    ///
    /// # Errors
    /// When the file cannot be read, is of another version, or belongs to another node.
    pub(crate) fn load(disk: &dyn Disk, dir: &Path, node_id: i32) -> Result<Option<Identity>, IdentityError> {
        let path = dir.join(FILE);
        match read_text(disk, &path) {
            Ok(text) => {
                let parsed = parse(&text, node_id).map(Some);
                parsed.map_err(|reason| IdentityError::Foreign(format!("{}: {reason}", path.display())))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(IdentityError::Failed(format!("cannot read {}: {error}", path.display()))),
        }
    }

    /// Reads the folder's identity; a folder without one gets a new one, of the cluster that the
    /// broker's first folder belongs to.
    ///
    /// # Errors
    /// When the file cannot be read or written, is of another version, or belongs to another node
    /// or cluster.
    pub(crate) fn load_or_create(
        disk: &dyn Disk,
        dir: &Path,
        node_id: i32,
        first: Option<&Identity>,
    ) -> Result<Identity, IdentityError> {
        let create = || create(disk, &dir.join(FILE), node_id, first).map_err(IdentityError::Failed);
        let found = Identity::load(disk, dir, node_id)?.map_or_else(create, Ok)?;
        first.map_or(Ok(()), |first| first.check_same_cluster(&found, dir))?;
        Ok(found)
    }

    /// The folder `dir`, whose identity is `other`, must be of this one's cluster.
    pub(crate) fn check_same_cluster(&self, other: &Identity, dir: &Path) -> Result<(), IdentityError> {
        if self.cluster_id == other.cluster_id {
            return Ok(());
        }
        Err(IdentityError::Foreign(format!(
            "{}: the folder belongs to cluster {}, the first one to {}",
            dir.join(FILE).display(),
            other.cluster_id,
            self.cluster_id
        )))
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
    let directory = match value("directory.id") {
        Some(id) => id.parse::<TopicId>().map_err(|_| format!("directory.id={id} is no id"))?.into(),
        None => Uuid::ZERO,
    };
    Ok(Identity { cluster_id, directory })
}

fn create(disk: &dyn Disk, path: &Path, node_id: i32, first: Option<&Identity>) -> Result<Identity, String> {
    let cluster_id =
        first.map_or_else(|| random_id().map(|id| id.to_string()), |f| Ok(f.cluster_id.clone()))?;
    let directory = random_id()?;
    let text =
        format!("#\nversion=1\nnode.id={node_id}\ncluster.id={cluster_id}\ndirectory.id={directory}\n");
    replace_text(disk, path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(Identity { cluster_id, directory: directory.into() })
}

/// A new random id.
pub(crate) fn random_id() -> Result<TopicId, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(TopicId::from_random(bytes))
}
