//! Finding offsets by time; negative times have meanings of their own.

use std::collections::BTreeSet;

use klamm_log::{Log, ReadError, Visibility};
use klamm_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use klamm_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_types::{LeaderEpoch, Offset, Timestamp};

use super::fetch::visibility;
use super::{HandleError, Outcome, Sliced, answer, leader_epoch};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError};
use crate::work::Work;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
/// Offsets in a tier that this broker does not have: there is none.
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// From this version on an answer bears the epoch.
const WITH_EPOCHS: i16 = 4;

/// An answer: offset, time and epoch, each -1 where there is none.
type Found = (i64, i64, i32);
const NOTHING: Found = (-1, -1, -1);

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<ListOffsetsRequest>(head)?;
    let image = shared.metadata.image();
    let mut seen = BTreeSet::new();
    let mut topics = Vec::new();
    for asked in &request.topics {
        call.work.item().await;
        let topic = image.topic(&asked.name);
        let mut partitions = Vec::new();
        for partition in &asked.partitions {
            // A lookup can be work: each partition has one.
            let is_first = seen.insert((asked.name.clone(), partition.partition_index));
            let found = match is_first {
                true => find(&call, topic, partition, request.isolation_level).await,
                false => Err(ErrorCode::InvalidRequest),
            };
            partitions.push(respond(found, partition, head.version));
            call.work.item().await;
        }
        topics.push(ListOffsetsTopicResponse { name: asked.name.clone(), partitions });
    }
    let response = ListOffsetsResponse { topics, ..Default::default() };
    answer(&response, ApiKey::ListOffsets, head)
}

async fn find(
    call: &Sliced,
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    isolation: i8,
) -> Result<Found, ErrorCode> {
    let shared = &*call.shared;
    check_time(asked.timestamp, call.head.version)?;
    let topic = shared.permit().and(topic.ok_or(TopicError::Unknown)).map_err(|error| error.wire())?;
    let log = shared.metadata.log(topic, asked.partition_index).map_err(|error| error.wire())?;
    let epoch = topic.leader_epoch(asked.partition_index);
    leader_epoch::check(asked.current_leader_epoch, epoch)?;
    let wanted = Wanted { epoch, timestamp: asked.timestamp, visibility: visibility(isolation) };
    let found = lookup(&call.work, &log, wanted).await;
    found.map_err(|error| shared.metadata.unless_gone(topic, error.wire()))
}

/// A negative time has a meaning of its own from some version on, or none.
fn check_time(time: i64, version: i16) -> Result<(), ErrorCode> {
    let least_version = match time {
        0.. | LATEST | EARLIEST => 0,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => return Err(ErrorCode::UnsupportedVersion),
    };
    if version < least_version { Err(ErrorCode::UnsupportedVersion) } else { Ok(()) }
}

fn respond(
    found: Result<Found, ErrorCode>,
    asked: &ListOffsetsPartition,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let (error, (offset, timestamp, leader_epoch)) = match found {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOTHING),
    };
    let leader_epoch = if version >= WITH_EPOCHS { leader_epoch } else { -1 };
    let (partition_index, error_code) = (asked.partition_index, error.code());
    ListOffsetsPartitionResponse { partition_index, error_code, timestamp, offset, leader_epoch }
}

/// An offset to look for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// The partition's current leader epoch.
    epoch: LeaderEpoch,
    timestamp: i64,
    visibility: Visibility,
}

/// Finds an offset. A batch that decompresses to more than a slice waits for memory, and takes a
/// slice of its own.
async fn lookup(work: &Work, log: &Log, wanted: Wanted) -> Result<Found, ReadError> {
    let most = log.config().max_decompressed_bytes;
    let limit = most.min(work.slice_bytes());
    match find_in(log, wanted, limit) {
        Err(error) if error.is_over_limit() && limit < most => {}
        found => return found,
    }
    let _memory = work.memory(most).await;
    let found = find_in(log, wanted, most);
    work.bytes(most).await;
    found
}

fn find_in(log: &Log, wanted: Wanted, limit: usize) -> Result<Found, ReadError> {
    let Wanted { epoch, timestamp, visibility } = wanted;
    let bounds = log.bounds();
    let epoch_at = |offset| log.epochs().epoch_at(offset).unwrap_or(epoch).get();
    let found = match timestamp {
        LATEST => return Ok((visible_end(log, visibility).get(), -1, epoch.get())),
        EARLIEST | EARLIEST_LOCAL => return Ok((bounds.start().get(), -1, epoch_at(bounds.start()))),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
        MAX_TIMESTAMP => log.offset_of_max_timestamp_within(limit)?,
        time => log.offset_since_within(Timestamp::from_millis(time), limit)?,
    };
    // The end is looked at last: a record that was appended during the search counts.
    let end = visible_end(log, visibility);
    let found = found.filter(|found| found.offset < end);
    let triple = |f: klamm_log::TimestampedOffset| {
        (f.offset.get(), f.timestamp.as_millis(), f.leader_epoch.map_or(-1, LeaderEpoch::get))
    };
    Ok(found.map_or(NOTHING, triple))
}

fn visible_end(log: &Log, visibility: Visibility) -> Offset {
    let bounds = log.bounds();
    if visibility == Visibility::Stable { bounds.stable() } else { bounds.committed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_time_has_a_meaning_from_its_version_on() {
        for (time, first) in [
            (i64::MAX, 1),
            (0, 1),
            (LATEST, 1),
            (EARLIEST, 1),
            (MAX_TIMESTAMP, 7),
            (EARLIEST_LOCAL, 8),
            (LATEST_TIERED, 9),
            (EARLIEST_PENDING_UPLOAD, 11),
            (-7, 12),
            (i64::MIN, 12),
        ] {
            for version in 1..=11 {
                assert_eq!(
                    check_time(time, version).is_ok(),
                    version >= first,
                    "{time} in version {version}"
                );
            }
        }
    }
}
