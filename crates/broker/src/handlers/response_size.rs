//! The memory that building and sending a response takes where it grows with the state of the
//! broker, not with the request. A handler estimates it from the state, and takes it before it
//! builds the response ([`Work::reserve`](crate::work::Work::reserve)). `tests/large_responses.rs`
//! measures that no response takes more.

use klamm_coordinator::{
    Answer, CommittedOffset, ConsumerGroupDescription, ConsumerMemberDescription, GroupDescription, GroupId,
    MemberDescription, Partitions,
};

use crate::metadata::Topic;
use crate::quotas::QuotaEntity;
use crate::work::SMALL_RESPONSE;

/// Bytes of the values and the encoded form of one element with a few numbers, as the buffers grow.
const ELEMENT: usize = 256;
/// Copies of a text: in the values that are gathered, in the response, and encoded, while the
/// buffer grows.
const COPIES: usize = 5;

/// The memory of a text in a response.
pub(super) fn text(bytes: usize) -> usize {
    COPIES * bytes
}

/// The memory of a topic with so many partitions.
pub(super) fn topic(topic: &Topic, partitions: usize) -> usize {
    ELEMENT + text(topic.name.as_str().len()) + ELEMENT * partitions
}

/// The memory of so many partitions of a topic.
pub(super) fn partitions(count: usize) -> usize {
    2 * ELEMENT * count
}

/// The memory of a named element with a few numbers.
pub(super) fn named(name: &str) -> usize {
    2 * ELEMENT + text(name.len())
}

/// The memory of a group in a list.
pub(super) fn listed_group(group: &GroupId) -> usize {
    ELEMENT + named(group.as_str())
}

/// The memory of the response to a member that waited for its group, with the metadata of other
/// members or an assignment; 0 for one so small that the connection's own allowance covers it.
pub(crate) fn size_of_answer(answer: &Answer) -> usize {
    let texts = match answer {
        Answer::Join(Ok(joined)) => joined.members.iter().map(|member| ELEMENT + member.metadata.len()).sum(),
        Answer::Sync(Ok(synced)) => synced.assignment.len(),
        Answer::Join(Err(_)) | Answer::Sync(Err(_)) => 0,
    };
    if text(texts) <= SMALL_RESPONSE { 0 } else { text(texts) }
}

/// The memory of a classic group with its members.
pub(super) fn classic_group(group: &GroupDescription) -> usize {
    let member = |member: &MemberDescription| {
        let texts = member.id.as_str().len() + member.client_id.len() + member.client_host.len();
        2 * ELEMENT + text(texts + member.metadata.len() + member.assignment.len())
    };
    2 * ELEMENT + group.members.iter().map(member).sum::<usize>()
}

/// The memory of a consumer-protocol group with its members.
pub(super) fn consumer_group(group: &ConsumerGroupDescription) -> usize {
    2 * ELEMENT + group.members.iter().map(consumer_member).sum::<usize>()
}

fn consumer_member(member: &ConsumerMemberDescription) -> usize {
    let said = &member.said;
    let topics: usize = said.topics.iter().map(|topic| named(topic.as_str())).sum();
    let texts = member.id.as_str().len() + said.client_id.len() + said.client_host.len() + said.regex.len();
    2 * ELEMENT + topics + text(texts) + assigned(&member.has) + assigned(&member.target)
}

/// The memory of an assignment: topics have names of at most 249 bytes.
fn assigned(partitions: &Partitions) -> usize {
    let topic = |partitions: &std::collections::BTreeSet<i32>| ELEMENT + text(249) + 64 * partitions.len();
    partitions.topics().map(|(_, partitions)| topic(partitions)).sum()
}

/// The memory of a committed offset with its metadata.
pub(super) fn committed(offset: &CommittedOffset) -> usize {
    ELEMENT + text(offset.metadata.len())
}

/// The memory of so many producers of a partition.
pub(super) fn producers(count: usize) -> usize {
    ELEMENT * (1 + count)
}

/// The memory of the quotas of an entity.
pub(super) fn quotas(entity: &QuotaEntity, count: usize) -> usize {
    let names: usize = entity.parts().map(|(_, name)| name.map_or(0, str::len)).sum();
    3 * ELEMENT + text(names) + ELEMENT * count
}

/// The memory of a fetch of so many partitions that its session remembers, beside the records,
/// which stay in their files.
pub(super) fn fetched(remembered: usize) -> usize {
    4 * ELEMENT * remembered
}

/// The memory of so many settings, each with its synonyms and its documentation.
pub(super) fn settings(count: usize) -> usize {
    4 * ELEMENT * count
}
