//! The folders of the logs, and how large each partition is.

use std::collections::{BTreeMap, BTreeSet};

use klamm_log::Log;
use klamm_protocol::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};
use nix::sys::statvfs::statvfs;

use super::{HandleError, Outcome, Sliced, answer, response_size};
use crate::storage::Folder;

/// Partitions by topic; `None` for all there are.
type Wanted<'a> = Option<BTreeMap<&'a str, BTreeSet<i32>>>;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<DescribeLogDirsRequest>(head)?;
    let wanted = match &request.topics {
        Some(topics) => Some(wanted(&call, topics).await),
        None => None,
    };
    let sizes = shared.metadata.storage().folders().iter().filter_map(|folder| folder.logs());
    let sizes = sizes.flat_map(klamm_log::LogDir::logs).filter(|log| is_wanted(&wanted, log));
    call.work.reserve(sizes.map(|log| response_size::named(log.partition().topic().as_str())).sum()).await;
    let mut results = Vec::new();
    for folder in shared.metadata.storage().folders() {
        results.push(described(&call, folder, &wanted).await);
    }
    let error_code = shared.permit_code();
    answer(
        &DescribeLogDirsResponse { error_code, results, ..Default::default() },
        ApiKey::DescribeLogDirs,
        head,
    )
}

async fn wanted<'a>(call: &Sliced, topics: &'a [DescribableLogDirTopic]) -> BTreeMap<&'a str, BTreeSet<i32>> {
    let mut wanted: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for topic in topics {
        call.work.item().await;
        for partition in &topic.partitions {
            call.work.item().await;
            wanted.entry(&topic.topic).or_default().insert(*partition);
        }
    }
    wanted
}

async fn described(call: &Sliced, folder: &Folder, wanted: &Wanted<'_>) -> DescribeLogDirsResult {
    let metadata = &call.shared.metadata;
    let log_dir =
        ByteString::from(std::path::absolute(&folder.path).unwrap_or_default().display().to_string());
    let Some(dir) = folder.logs() else {
        let error_code = ErrorCode::KafkaStorageError.code();
        return DescribeLogDirsResult { error_code, log_dir, ..DescribeLogDirsResult::default() };
    };
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in dir.logs() {
        call.work.item().await;
        let (topic, number) = (log.partition().topic().to_string(), log.partition().partition());
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        if is_wanted(wanted, &log) && metadata.image().topic(&topic).is_some() {
            topics.entry(topic).or_default().push(partition(&log, number));
        }
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| DescribeLogDirsTopic { name: name.as_str().into(), partitions });
    let (total_bytes, usable_bytes) = space(folder).unwrap_or((-1, -1));
    DescribeLogDirsResult {
        log_dir,
        topics: topics.collect(),
        total_bytes,
        usable_bytes,
        ..DescribeLogDirsResult::default()
    }
}

fn is_wanted(wanted: &Wanted<'_>, log: &Log) -> bool {
    let number = i32::try_from(log.partition().partition()).unwrap_or(i32::MAX);
    let has = |topic: &BTreeSet<i32>| topic.contains(&number);
    wanted.as_ref().is_none_or(|wanted| wanted.get(log.partition().topic().as_str()).is_some_and(has))
}

fn partition(log: &Log, partition_index: i32) -> DescribeLogDirsPartition {
    let partition_size = log.bytes().map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    DescribeLogDirsPartition { partition_index, partition_size, ..DescribeLogDirsPartition::default() }
}

/// Bytes of the folder's disk, and those of them that can be written.
fn space(folder: &Folder) -> Option<(i64, i64)> {
    let disk = statvfs(&folder.path).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.checked_mul(disk.fragment_size())?).ok();
    Some((bytes(disk.blocks())?, bytes(disk.blocks_available())?))
}
