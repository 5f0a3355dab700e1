//! A look at the folders before they are opened: what cannot be carried over from a Kafka node is
//! refused while nothing has changed.

use std::path::{Path, PathBuf};

use klamm_log::disk::Disk;
use klamm_log::format::{DirectoryName, DirectoryState};
use klamm_log::{KnownLog, KnownLogs};
use klamm_types::TopicPartition;

use super::bootstrap::bootstrap_file;
use super::configs::changed_config;
use super::features::METADATA_VERSION;
use super::files::Tail;
use super::log::METADATA_LOG;
use super::replay::Replay;
use super::{Identity, IdentityError, MetadataImage};
use crate::config::row::set_what_fits;
use crate::config::{BrokerConfig, TopicConfig};
use crate::directory::{entries, is_dir};

/// Refuses directories that belong to another node or to several clusters, and a metadata log with
/// records that this broker cannot carry over. Returns what the metadata log says of the logs that
/// are about to be opened. It changes nothing.
pub(crate) fn survey(
    disk: &dyn Disk,
    folders: &[PathBuf],
    config: &BrokerConfig,
) -> Result<KnownLogs, String> {
    let node = config.node_id;
    same_cluster(disk, folders, node)?;
    let has_log = |folder: &&PathBuf| is_dir(disk, &folder.join(METADATA_LOG));
    let replay = match &folders.iter().filter(has_log).collect::<Vec<_>>()[..] {
        [] => None,
        [home] => Some(replay_in(disk, home, node)?),
        [a, b, ..] => {
            let (a, b) = (a.display(), b.display());
            return Err(format!("{METADATA_LOG} is in {a} and in {b}; move one away"));
        }
    };
    let mut replay = replay.unwrap_or_else(|| Replay::new(node));
    if replay.image().feature(METADATA_VERSION).is_none() {
        let bootstrap = bootstrap_file(disk, folders.iter().map(PathBuf::as_path));
        bootstrap.map_or(Ok(()), |path| replay.add(disk, &path))?;
    }
    let moving =
        folders.iter().flat_map(|folder| entries(disk, folder)).filter_map(|path| moving(disk, &path));
    let refusals: Vec<String> = replay.refusals().into_iter().chain(moving).collect();
    if let Some(first) = folders.first().filter(|_| !refusals.is_empty()) {
        return Err(format!(
            "{} cannot be carried over from Kafka, and was left as it was. It has {}",
            first.display(),
            refusals.join("; ")
        ));
    }
    Ok(known_logs(replay.image(), config))
}

/// The cleanup policy and the leader epoch of each partition.
fn known_logs(image: &MetadataImage, config: &BrokerConfig) -> KnownLogs {
    let config = changed_config(image, config).0;
    let mut known = KnownLogs::new();
    for topic in image.topics() {
        let topic_config = set_what_fits(config.topic.clone(), &topic.configs, TopicConfig::with).0;
        let cleanup_policy = topic_config.log.cleanup_policy;
        for (partition, state) in topic.partitions().zip(&topic.states) {
            let (topic_id, latest_epoch) = (Some(topic.id), Some(state.leader_epoch));
            known.insert(partition, KnownLog { topic_id, cleanup_policy, latest_epoch });
        }
    }
    known.extend(METADATA_LOG.parse().ok().map(|name: TopicPartition| (name, KnownLog::default())));
    known
}

fn same_cluster(disk: &dyn Disk, folders: &[PathBuf], node: i32) -> Result<(), String> {
    let mut first: Option<Identity> = None;
    for folder in folders {
        match Identity::load(disk, folder, node) {
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

fn replay_in(disk: &dyn Disk, folder: &Path, node: i32) -> Result<Replay, String> {
    let is_whole = disk.stat(&folder.join(".kafka_cleanshutdown")).is_ok();
    let tail = if is_whole { Tail::IsWhole } else { Tail::MayBeTorn };
    let replay = Replay::of_folder(disk, &folder.join(METADATA_LOG), node, tail)?;
    Ok(replay.unwrap_or_else(|| Replay::new(node)))
}

/// A partition that Kafka was moving to another folder: which of its two logs is the one to go on
/// with, only Kafka can tell.
fn moving(disk: &dyn Disk, path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str().filter(|_| is_dir(disk, path))?;
    DirectoryName::parse(name).filter(|found| found.state == DirectoryState::Future)?;
    Some(format!("{name}, a partition on its way from one folder to another (kafka-reassign-partitions)"))
}
