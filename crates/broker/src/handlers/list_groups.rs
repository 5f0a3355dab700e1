//! The groups there are.

use std::collections::BTreeSet;

use klamm_coordinator::{GroupListing, ProtocolName};
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};

use super::{HandleError, Outcome, Sliced, answer, response_size};
use crate::error_code::WireError;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<ListGroupsRequest>(head)?;
    let states = names_of(&call, &request.states_filter).await;
    let types = names_of(&call, &request.types_filter).await;
    call.work.reserve(shared.groups.sum(|group| response_size::listed_group(&group.group))).await;
    let all = shared.permit().map_err(|error| error.wire()).and_then(|()| shared.groups.list());
    let (groups, error) = match all {
        Ok(all) => (all, ErrorCode::None),
        Err(error) => (Vec::new(), error),
    };
    let is_named = |filter: &BTreeSet<String>, name: &str| {
        filter.is_empty() || filter.contains(&name.to_ascii_lowercase())
    };
    let list = |group: &GroupListing| {
        let is_asked_for = is_named(&states, group.state.name()) && is_named(&types, group.kind.name());
        is_asked_for.then(|| listed(group))
    };
    let groups = call.each(&groups, list).await.into_iter().flatten().collect();
    answer(
        &ListGroupsResponse { groups, error_code: error.code(), ..Default::default() },
        ApiKey::ListGroups,
        head,
    )
}

/// The names of a filter. A filter with many is searched for each group.
async fn names_of(call: &Sliced, filter: &[ByteString]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in filter {
        call.work.item().await;
        names.insert(name.to_ascii_lowercase());
    }
    names
}

fn listed(group: &GroupListing) -> ListedGroup {
    ListedGroup {
        group_id: group.group.as_str().into(),
        protocol_type: group.protocol_type.as_ref().map_or("", ProtocolName::as_str).into(),
        group_state: group.state.name().into(),
        group_type: group.kind.name().into(),
    }
}
