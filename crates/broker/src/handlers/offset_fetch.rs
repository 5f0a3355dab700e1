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
use klamm_protocol::{ApiKey, ByteString, ErrorCode, RequestHead, Uuid};

use super::{HandleError, Outcome, answer, once};
use crate::error_code::WireError;
use crate::metadata::MetadataImage;
use crate::shared::Shared;

/// From this version on several groups are asked for at a time (KIP-709).
const SEVERAL: i16 = 8;
/// From this version on a topic is named by its id (KIP-848).
const WITH_TOPIC_IDS: i16 = 10;
/// From this version on a member says who it is (KIP-848).
const WITH_EPOCHS: i16 = 9;
/// From this version on there is an error of the whole.
const WITH_ERROR: i16 = 2;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<OffsetFetchRequest>(head)?;
    let response = if head.version >= SEVERAL {
        let groups = once(&request.groups, |asked| &asked.group_id);
        let groups = groups.map(|asked| group(shared, asked, head.version)).collect();
        OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }
    } else {
        one(&group(shared, &first(&request), head.version), head.version)
    };
    answer(&response, ApiKey::OffsetFetch, head)
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

fn group(shared: &Shared, asked: &OffsetFetchRequestGroup, version: i16) -> OffsetFetchResponseGroup {
    let (id, image) = (GroupId::new(&asked.group_id), shared.metadata.image());
    let read = |groups: &GroupCoordinator| {
        if version >= WITH_EPOCHS {
            check(groups, &id, asked).map_err(|error| error.wire())?;
        }
        Ok(match &asked.topics {
            Some(topics) => once(topics, |topic| (&topic.name, topic.topic_id))
                .map(|topic| named(groups, &id, topic, &image, version))
                .collect(),
            None => all(groups, &id, &image, version),
        })
    };
    let permitted = shared.permit().map_err(|error| error.wire());
    let found = permitted.and_then(|()| shared.groups.read(&id, read)?);
    let (topics, error) = match found {
        Ok(topics) => (topics, ErrorCode::None),
        // Where there is no error of the whole the partitions carry it.
        Err(error) => {
            let named = asked.topics.iter().flatten().filter(|_| version < WITH_ERROR);
            (named.map(|topic| none_of(topic, ErrorCode::None)).collect(), error)
        }
    };
    OffsetFetchResponseGroup { group_id: asked.group_id.clone(), topics, error_code: error.code() }
}

/// One that says who it is has to be that.
fn check(groups: &GroupCoordinator, id: &GroupId, asked: &OffsetFetchRequestGroup) -> Result<(), GroupError> {
    match &asked.member_id {
        None if asked.member_epoch < 0 => Ok(()),
        member => groups.check_fetch(id, &MemberId::new(member.as_deref().unwrap_or("")), asked.member_epoch),
    }
}

fn named(
    groups: &GroupCoordinator,
    id: &GroupId,
    asked: &OffsetFetchRequestTopics,
    image: &MetadataImage,
    version: i16,
) -> OffsetFetchResponseTopics {
    let name: ByteString = if version >= WITH_TOPIC_IDS {
        match image.topic_by_id(asked.topic_id) {
            Some(topic) => topic.name.as_str().into(),
            None => return none_of(asked, ErrorCode::UnknownTopicId),
        }
    } else {
        asked.name.clone()
    };
    // One of a topic that had the name before is none of this one's.
    let own: Option<Uuid> = image.topic(&name).map(|topic| topic.id.into());
    let is_own =
        |found: &&CommittedOffset| found.topic_id.zip(own).is_none_or(|(committed, own)| committed == own);
    let partition = |number: &i32| match groups.committed(id, &name, *number).filter(is_own) {
        Some(found) => told(*number, found),
        None => none(*number, ErrorCode::None),
    };
    OffsetFetchResponseTopics {
        name: name.clone(),
        topic_id: asked.topic_id,
        partitions: once(&asked.partition_indexes, |number| *number).map(partition).collect(),
    }
}

/// Where topics have ids, those that are gone have none to be named by.
fn all(
    groups: &GroupCoordinator,
    id: &GroupId,
    image: &MetadataImage,
    version: i16,
) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: BTreeMap<&str, Vec<OffsetFetchResponsePartitions>> = BTreeMap::new();
    for (topic, partition, found) in groups.all_committed(id) {
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
