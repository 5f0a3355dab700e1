//! A look at the folders before they are opened: what cannot be carried over from a Kafka node is refused while nothing has
//! changed.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use klamm_log::format::{DirectoryName, DirectoryState};

use super::bootstrap::bootstrap_file;
use super::features::METADATA_VERSION;
use super::files::Tail;
use super::log::METADATA_LOG;
use super::replay::Replay;
use super::{Identity, IdentityError};

/// Refuses folders that belong to another node or to several clusters, a metadata log that says what this broker, `node`, cannot
/// carry over. It changes nothing.
pub(crate) fn survey(folders: &[PathBuf], node: i32) -> Result<(), String> {
    same_cluster(folders, node)?;
    let replay =
        match &folders.iter().filter(|folder| folder.join(METADATA_LOG).is_dir()).collect::<Vec<_>>()[..] {
            [] => None,
            [home] => Some(replay_in(home, node)?),
            [a, b, ..] => {
                let (a, b) = (a.display(), b.display());
                return Err(format!("{METADATA_LOG} is in {a} and in {b}; move one away"));
            }
        };
    let mut replay = replay.unwrap_or_else(|| Replay::new(node));
    if replay.image().feature(METADATA_VERSION).is_none() {
        let bootstrap = bootstrap_file(folders.iter().map(PathBuf::as_path));
        bootstrap.map_or(Ok(()), |path| replay.add(&path))?;
    }
    let moving = folders.iter().flat_map(|folder| entries(folder)).filter_map(|entry| moving(&entry));
    let refusals: Vec<String> = replay.refusals().into_iter().chain(moving).collect();
    if let Some(first) = folders.first().filter(|_| !refusals.is_empty()) {
        return Err(format!(
            "{} cannot be carried over from Kafka, and was left as it was. It has {}",
            first.display(),
            refusals.join("; ")
        ));
    }
    Ok(())
}

fn same_cluster(folders: &[PathBuf], node: i32) -> Result<(), String> {
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
    Ok(())
}

fn replay_in(folder: &Path, node: i32) -> Result<Replay, String> {
    let is_whole = folder.join(".kafka_cleanshutdown").exists();
    let tail = if is_whole { Tail::IsWhole } else { Tail::MayBeTorn };
    Ok(Replay::of_folder(&folder.join(METADATA_LOG), node, tail)?.unwrap_or_else(|| Replay::new(node)))
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

/// A partition that Kafka was moving to another folder: which of its two logs is the one to go on with, only Kafka can tell.
fn moving(entry: &DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok().filter(|_| entry.path().is_dir())?;
    DirectoryName::parse(&name).filter(|found| found.state == DirectoryState::Future)?;
    Some(format!("{name}, a partition on its way from one folder to another (kafka-reassign-partitions)"))
}
