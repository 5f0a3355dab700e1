//! The brokers of the cluster: this one (KIP-700).

use klamm_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use klamm_protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::operations::{OF_THE_CLUSTER, if_asked};
use super::{HandleError, Outcome, answer};
use crate::shared::Shared;

/// The endpoints of brokers.
const BROKERS: i8 = 1;
/// Those of controllers, which have other listeners; this broker has none of them.
const CONTROLLERS: i8 = 2;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<DescribeClusterRequest>(head)?;
    let refused = |error: ErrorCode, words| DescribeClusterResponse {
        error_code: error.code(),
        error_message: Some(super::message(words)),
        ..DescribeClusterResponse::default()
    };
    let response = match request.endpoint_type {
        BROKERS => described(shared, &request),
        CONTROLLERS => refused(
            ErrorCode::MismatchedEndpointType,
            "this listener is one of a broker, not of a controller",
        ),
        _ => {
            refused(ErrorCode::UnsupportedEndpointType, "an endpoint is of type 1, broker, or 2, controller")
        }
    };
    answer(&response, ApiKey::DescribeCluster, head)
}

fn described(shared: &Shared, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let config = shared.config();
    let broker = DescribeClusterBroker {
        broker_id: config.node_id,
        host: shared.advertised.host.as_str().into(),
        port: shared.advertised.port.into(),
        rack: config.rack.as_deref().map(Into::into),
        ..DescribeClusterBroker::default()
    };
    DescribeClusterResponse {
        error_code: shared.permit_code(),
        cluster_id: shared.metadata.identity.cluster_id.as_str().into(),
        controller_id: config.node_id,
        brokers: vec![broker],
        endpoint_type: BROKERS,
        cluster_authorized_operations: if_asked(
            request.include_cluster_authorized_operations,
            OF_THE_CLUSTER,
        ),
        ..DescribeClusterResponse::default()
    }
}
