//! A member joins a group, and waits for the others.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_coordinator::{
    Answer, GroupId, InstanceId, JoinGroup, Joined, JoinedMember, MemberId, NotJoined, ProtocolName,
};
use klamm_protocol::messages::join_group_request::JoinGroupRequest;
use klamm_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Later, Outcome, Turn, answer, host};
use crate::error_code::WireError;
use crate::shared::Shared;

/// From this version on there are two timeouts (KIP-62).
const TWO_TIMEOUTS: i16 = 1;
/// From this version on a member without an id comes twice (KIP-394).
const ASKS_TWICE: i16 = 4;
/// From this version on an answer may lack a protocol.
const NULL_PROTOCOL: i16 = 7;
/// From this version on a leader can be told to leave the assignment as it is (KIP-814).
const CAN_SKIP: i16 = 9;

pub(super) fn handle(shared: &Arc<Shared>, head: &RequestHead, turn: Turn) -> Result<Outcome, HandleError> {
    let request = super::read::<JoinGroupRequest>(head)?;
    let group = GroupId::new(&request.group_id);
    let begun = shared.permit().map_err(|error| error.wire()).and_then(|()| {
        let join = join(&request, head, turn.peer)?;
        shared.groups.wait(&group, |groups, waiter, present| groups.join(&join, waiter, present))
    });
    // The response may come much later: it keeps nothing of the frame.
    let (head, peer) = (head.without_body(), turn.peer);
    match begun {
        Ok(told) => {
            let respond = Box::new(move |told| {
                note(&told, &group, &head, peer);
                answer(&told_of(told, head.version), ApiKey::JoinGroup, &head)
            });
            Ok(Outcome::Later(Later { told, respond }))
        }
        // As in Kafka, only a group that looked at the member repeats its id.
        Err(error) => answer(&refused(error, "", head.version), ApiKey::JoinGroup, &head),
    }
}

fn join(request: &JoinGroupRequest, head: &RequestHead, peer: IpAddr) -> Result<JoinGroup, ErrorCode> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| ErrorCode::UnknownServerError)?;
    let millis = |millis: i32| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let rebalance =
        if head.version >= TWO_TIMEOUTS { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let protocols = request.protocols.iter();
    Ok(JoinGroup {
        group: GroupId::new(&request.group_id),
        member: Some(&*request.member_id).filter(|id| !id.is_empty()).map(MemberId::new),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        client_id: Arc::from(head.client_id.as_deref().unwrap_or("")),
        client_host: host(peer),
        session_timeout: millis(request.session_timeout_ms),
        rebalance_timeout: millis(rebalance),
        protocol_type: ProtocolName::new(&request.protocol_type),
        // Bytes of their own: a request's frame would stay as long as one of them.
        protocols: protocols
            .map(|p| (ProtocolName::new(&p.name), Bytes::copy_from_slice(&p.metadata)))
            .collect(),
        asks_twice: head.version >= ASKS_TWICE,
        can_skip: head.version >= CAN_SKIP,
        random: u128::from_be_bytes(random),
    })
}

/// Who is not let in can be found in the log.
fn note(told: &Answer, group: &GroupId, head: &RequestHead, peer: IpAddr) {
    if let Answer::Join(Err(NotJoined { error, member })) = told {
        let client = head.client_id.as_deref().unwrap_or_default();
        tracing::debug!(group = group.as_str(), client, %peer, ?member, %error, "a member was refused");
    }
}

fn told_of(told: Answer, version: i16) -> JoinGroupResponse {
    match told {
        Answer::Join(Ok(joined)) => accepted(&joined, version),
        Answer::Join(Err(NotJoined { error, member })) => {
            refused(error.wire(), member.as_ref().map_or("", MemberId::as_str), version)
        }
        Answer::Sync(_) => refused(ErrorCode::UnknownServerError, "", version),
    }
}

fn accepted(joined: &Joined, version: i16) -> JoinGroupResponse {
    let member = |member: &JoinedMember| JoinGroupResponseMember {
        member_id: member.id.as_str().into(),
        group_instance_id: member.instance.as_ref().map(|id| id.as_str().into()),
        metadata: member.metadata.clone(),
    };
    let protocol = joined.protocol.as_ref().map(|name| name.as_str().into());
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type.as_ref().map(|name| name.as_str().into()),
        protocol_name: if version >= NULL_PROTOCOL { protocol } else { Some(protocol.unwrap_or_default()) },
        leader: joined.leader.as_ref().map_or("", MemberId::as_str).into(),
        skip_assignment: joined.skips_assignment,
        member_id: joined.member.as_str().into(),
        members: joined.members.iter().map(member).collect(),
        ..JoinGroupResponse::default()
    }
}

fn refused(error: ErrorCode, member: &str, version: i16) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code(),
        generation_id: -1,
        protocol_name: (version < NULL_PROTOCOL).then(Default::default),
        member_id: member.into(),
        ..JoinGroupResponse::default()
    }
}
