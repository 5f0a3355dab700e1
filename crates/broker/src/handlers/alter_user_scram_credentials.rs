//! AlterUserScramCredentials (KIP-554). This broker has no authentication, and stores no
//! credentials that it would not check.

use klamm_protocol::messages::alter_user_scram_credentials_request::AlterUserScramCredentialsRequest;
use klamm_protocol::messages::alter_user_scram_credentials_response::{
    AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Refusal, answer, message, once, read};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<AlterUserScramCredentialsRequest>(head)?;
    let deletions = request.deletions.iter().map(|deletion| (deletion.name.clone(), no_such_user()));
    let upsertions = request.upsertions.iter().map(|upsertion| {
        let refusal = if upsertion.name.is_empty() { no_name() } else { no_authentication() };
        (upsertion.name.clone(), refusal)
    });
    let refused: Vec<_> = deletions.chain(upsertions).collect();
    let results = once(&refused, |(user, _)| user).map(|(user, refusal)| result(shared, user, refusal));
    let response = AlterUserScramCredentialsResponse { results: results.collect(), ..Default::default() };
    answer(&response, ApiKey::AlterUserScramCredentials, head)
}

fn result(shared: &Shared, user: &ByteString, refusal: &Refusal) -> AlterUserScramCredentialsResult {
    AlterUserScramCredentialsResult {
        user: user.clone(),
        error_code: shared.refusal(refusal.error).code(),
        error_message: Some(message(&refusal.words)),
    }
}

fn no_such_user() -> Refusal {
    Refusal::new(ErrorCode::ResourceNotFound, "Attempt to delete a user credential that does not exist")
}

fn no_name() -> Refusal {
    Refusal::new(ErrorCode::UnacceptableCredential, "Username must not be empty")
}

fn no_authentication() -> Refusal {
    Refusal::new(ErrorCode::SecurityDisabled, "this broker has no authentication, and stores no credentials")
}
