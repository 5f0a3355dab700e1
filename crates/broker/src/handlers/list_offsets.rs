//! Finding offsets by time; negative times have meanings of their own.

use std::collections::BTreeSet;

use klamm_log::{Log, ReadError, Visibility};
use klamm_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use klamm_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_types::{LeaderEpoch, Timestamp};

use super::fetch::visibility;
use super::{HandleError, Outcome, Sliced, answer, leader_epoch};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError};
use crate::shared::Shared;

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
        let of = |partition: &ListOffsetsPartition| {
            // A lookup can be work: each partition has one.
            if !seen.insert((asked.name.clone(), partition.partition_index)) {
                return refused(partition, ErrorCode::InvalidRequest);
            }
            let found = find(shared, topic, partition, request.isolation_level, head.version);
            respond(found, partition, head.version)
        };
        let partitions = call.each(&asked.partitions, of).await;
        topics.push(ListOffsetsTopicResponse { name: asked.name.clone(), partitions });
    }
    let response = ListOffsetsResponse { topics, ..Default::default() };
    answer(&response, ApiKey::ListOffsets, head)
}

fn find(
    shared: &Shared,
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    isolation: i8,
    version: i16,
) -> Result<Found, ErrorCode> {
    check_time(asked.timestamp, version)?;
    let topic = shared.permit().and(topic.ok_or(TopicError::Unknown)).map_err(|error| error.wire())?;
    let log = shared.metadata.log(topic, asked.partition_index).map_err(|error| error.wire())?;
    let epoch = topic.leader_epoch(asked.partition_index);
    leader_epoch::check(asked.current_leader_epoch, epoch)?;
    let found = find_in(&log, epoch, asked.timestamp, visibility(isolation));
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

fn refused(asked: &ListOffsetsPartition, error: ErrorCode) -> ListOffsetsPartitionResponse {
    let (partition_index, error_code) = (asked.partition_index, error.code());
    ListOffsetsPartitionResponse { partition_index, error_code, ..ListOffsetsPartitionResponse::default() }
}

fn find_in(
    log: &Log,
    epoch: LeaderEpoch,
    timestamp: i64,
    visibility: Visibility,
) -> Result<Found, ReadError> {
    let bounds = log.bounds();
    let latest = if visibility == Visibility::Stable { bounds.stable() } else { bounds.committed() };
    let epoch_at = |offset| log.epochs().epoch_at(offset).unwrap_or(epoch).get();
    let found = match timestamp {
        LATEST => return Ok((latest.get(), -1, epoch.get())),
        EARLIEST | EARLIEST_LOCAL => return Ok((bounds.start().get(), -1, epoch_at(bounds.start()))),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
        MAX_TIMESTAMP => log.offset_of_max_timestamp()?,
        time => log.offset_since(Timestamp::from_millis(time))?,
    };
    let found = found.filter(|found| found.offset < latest);
    let triple = |f: klamm_log::TimestampedOffset| {
        (f.offset.get(), f.timestamp.as_millis(), f.leader_epoch.map_or(-1, LeaderEpoch::get))
    };
    Ok(found.map_or(NOTHING, triple))
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
