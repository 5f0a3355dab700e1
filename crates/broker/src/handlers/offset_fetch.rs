//! How far groups have read.

use std::collections::BTreeMap;

use klamm_coordinator::{CommittedOffset, GroupCoordinator, GroupError, GroupId, MemberId};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, Uuid};

use super::{HandleError, Outcome, Sliced, answer, once, response_size};
use crate::error_code::WireError;
use crate::metadata::MetadataImage;

/// From this version on several groups are asked for at a time (KIP-709).
const SEVERAL: i16 = 8;
/// From this version on a topic is named by its id (KIP-848).
const WITH_TOPIC_IDS: i16 = 10;
/// From this version on a member says who it is (KIP-848).
const WITH_EPOCHS: i16 = 9;
/// From this version on there is an error of the whole.
const WITH_ERROR: i16 = 2;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let head = &call.head;
    let request = super::read::<OffsetFetchRequest>(head)?;
    let response = if head.version >= SEVERAL {
        call.work.reserve(size(&call, &request.groups).await).await;
        let mut groups = Vec::new();
        for asked in once(&request.groups, |asked| &asked.group_id) {
            call.work.item().await;
            groups.push(group(&call, asked).await);
        }
        OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }
    } else {
        let first = first(&request);
        call.work.reserve(size(&call, std::slice::from_ref(&first)).await).await;
        one(&group(&call, &first).await, head.version)
    };
    answer(&response, ApiKey::OffsetFetch, head)
}

/// The memory of what groups have committed: all of it, or the metadata of the partitions that are
/// named.
async fn size(call: &Sliced, asked: &[OffsetFetchRequestGroup]) -> usize {
    let mut size = 0;
    for group in once(asked, |asked| &asked.group_id) {
        call.work.item().await;
        let id = GroupId::new(&group.group_id);
        let all = |groups: &GroupCoordinator| {
            let committed = groups.all_committed(&id);
            committed
                .map(|(topic, _, found)| {
                    response_size::named(topic.as_str()) + response_size::committed(found)
                })
                .sum()
        };
        size += call.shared.groups.read(&id, all).unwrap_or(0_usize);
    }
    size
}

/// The one group that an older version asks for, as later ones do.
fn first(request: &OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topic = |asked: &klamm_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
        let (name, partition_indexes) = (asked.name.clone(), asked.partition_indexes.clone());
        OffsetFetchRequestTopics { name, partition_indexes, ..OffsetFetchRequestTopics::default() }
    };
    let topics = request.topics.as_ref().map(|topics| topics.iter().map(topic).collect());
    OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics,
        ..OffsetFetchRequestGroup::default()
    }
}

fn one(group: &OffsetFetchResponseGroup, version: i16) -> OffsetFetchResponse {
    // In the first version each partition says what is wrong with the whole.
    let of_all = if version < WITH_ERROR { group.error_code } else { 0 };
    let partition = |found: &OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: found.partition_index,
        committed_offset: found.committed_offset,
        committed_leader_epoch: found.committed_leader_epoch,
        metadata: found.metadata.clone(),
        error_code: if of_all == 0 { found.error_code } else { of_all },
    };
    let topic = |found: &OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: found.name.clone(),
        partitions: found.partitions.iter().map(partition).collect(),
    };
    let topics = group.topics.iter().map(topic).collect();
    OffsetFetchResponse { topics, error_code: group.error_code, ..OffsetFetchResponse::default() }
}

async fn group(call: &Sliced, asked: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let (topics, error) = match offsets(call, asked).await {
        Ok(topics) => (topics, ErrorCode::None),
        // Where there is no error of the whole the partitions carry it.
        Err(error) => {
            let named = asked.topics.iter().flatten().filter(|_| call.head.version < WITH_ERROR);
            (named.map(|topic| none_of(topic, ErrorCode::None)).collect(), error)
        }
    };
    OffsetFetchResponseGroup { group_id: asked.group_id.clone(), topics, error_code: error.code() }
}

