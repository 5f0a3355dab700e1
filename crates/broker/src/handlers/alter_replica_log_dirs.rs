//! AlterReplicaLogDirs (KIP-113). A partition stays in the directory in which it was created: a
//! request that names that directory has nothing to do, and one that names another directory of
//! this broker is refused with UNSUPPORTED_VERSION.

use std::path::Path;

use klamm_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirsRequest,
};
use klamm_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer, read};
use crate::error_code::WireError;
use crate::metadata::TopicError;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<AlterReplicaLogDirsRequest>(head)?;
    let results = request.dirs.iter().flat_map(|dir| moved(shared, dir)).collect();
    answer(&AlterReplicaLogDirsResponse { results, ..Default::default() }, ApiKey::AlterReplicaLogDirs, head)
}

fn moved<'a>(
    shared: &'a Shared,
    dir: &'a AlterReplicaLogDir,
) -> impl Iterator<Item = AlterReplicaLogDirTopicResult> + 'a {
    dir.topics.iter().map(move |topic| {
        let partition = |index: &i32| AlterReplicaLogDirPartitionResult {
            partition_index: *index,
            error_code: move_to(shared, &dir.path, &topic.name, *index)
                .err()
                .unwrap_or(ErrorCode::None)
                .code(),
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        AlterReplicaLogDirTopicResult { topic_name: topic.name.clone(), partitions }
    })
}

fn move_to(shared: &Shared, dir: &str, topic: &str, index: i32) -> Result<(), ErrorCode> {
    shared.permit().map_err(|error| error.wire())?;
    let dir = Path::new(dir);
    let storage = shared.metadata.storage();
    if !storage.folders().iter().any(|folder| is_same(&folder.path, dir)) {
        return Err(ErrorCode::LogDirNotFound);
    }
    let image = shared.metadata.image();
    let log =
        image.topic(topic).ok_or(TopicError::Unknown).and_then(|topic| shared.metadata.log(topic, index));
    let log = log.map_err(|error| error.wire())?;
    let is_there = log.path().parent().is_some_and(|home| is_same(home, dir));
    if is_there { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) }
}

/// Whether two paths name the same directory. The broker may have been given a relative one, and
/// reports it as it is.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
