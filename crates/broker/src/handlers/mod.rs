//! One handler a file, named by its API; which versions are served stands in one table.

mod api_versions;
mod create_topics;
mod delete_topics;
mod fetch;
mod find_coordinator;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use klamm_log::Slice;
use klamm_protocol::{ApiKey, DecodeError, EncodeError, Message, Pieces, RequestHead, encode_response};
use klamm_types::TopicPartition;
use thiserror::Error;

use crate::shared::Shared;

pub(crate) use fetch::Round;

/// The versions that are served of each API.
const SERVED: &[(ApiKey, RangeInclusive<i16>)] = &[
    (ApiKey::Produce, 3..=13),
    (ApiKey::Fetch, 4..=18),
    (ApiKey::ListOffsets, 1..=11),
    (ApiKey::Metadata, 0..=13),
    (ApiKey::FindCoordinator, 0..=0),
    (ApiKey::ApiVersions, 0..=4),
    (ApiKey::CreateTopics, 2..=7),
    (ApiKey::DeleteTopics, 1..=6),
    (ApiKey::InitProducerId, 0..=5),
];

/// What is to be done after a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Send this.
    Answer(Answer),
    /// Send nothing: a produce with acks=0.
    Silence,
    /// The other side has closed: nobody waits for an answer.
    Gone,
    /// Close the connection: the request was wrong in a way that cannot be answered, or asked not to be.
    Close(String),
    /// Ask again when one of the partitions has grown, or at the deadline, which answers in any case.
    Wait(Delayed),
}

/// A frame on its way out, and the files its regions lie in, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) frame: Pieces,
    pub(crate) slices: HashMap<u64, Slice>,
}

/// A fetch that waits for more.
#[derive(Debug)]
pub(crate) struct Delayed {
    pub(crate) partitions: Vec<TopicPartition>,
    pub(crate) max_wait: std::time::Duration,
}

/// Why a request has no answer.
#[derive(Debug, Error)]
pub(crate) enum HandleError {
    #[error("request cannot be read: {0}")]
    Decode(#[from] DecodeError),
    #[error("answer cannot be written: {0}")]
    Encode(#[from] EncodeError),
}

/// Answers a request. `round` says whether a fetch may still wait.
pub(crate) fn handle(shared: &Shared, head: &RequestHead, round: Round) -> Outcome {
    let served = ApiKey::from_code(head.api_key).and_then(|api| Some((api, versions_of(api)?)));
    let Some((api, versions)) = served else {
        return Outcome::Close(format!("API {} is not served", head.api_key));
    };
    if !versions.contains(&head.version) {
        return unsupported(api, head);
    }
    let handled = match api {
        ApiKey::Produce => produce::handle(shared, head),
        ApiKey::Fetch => fetch::handle(shared, head, round),
        ApiKey::ListOffsets => list_offsets::handle(shared, head),
        ApiKey::Metadata => metadata::handle(shared, head),
        ApiKey::FindCoordinator => find_coordinator::handle(head),
        ApiKey::CreateTopics => create_topics::handle(shared, head),
        ApiKey::DeleteTopics => delete_topics::handle(shared, head),
        ApiKey::InitProducerId => init_producer_id::handle(shared, head),
        _ => api_versions::handle(head),
    };
    handled.unwrap_or_else(|error| Outcome::Close(format!("{} {}: {error}", api.name(), head.version)))
}

fn versions_of(api: ApiKey) -> Option<RangeInclusive<i16>> {
    SERVED.iter().find(|(served, _)| *served == api).map(|(_, versions)| versions.clone())
}

/// A client that is newer than we are asks for versions in one that we do not know: it gets error 35 in version 0, which
/// everyone can read, and asks again. Any other request of a version that is not served ends the connection.
fn unsupported(api: ApiKey, head: &RequestHead) -> Outcome {
    if api != ApiKey::ApiVersions {
        return Outcome::Close(format!("{} {} is not served", api.name(), head.version));
    }
    api_versions::refuse(head).unwrap_or_else(|error| Outcome::Close(error.to_string()))
}

/// Words for people in a response: a text on the wire has at most 32,767 bytes.
fn message(text: &str) -> klamm_protocol::ByteString {
    let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= 1000).last().unwrap_or(0);
    if text.len() <= 1000 { text.into() } else { text[..cut].into() }
}

/// The frame of a response.
fn answer<M: Message>(response: &M, api: ApiKey, head: &RequestHead) -> Result<Outcome, HandleError> {
    let frame = encode_response(response, api, head.version, head.correlation_id)?;
    Ok(Outcome::Answer(Answer { frame, slices: HashMap::new() }))
}
