//! One handler a file, named by its API; which versions are served stands in one table.

mod acls;
mod alter_client_quotas;
mod alter_configs;
mod alter_replica_log_dirs;
mod alter_user_scram_credentials;
mod api_versions;
mod broker_loggers;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delegation_tokens;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod fetch;
mod find_coordinator;
mod footprint;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod items;
mod join_group;
mod leader_epoch;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod operations;
mod produce;
mod reassignments;
mod refusal;
mod resources;
mod response_size;
mod sasl;
mod sync_group;
mod transactions;
mod unregister_broker;
mod unsupported;
mod update_features;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use klamm_coordinator::{Answer as GroupAnswer, Effects, GroupCoordinator, GroupError, GroupId, Present};
use klamm_log::Slice;
use klamm_protocol::codec::Reader;
use klamm_protocol::{
    ApiKey, DecodeError, EncodeError, ErrorCode, Message, Pieces, Request, RequestHead, encode_response,
};
use klamm_types::TopicPartition;
use thiserror::Error;
use tracing::Instrument;

use crate::error_code::WireError;
use crate::net::{Lane, Share};
use crate::shared::Shared;
use crate::work::{Place, Running, Work};

pub(crate) use fetch::{PendingFetch, Round};
pub(crate) use footprint::footprint;
use refusal::Refusal;
pub(crate) use response_size::size_of_answer;

/// An API, the versions of it that are served, and what answers it.
type Served = (ApiKey, RangeInclusive<i16>, Handler);
type Handler = fn(&Arc<Shared>, &RequestHead, Turn) -> Result<Outcome, HandleError>;

