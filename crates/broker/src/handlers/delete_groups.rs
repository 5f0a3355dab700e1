//! Groups without members are taken away, with their offsets (KIP-229).

use klamm_coordinator::GroupId;
use klamm_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use klamm_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};

use super::{HandleError, Outcome, Sliced, answer, once};
use crate::error_code::WireError;
use crate::groups::PORTION;
use crate::shared::Shared;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<DeleteGroupsRequest>(head)?;
    let result = |name: &ByteString| {
        let deleted = shared.permit().map_err(|error| error.wire()).and_then(|()| delete(shared, name));
        let error_code = deleted.err().unwrap_or(ErrorCode::None).code();
        DeletableGroupResult { group_id: name.clone(), error_code, ..DeletableGroupResult::default() }
    };
    let results = call.each(once(&request.groups_names, |name| name), result).await;
    answer(&DeleteGroupsResponse { results, ..Default::default() }, ApiKey::DeleteGroups, head)
}

fn delete(shared: &Shared, name: &str) -> Result<(), ErrorCode> {
    let group = GroupId::new(name);
    shared.groups.decide(&group, |groups, _| Ok((groups.delete_group(&group)?.in_portions(PORTION), ())))
}
