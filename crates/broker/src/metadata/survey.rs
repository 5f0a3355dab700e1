//! A look at the folders before they are opened: what cannot be carried over from a Kafka node is refused while nothing has
//! changed.

use std::path::{Path, PathBuf};

use super::files::Tail;
use super::log::METADATA_LOG;
use super::replay::Replay;
use super::{Identity, IdentityError};

/// Refuses folders that belong to another node or to several clusters, and a metadata log that says what this broker, `node`,
/// cannot carry over. It changes nothing.
pub(crate) fn survey(folders: &[PathBuf], node: i32) -> Result<(), String> {
    let mut first: Option<Identity> = None;
    for folder in folders {
        match Identity::load(folder, node) {
            Ok(Some(own)) => {
                let first = first.get_or_insert_with(|| own.clone());
                first.check_same_cluster(&own, folder).map_err(|error| error.to_string())?;
            }
            Err(IdentityError::Foreign(reason)) => return Err(reason),
            // One that fails is seen to when it is opened.
            Ok(None) | Err(IdentityError::Failed(_)) => {}
        }
    }
    folders.iter().try_for_each(|folder| survey_log(folder, node))
}

fn survey_log(folder: &Path, node: i32) -> Result<(), String> {
    if !folder.join(METADATA_LOG).is_dir() {
        return Ok(());
    }
    let is_whole = folder.join(".kafka_cleanshutdown").exists();
    let tail = if is_whole { Tail::IsWhole } else { Tail::MayBeTorn };
    let Some(replay) = Replay::of_folder(&folder.join(METADATA_LOG), node, tail)? else { return Ok(()) };
    let refusals = replay.refusals();
    if refusals.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} cannot be carried over from Kafka, and was left as it was. It has {}",
        folder.display(),
        refusals.join("; ")
    ))
}