const SERVED: &[Served] = &[
    (ApiKey::Produce, 3..=13, |s, h, t| Sliced::begin(s, h, t, produce::handle)),
    (ApiKey::Fetch, 4..=18, |s, h, t| Sliced::begin(s, h, t, fetch::handle)),
    (ApiKey::ListOffsets, 1..=11, |s, h, t| Sliced::begin(s, h, t, list_offsets::handle)),
    (ApiKey::Metadata, 0..=13, |s, h, t| Sliced::begin(s, h, t, metadata::handle)),
    (ApiKey::OffsetCommit, 2..=10, |s, h, t| Sliced::begin(s, h, t, offset_commit::handle)),
    (ApiKey::OffsetFetch, 1..=10, |s, h, t| Sliced::begin(s, h, t, offset_fetch::handle)),
    (ApiKey::FindCoordinator, 0..=6, |s, h, t| Sliced::begin(s, h, t, find_coordinator::handle)),
    (ApiKey::JoinGroup, 0..=9, join_group::handle),
    (ApiKey::Heartbeat, 0..=4, heartbeat::handle),
    (ApiKey::LeaveGroup, 0..=5, |s, h, t| Sliced::begin(s, h, t, leave_group::handle)),
    (ApiKey::SyncGroup, 0..=5, |s, h, _| sync_group::handle(s, h)),
    (ApiKey::DescribeGroups, 0..=6, |s, h, t| Sliced::begin(s, h, t, describe_groups::handle)),
    (ApiKey::ListGroups, 0..=5, |s, h, t| Sliced::begin(s, h, t, list_groups::handle)),
    (ApiKey::SaslHandshake, 0..=1, |s, h, _| sasl::handshake(s, h)),
    (ApiKey::ApiVersions, 0..=4, |s, h, _| api_versions::handle(s, h)),
    (ApiKey::CreateTopics, 2..=7, |s, h, _| create_topics::handle(s, h)),
    (ApiKey::DeleteTopics, 1..=6, |s, h, _| delete_topics::handle(s, h)),
    (ApiKey::DeleteRecords, 0..=2, |s, h, t| Sliced::begin(s, h, t, delete_records::handle)),
    (ApiKey::InitProducerId, 0..=5, |s, h, _| init_producer_id::handle(s, h)),
    (ApiKey::OffsetForLeaderEpoch, 2..=4, |s, h, t| Sliced::begin(s, h, t, offset_for_leader_epoch::handle)),
    (ApiKey::DescribeAcls, 1..=3, |s, h, _| acls::describe(s, h)),
    (ApiKey::CreateAcls, 1..=3, |s, h, _| acls::create(s, h)),
    (ApiKey::DeleteAcls, 1..=3, |s, h, _| acls::delete(s, h)),
    (ApiKey::DescribeConfigs, 1..=4, |s, h, t| Sliced::begin(s, h, t, describe_configs::handle)),
    (ApiKey::AlterConfigs, 0..=2, |s, h, _| alter_configs::handle(s, h)),
    (ApiKey::AlterReplicaLogDirs, 1..=2, |s, h, _| alter_replica_log_dirs::handle(s, h)),
    (ApiKey::DescribeLogDirs, 1..=5, |s, h, t| Sliced::begin(s, h, t, describe_log_dirs::handle)),
    (ApiKey::SaslAuthenticate, 0..=2, |s, h, _| sasl::authenticate(s, h)),
    (ApiKey::CreatePartitions, 0..=3, |s, h, _| create_partitions::handle(s, h)),
    (ApiKey::CreateDelegationToken, 1..=3, |s, h, _| delegation_tokens::create(s, h)),
    (ApiKey::RenewDelegationToken, 1..=2, |s, h, _| delegation_tokens::renew(s, h)),
    (ApiKey::ExpireDelegationToken, 1..=2, |s, h, _| delegation_tokens::expire(s, h)),
    (ApiKey::DescribeDelegationToken, 1..=3, |s, h, _| delegation_tokens::describe(s, h)),
    (ApiKey::DeleteGroups, 0..=2, |s, h, t| Sliced::begin(s, h, t, delete_groups::handle)),
    (ApiKey::ElectLeaders, 0..=2, |s, h, _| elect_leaders::handle(s, h)),
    (ApiKey::IncrementalAlterConfigs, 0..=1, |s, h, _| incremental_alter_configs::handle(s, h)),
    (ApiKey::AlterPartitionReassignments, 0..=1, |s, h, _| reassignments::alter(s, h)),
    (ApiKey::ListPartitionReassignments, 0..=0, |s, h, _| reassignments::list(s, h)),
    (ApiKey::OffsetDelete, 0..=0, |s, h, t| Sliced::begin(s, h, t, offset_delete::handle)),
    (ApiKey::DescribeClientQuotas, 0..=1, |s, h, t| Sliced::begin(s, h, t, describe_client_quotas::handle)),
    (ApiKey::AlterClientQuotas, 0..=1, |s, h, _| alter_client_quotas::handle(s, h)),
    (ApiKey::DescribeUserScramCredentials, 0..=0, |s, h, _| describe_user_scram_credentials::handle(s, h)),
    (ApiKey::AlterUserScramCredentials, 0..=0, |s, h, _| alter_user_scram_credentials::handle(s, h)),
    (ApiKey::DescribeQuorum, 0..=2, |s, h, _| describe_quorum::handle(s, h)),
    (ApiKey::UpdateFeatures, 0..=2, |s, h, _| update_features::handle(s, h)),
    (ApiKey::DescribeCluster, 0..=2, |s, h, _| describe_cluster::handle(s, h)),
    (ApiKey::DescribeProducers, 0..=0, |s, h, t| Sliced::begin(s, h, t, describe_producers::handle)),
    (ApiKey::UnregisterBroker, 0..=0, |s, h, _| unregister_broker::handle(s, h)),
    (ApiKey::DescribeTransactions, 0..=0, |s, h, _| transactions::describe(s, h)),
    (ApiKey::ListTransactions, 0..=2, |s, h, _| transactions::list(s, h)),
    (ApiKey::ConsumerGroupHeartbeat, 0..=1, consumer_group_heartbeat::handle),
    (ApiKey::ConsumerGroupDescribe, 0..=1, |s, h, t| Sliced::begin(s, h, t, consumer_group_describe::handle)),
    (ApiKey::ListConfigResources, 0..=1, |s, h, t| Sliced::begin(s, h, t, list_config_resources::handle)),
    (ApiKey::DescribeTopicPartitions, 0..=0, |s, h, t| {
        Sliced::begin(s, h, t, describe_topic_partitions::handle)
    }),
];

/// How a request is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    pub(crate) round: Round,
    /// Whether it may wait for a disk; if not, and it has to, it says [`Outcome::Blocks`] and has
    /// no effect.
    pub(crate) may_block: bool,
    /// Where the request comes from.
    pub(crate) peer: IpAddr,
}

impl Turn {
    /// The kind of thread that the request is on.
    pub(crate) fn place(self) -> Place {
        if self.may_block { Place::Worker } else { Place::Network }
    }
}

/// What is to be done after a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Send this.
    Answer(Answer),
    /// Send nothing: a produce with acks=0.
    Silence,
    /// The other side has closed: nobody waits for an answer.
    Gone,
    /// Close the connection: the request was wrong in a way that cannot be answered, or asked not
    /// to be.
    Close(String),
    /// Ask again where it may wait for a disk.
    Blocks,
    /// Run it slice by slice; the last one gives the outcome.
    Sliced(Box<Running<Outcome>>),
    /// Send what comes of this.
    Later(Later),
    /// Attempt the fetch again when one of the partitions has grown, or at the deadline, which
    /// answers in any case.
    Wait(Delayed),
}

/// A frame on its way out, and the files its regions lie in, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) frame: Pieces,
    pub(crate) slices: HashMap<u64, Slice>,
    /// Of the memory for answers, as long as it is here.
    pub(crate) share: Share,
}

