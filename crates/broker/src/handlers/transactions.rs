//! ListTransactions and DescribeTransactions (KIP-664). This broker has no transactions: it lists
//! none, and knows no transactional id.

use klamm_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use klamm_protocol::messages::describe_transactions_response::{
    DescribeTransactionsResponse, TransactionState,
};
use klamm_protocol::messages::list_transactions_request::ListTransactionsRequest;
use klamm_protocol::messages::list_transactions_response::ListTransactionsResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer, once, read};
use crate::shared::Shared;

/// Kafka's names of the states of a transaction. Others in a filter are named in the response.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "PrepareEpochFence",
    "Dead",
];

pub(super) fn list(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<ListTransactionsRequest>(head)?;
    let unknown = request.state_filters.iter().filter(|state| !STATES.contains(&&***state));
    let response = ListTransactionsResponse {
        error_code: shared.permit_code(),
        unknown_state_filters: unknown.cloned().collect(),
        ..Default::default()
    };
    answer(&response, ApiKey::ListTransactions, head)
}

pub(super) fn describe(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<DescribeTransactionsRequest>(head)?;
    let error_code = shared.refusal(ErrorCode::TransactionalIdNotFound).code();
    let states = once(&request.transactional_ids, |id| id).map(|id| TransactionState {
        error_code,
        transactional_id: id.clone(),
        ..Default::default()
    });
    let response =
        DescribeTransactionsResponse { transaction_states: states.collect(), ..Default::default() };
    answer(&response, ApiKey::DescribeTransactions, head)
}
