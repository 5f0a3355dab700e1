//! The groups there are.

use klamm_coordinator::{GroupListing, ProtocolName};
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<ListGroupsRequest>(head)?;
    let all = shared.permit().map_err(|error| error.wire()).and_then(|()| shared.groups.list());
    let (groups, error) = match all {
        Ok(all) => (all, ErrorCode::None),
        Err(error) => (Vec::new(), error),
    };
    let is_named = |filter: &[ByteString], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let is_asked_for = |group: &&GroupListing| {
        is_named(&request.states_filter, group.state.name())
            && is_named(&request.types_filter, group.kind.name())
    };
    let groups = groups.iter().filter(is_asked_for).map(listed).collect();
    answer(
        &ListGroupsResponse { groups, error_code: error.code(), ..Default::default() },
        ApiKey::ListGroups,
        head,
    )
}

fn listed(group: &GroupListing) -> ListedGroup {
    ListedGroup {
        group_id: group.group.as_str().into(),
        protocol_type: group.protocol_type.as_ref().map_or("", ProtocolName::as_str).into(),
        group_state: group.state.name().into(),
        group_type: group.kind.name().into(),
    }
}