/// An answer that others have to come for.
pub(crate) struct Later {
    pub(crate) told: tokio::sync::oneshot::Receiver<GroupAnswer>,
    pub(crate) respond: Box<dyn FnOnce(GroupAnswer) -> Result<Outcome, HandleError> + Send>,
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Later")
    }
}

/// A fetch that waits for more records.
#[derive(Debug)]
pub(crate) struct Delayed {
    /// The partitions whose growth it waits for.
    pub(crate) partitions: Vec<TopicPartition>,
    pub(crate) max_wait: std::time::Duration,
    pub(crate) fetch: Box<PendingFetch>,
}

/// Why a request has no answer.
#[derive(Debug, Error)]
pub(crate) enum HandleError {
    #[error("request cannot be read: {0}")]
    Decode(#[from] DecodeError),
    #[error("answer cannot be written: {0}")]
    Encode(#[from] EncodeError),
}

/// Answers a request.
pub(crate) fn handle(shared: &Arc<Shared>, head: &RequestHead, turn: Turn) -> Outcome {
    let Some((api, versions, handler)) = SERVED.iter().find(|(api, ..)| api.code() == head.api_key) else {
        return refuse(head);
    };
    if !versions.contains(&head.version) {
        return unsupported(*api, head);
    }
    // Whose it was, beside whatever is logged of it.
    let client = head.client_id.as_deref().unwrap_or_default();
    let _span = tracing::debug_span!("request", api = api.name(), client, peer = %turn.peer).entered();
    let handled = handler(shared, head, turn);
    handled.unwrap_or_else(|error| Outcome::Close(format!("{} {}: {error}", api.name(), head.version)))
}

/// Attempts a decoded fetch, whose request has this head.
pub(crate) fn fetch_again(
    shared: &Arc<Shared>,
    head: &RequestHead,
    turn: Turn,
    fetch: Box<PendingFetch>,
) -> Outcome {
    let begun = Sliced::begin(shared, head, turn, |call| fetch::attempt(fetch, call));
    begun.unwrap_or_else(|error| Outcome::Close(error.to_string()))
}

/// What a request asks of the thread that answers it.
pub(crate) fn lane(api_key: i16) -> Lane {
    let is_of = |apis: &[ApiKey]| apis.iter().any(|api| api.code() == api_key);
    let little =
        [ApiKey::Produce, ApiKey::Fetch, ApiKey::OffsetCommit, ApiKey::Heartbeat, ApiKey::ApiVersions];
    if is_of(&little) {
        return Lane::Network;
    }
    let commands = [
        ApiKey::CreateTopics,
        ApiKey::DeleteTopics,
        ApiKey::CreatePartitions,
        ApiKey::AlterConfigs,
        ApiKey::IncrementalAlterConfigs,
        ApiKey::AlterClientQuotas,
        ApiKey::DescribeLogDirs,
        ApiKey::UpdateFeatures,
    ];
    if is_of(&commands) { Lane::Command } else { Lane::Io }
}

/// Whether a request is too large for a network thread: decoding alone is much work.
pub(crate) fn has_large_frame(head: &RequestHead) -> bool {
    // The records of a Produce are not decoded, only its partitions.
    let limit = if head.api_key == ApiKey::Produce.code() { LARGE_PRODUCE } else { LARGE_FRAME };
    head.body.len() > limit
}

/// Bytes of a frame from which on a request never runs on a network thread.
const LARGE_FRAME: usize = 64 << 10;
const LARGE_PRODUCE: usize = 512 << 10;

/// Whether this version of an API is served.
pub(crate) fn is_served(api: ApiKey, version: i16) -> bool {
    SERVED.iter().any(|(served, versions, _)| *served == api && versions.contains(&version))
}

/// Refuses an API that is not served. One that no broker of Kafka has, or a version of it that does
/// not exist, ends the connection, as in Kafka.
fn refuse(head: &RequestHead) -> Outcome {
    let api = ApiKey::from_code(head.api_key).filter(|api| api.versions().contains(&head.version));
    let refused = api.and_then(|api| unsupported::refuse(api, head));
    refused.map_or_else(
        || Outcome::Close(format!("version {} of API {} is not served", head.version, head.api_key)),
        |refused| refused.unwrap_or_else(|error| Outcome::Close(format!("API {}: {error}", head.api_key))),
    )
}

/// A client that is newer than we are asks for versions in one that we do not know: it gets error
/// 35 in version 0, which everyone can read, and asks again. Any other request of a version that is
/// not served ends the connection.
fn unsupported(api: ApiKey, head: &RequestHead) -> Outcome {
    if api != ApiKey::ApiVersions {
        return Outcome::Close(format!("{} {} is not served", api.name(), head.version));
    }
    api_versions::refuse(head).unwrap_or_else(|error| Outcome::Close(error.to_string()))
}

/// Where a client comes from, as Java writes an address.
fn host(peer: IpAddr) -> Arc<str> {
    match peer.to_canonical() {
        IpAddr::V4(address) => format!("/{address}").into(),
        IpAddr::V6(address) => {
            format!("/{}", address.segments().map(|part| format!("{part:x}")).join(":")).into()
        }
    }
}

/// Words for people in a response: a text on the wire has at most 32,767 bytes.
fn message(text: &str) -> klamm_protocol::ByteString {
    let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= 1000).last().unwrap_or(0);
    if text.len() <= 1000 { text.into() } else { text[..cut].into() }
}

/// A request that is answered in slices: its handler keeps what it needs of the request.
#[derive(Clone, Debug)]
struct Sliced {
    shared: Arc<Shared>,
    head: RequestHead,
    turn: Turn,
    work: Work,
}

impl Sliced {
    /// Begins to answer a request in slices; nothing runs before the first one.
    fn begin<F>(
        shared: &Arc<Shared>,
        head: &RequestHead,
        turn: Turn,
        handler: impl FnOnce(Sliced) -> F,
    ) -> Result<Outcome, HandleError>
    where
        F: Future<Output = Result<Outcome, HandleError>> + Send + 'static,
    {
        let work = Work::new(&shared.config(), &shared.work, turn.place());
        let sliced = Sliced { shared: Arc::clone(shared), head: head.clone(), turn, work: work.clone() };
        let (handled, version) = (handler(sliced), head.version);
        let name = ApiKey::from_code(head.api_key).map_or("API", ApiKey::name);
        let outcome = async move {
            handled.await.unwrap_or_else(|error| Outcome::Close(format!("{name} {version}: {error}")))
        };
        Ok(Outcome::Sliced(Box::new(Running::new(work, outcome.in_current_span()))))
    }
}

impl Sliced {
    /// Whether it may block now, and who asks.
    fn turn(&self) -> Turn {
        Turn { may_block: !self.work.is_on_network(), ..self.turn }
    }

