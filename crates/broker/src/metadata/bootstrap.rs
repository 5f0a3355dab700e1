//! What `kafka-storage format` has noted for the first start: features, and credentials, if there
//! are any.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use klamm_log::disk::Disk;
use klamm_protocol::decode_metadata_record;

use super::files::{Entry, read_snapshot};
use super::record::MetadataRecord;
use crate::directory::is_file;

/// The records that a new metadata log begins with.
#[derive(Debug)]
pub(super) struct Bootstrap {
    values: Vec<Bytes>,
}

const BOOTSTRAP: &str = "bootstrap.checkpoint";

/// Their file: that of the first folder that has one.
pub(super) fn bootstrap_file<'a>(
    disk: &dyn Disk,
    folders: impl IntoIterator<Item = &'a Path>,
) -> Option<PathBuf> {
    folders.into_iter().map(|folder| folder.join(BOOTSTRAP)).find(|path| is_file(disk, path))
}

/// Those of the first folder that has some.
pub(super) fn bootstrap_of<'a>(
    disk: &dyn Disk,
    folders: impl IntoIterator<Item = &'a Path>,
) -> Result<Option<Bootstrap>, String> {
    let Some(path) = bootstrap_file(disk, folders) else { return Ok(None) };
    let mut values = Vec::new();
    read_snapshot(disk, &path, &mut |entry| {
        if let Entry::Metadata { value, .. } = entry {
            values.push(value);
        }
        Ok(())
    })?;
    Ok(Some(Bootstrap { values }).filter(|bootstrap| !bootstrap.values.is_empty()))
}

impl Bootstrap {
    pub(super) fn values(&self) -> &[Bytes] {
        &self.values
    }

    /// Those that mean something to one broker.
    pub(super) fn records(&self) -> impl Iterator<Item = MetadataRecord> {
        let frames = self.values.iter().filter_map(|value| decode_metadata_record(value.clone()).ok());
        frames.filter_map(|frame| MetadataRecord::decode(&frame).ok())
    }
}