/// The offsets of the topics that are named, or of all.
async fn offsets(
    call: &Sliced,
    asked: &OffsetFetchRequestGroup,
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    let (shared, version) = (&call.shared, call.head.version);
    let (id, image) = (GroupId::new(&asked.group_id), shared.metadata.image());
    shared.permit().map_err(|error| error.wire())?;
    let checked = |groups: &GroupCoordinator| match version >= WITH_EPOCHS {
        true => check(groups, &id, asked).map_err(|error| error.wire()),
        false => Ok(()),
    };
    shared.groups.read(&id, checked)??;
    let Some(topics) = &asked.topics else {
        let all = shared.groups.read(&id, |groups| all(groups, &id, &image, version))?;
        call.work.items(all.iter().map(|topic| topic.partitions.len()).sum()).await;
        return Ok(all);
    };
    let is_unknown = |topic: &&OffsetFetchRequestTopics| {
        version >= WITH_TOPIC_IDS && image.topic_by_id(topic.topic_id).is_none()
    };
    // As in Kafka, topics with an unknown id come last.
    let topics = once(topics, |topic| (&topic.name, topic.topic_id));
    let (unknown, known): (Vec<_>, Vec<_>) = topics.partition(is_unknown);
    let mut found = Vec::new();
    for topic in known.into_iter().chain(unknown) {
        call.work.item().await;
        found.push(named(call, &id, topic, &image).await?);
    }
    Ok(found)
}

/// One that says who it is has to be that.
fn check(groups: &GroupCoordinator, id: &GroupId, asked: &OffsetFetchRequestGroup) -> Result<(), GroupError> {
    match &asked.member_id {
        None if asked.member_epoch < 0 => Ok(()),
        member => groups.check_fetch(id, &MemberId::new(member.as_deref().unwrap_or("")), asked.member_epoch),
    }
}

async fn named(
    call: &Sliced,
    id: &GroupId,
    asked: &OffsetFetchRequestTopics,
    image: &MetadataImage,
) -> Result<OffsetFetchResponseTopics, ErrorCode> {
    let name: ByteString = if call.head.version >= WITH_TOPIC_IDS {
        match image.topic_by_id(asked.topic_id) {
            Some(topic) => topic.name.as_str().into(),
            None => return Ok(none_of(asked, ErrorCode::UnknownTopicId)),
        }
    } else {
        asked.name.clone()
    };
    // One of a topic that had the name before is none of this one's.
    let own: Option<Uuid> = image.topic(&name).map(|topic| topic.id.into());
    let is_own =
        |found: &&CommittedOffset| found.topic_id.zip(own).is_none_or(|(committed, own)| committed == own);
    let numbers: Vec<i32> = once(&asked.partition_indexes, |number| *number).copied().collect();
    let mut partitions = Vec::with_capacity(numbers.len());
    // The shard has other groups too, which are not kept waiting.
    for some in numbers.chunks(call.shared.config().slice_items.max(1)) {
        let look = |groups: &GroupCoordinator| {
            let partition = |number: &i32| match groups.committed(id, &name, *number).filter(is_own) {
                Some(found) => told(*number, found),
                None => none(*number, ErrorCode::None),
            };
            partitions.extend(some.iter().map(partition));
        };
        call.shared.groups.read(id, look)?;
        call.work.items(some.len()).await;
    }
    Ok(OffsetFetchResponseTopics { name: name.clone(), topic_id: asked.topic_id, partitions })
}

/// Where topics have ids, those that are gone have none to be named by.
fn all(
    groups: &GroupCoordinator,
    id: &GroupId,
    image: &MetadataImage,
    version: i16,
) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: BTreeMap<&str, Vec<OffsetFetchResponsePartitions>> = BTreeMap::new();
    let is_own = |topic: &str, found: &CommittedOffset| {
        let own = image.topic(topic).map(|topic| Uuid::from(topic.id));
        found.topic_id.zip(own).is_none_or(|(committed, own)| committed == own)
    };
    let committed = groups.all_committed(id);
    for (topic, partition, found) in committed.filter(|(topic, _, found)| is_own(topic.as_str(), found)) {
        topics.entry(topic.as_str()).or_default().push(told(partition, found));
    }
    let topic = |(name, partitions): (&str, _)| OffsetFetchResponseTopics {
        name: name.into(),
        topic_id: image.topic(name).map(|topic| topic.id.into()).unwrap_or_default(),
        partitions,
    };
    let topics = topics.into_iter().map(topic);
    topics.filter(|topic| version < WITH_TOPIC_IDS || topic.topic_id != Uuid::ZERO).collect()
}

fn none_of(asked: &OffsetFetchRequestTopics, error: ErrorCode) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics {
        name: asked.name.clone(),
        topic_id: asked.topic_id,
        partitions: asked.partition_indexes.iter().map(|number| none(*number, error)).collect(),
    }
}

fn told(number: i32, found: &CommittedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: number,
        committed_offset: found.offset.get(),
        committed_leader_epoch: found.leader_epoch.unwrap_or(-1),
        metadata: Some(found.metadata.as_ref().into()),
        error_code: 0,
    }
}

fn none(number: i32, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: number,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(ByteString::default()),
        error_code: error.code(),
    }
}
