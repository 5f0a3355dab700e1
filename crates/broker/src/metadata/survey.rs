//! A look at the folders before they are opened: what cannot be carried over from a Kafka node is refused while nothing has
//! changed.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use klamm_log::format::PartitionMetadata;
use klamm_types::TopicPartition;

use super::bootstrap::bootstrap_file;
use super::controller::METADATA_VERSION;
use super::files::Tail;
use super::log::METADATA_LOG;
use super::replay::Replay;
use super::{Identity, IdentityError, MetadataImage};

/// Refuses folders that belong to another node or to several clusters, a metadata log that says what this broker, `node`, cannot
/// carry over, and logs that it does not speak of. It changes nothing.
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
    let is_new = replay.is_none();
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
    if is_new { Ok(()) } else { no_strangers(folders, replay.image()) }
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
    let name = entry.file_name().into_string().ok().filter(|name| name.ends_with("-future"))?;
    Some(format!("{name}, a partition on its way from one folder to another (kafka-reassign-partitions)"))
}

/// A log that has records and is not of the topic whose name it has would be in that topic's way.
fn no_strangers(folders: &[PathBuf], image: &MetadataImage) -> Result<(), String> {
    for entry in folders.iter().flat_map(|folder| entries(folder)) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let Ok(partition) = name.parse::<TopicPartition>() else { continue };
        let Some(topic) = image.topic(partition.topic().as_str()) else { continue };
        let metadata = std::fs::read_to_string(entry.path().join("partition.metadata")).ok();
        let id = metadata.and_then(|text| PartitionMetadata::parse(&text).ok()).map(|found| found.topic_id);
        let is_ours = id.map_or(!has_records(&entry.path()), |id| id == topic.id || image.is_removed(id));
        if partition.partition() < topic.count() && !is_ours {
            let path = entry.path();
            return Err(format!(
                "folder {} holds a log that belongs to no topic or to another; move it away first",
                path.display()
            ));
        }
    }
    Ok(())
}

fn has_records(partition: &Path) -> bool {
    entries(partition).any(|file| {
        let is_segment = file.file_name().to_string_lossy().ends_with(".log");
        is_segment && file.metadata().is_ok_and(|metadata| metadata.len() > 0)
    })
}