    /// Answers each of some items in their order.
    async fn each<T, R>(&self, items: impl IntoIterator<Item = T>, mut answer: impl FnMut(T) -> R) -> Vec<R> {
        let mut answers = Vec::new();
        for item in items {
            answers.push(answer(item));
            self.work.item().await;
        }
        answers
    }
}

/// Whether a request to a group is to be asked again where it may wait, for it has much to say.
fn is_large(head: &RequestHead, turn: Turn) -> bool {
    !turn.may_block && head.body.len() > LARGE
}

/// Decides about a group; `None` where that is to be asked again where it may wait.
fn decide<T, P: IntoIterator<Item = Effects>>(
    shared: &Shared,
    turn: Turn,
    group: &GroupId,
    event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> Result<(P, T), GroupError>,
) -> Option<Result<T, ErrorCode>> {
    if let Err(error) = shared.permit() {
        return Some(Err(error.wire()));
    }
    if turn.may_block {
        Some(shared.groups.decide(group, event))
    } else {
        shared.groups.try_decide(group, event)
    }
}

/// Bytes of a request to a group from which on it takes longer than handing it to another thread.
const LARGE: usize = 16 << 10;

/// Items in parts of at most so many; without items, one part without any.
fn parts<T>(items: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let (first, rest) = items.split_at(items.len().min(most));
    std::iter::once(first).chain(rest.chunks(most.max(1)))
}

/// What is asked for more than once is answered once, so that no small request makes a large
/// answer.
fn once<'a, T, K: Eq + Hash>(asked: &'a [T], key: impl Fn(&'a T) -> K) -> impl Iterator<Item = &'a T> {
    let mut seen = HashSet::new();
    asked.iter().filter(move |one| seen.insert(key(one)))
}

/// The request. What is left behind it is passed over, as Kafka does: librdkafka 2.16 sends three
/// bytes too many with Metadata 13.
pub(crate) fn read<R: Request>(head: &RequestHead) -> Result<R, DecodeError> {
    R::read(&mut Reader::new(head.body.clone()), head.version)
}

/// The frame of a response.
fn answer<M: Message>(response: &M, api: ApiKey, head: &RequestHead) -> Result<Outcome, HandleError> {
    let frame = encode_response(response, api, head.version, head.correlation_id)?;
    Ok(Outcome::Answer(Answer { frame, ..Answer::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_java_writes_them() {
        for (peer, want) in [
            ("127.0.0.1", "/127.0.0.1"),
            ("::ffff:10.0.0.7", "/10.0.0.7"),
            ("::1", "/0:0:0:0:0:0:0:1"),
            ("2001:db8::a", "/2001:db8:0:0:0:0:0:a"),
        ] {
            assert_eq!(&*host(peer.parse().unwrap()), want);
        }
    }
}
