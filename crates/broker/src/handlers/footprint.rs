//! The memory that a request takes while it is answered, known before anything is decoded: a first
//! pass over the bytes counts what the decoded collections take, and a factor for each API says how
//! much the handler and the response add. `tests/expansion.rs` measures the factors.

use bytes::Bytes;
use klamm_protocol::codec::Measured;
use klamm_protocol::messages as m;
use klamm_protocol::{ApiKey, DecodeError, Message, RequestHead};

/// The memory that the requests of one API take.
struct Weight {
    api: ApiKey,
    measure: fn(Bytes, i16) -> Result<Measured, DecodeError>,
    /// Bytes for each byte of the elements of collections.
    elements: usize,
    /// Bytes for each byte of texts and byte strings: copies of them.
    texts: usize,
}

/// Bytes of memory for decoding and answering a request, beside its frame; 0 for one so small that
/// a connection's own allowance covers it. An API whose requests are not decoded takes its client
/// id alone.
pub(crate) fn footprint(head: &RequestHead) -> Result<usize, DecodeError> {
    // A client id that is not UTF-8 is a copy.
    let client = head.client_id.as_ref().map_or(0, |id| id.len());
    let bytes = of_body(head)?.saturating_add(client);
    Ok(if bytes <= SMALL { 0 } else { bytes })
}

fn of_body(head: &RequestHead) -> Result<usize, DecodeError> {
    let api = ApiKey::from_code(head.api_key).filter(|api| api.versions().contains(&head.version));
    if head.body.len() <= SMALL_BODY || api.is_none() {
        return Ok(0);
    }
    let Some(weight) = WEIGHTS.iter().find(|weight| weight.api.code() == head.api_key) else { return Ok(0) };
    let Measured { elements, texts, replaced } = (weight.measure)(head.body.clone(), head.version)?;
    let copied = texts.saturating_mul(weight.texts).saturating_add(replaced);
    Ok(elements.saturating_mul(weight.elements).saturating_add(copied))
}

/// Bodies that take at most [`SMALL`], whatever they say.
const SMALL_BODY: usize = 128;
/// Bytes that a connection has of its own for a request and its response.
const SMALL: usize = 16 << 10;

macro_rules! weights {
    ($($api:ident: $module:ident::$request:ident, $elements:literal, $texts:literal;)*) => {
        const WEIGHTS: &[Weight] = &[$(Weight {
            api: ApiKey::$api,
            measure: m::$module::$request::measure,
            elements: $elements,
            texts: $texts,
        }),*];
    };
}

weights! {
    Produce: produce_request::ProduceRequest, 8, 1;
    Fetch: fetch_request::FetchRequest, 12, 6;
    ListOffsets: list_offsets_request::ListOffsetsRequest, 16, 6;
    Metadata: metadata_request::MetadataRequest, 8, 6;
    OffsetCommit: offset_commit_request::OffsetCommitRequest, 6, 6;
    OffsetFetch: offset_fetch_request::OffsetFetchRequest, 10, 8;
    FindCoordinator: find_coordinator_request::FindCoordinatorRequest, 12, 6;
    JoinGroup: join_group_request::JoinGroupRequest, 4, 4;
    Heartbeat: heartbeat_request::HeartbeatRequest, 4, 4;
    LeaveGroup: leave_group_request::LeaveGroupRequest, 4, 6;
    SyncGroup: sync_group_request::SyncGroupRequest, 4, 6;
    DescribeGroups: describe_groups_request::DescribeGroupsRequest, 16, 6;
    ListGroups: list_groups_request::ListGroupsRequest, 8, 4;
    ApiVersions: api_versions_request::ApiVersionsRequest, 4, 2;
    CreateTopics: create_topics_request::CreateTopicsRequest, 144, 8;
    DeleteTopics: delete_topics_request::DeleteTopicsRequest, 14, 6;
    DeleteRecords: delete_records_request::DeleteRecordsRequest, 6, 6;
    InitProducerId: init_producer_id_request::InitProducerIdRequest, 4, 4;
    OffsetForLeaderEpoch: offset_for_leader_epoch_request::OffsetForLeaderEpochRequest, 10, 6;
    DescribeConfigs: describe_configs_request::DescribeConfigsRequest, 72, 6;
    AlterConfigs: alter_configs_request::AlterConfigsRequest, 8, 8;
    DescribeLogDirs: describe_log_dirs_request::DescribeLogDirsRequest, 8, 4;
    DeleteGroups: delete_groups_request::DeleteGroupsRequest, 8, 6;
    OffsetDelete: offset_delete_request::OffsetDeleteRequest, 8, 6;
    CreatePartitions: create_partitions_request::CreatePartitionsRequest, 8, 6;
    IncrementalAlterConfigs: incremental_alter_configs_request::IncrementalAlterConfigsRequest, 8, 8;
    DescribeClientQuotas: describe_client_quotas_request::DescribeClientQuotasRequest, 8, 14;
    AlterClientQuotas: alter_client_quotas_request::AlterClientQuotasRequest, 4, 8;
    DescribeUserScramCredentials:
        describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest, 12, 4;
    DescribeCluster: describe_cluster_request::DescribeClusterRequest, 4, 2;
    ConsumerGroupHeartbeat: consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest, 4, 6;
    ConsumerGroupDescribe: consumer_group_describe_request::ConsumerGroupDescribeRequest, 24, 4;
    ListConfigResources: list_config_resources_request::ListConfigResourcesRequest, 8, 2;
    DescribeTopicPartitions: describe_topic_partitions_request::DescribeTopicPartitionsRequest, 8, 6;
    SaslHandshake: sasl_handshake_request::SaslHandshakeRequest, 4, 4;
    DescribeAcls: describe_acls_request::DescribeAclsRequest, 24, 8;
    CreateAcls: create_acls_request::CreateAclsRequest, 24, 8;
    DeleteAcls: delete_acls_request::DeleteAclsRequest, 24, 8;
    AlterReplicaLogDirs: alter_replica_log_dirs_request::AlterReplicaLogDirsRequest, 24, 8;
    SaslAuthenticate: sasl_authenticate_request::SaslAuthenticateRequest, 4, 4;
    CreateDelegationToken: create_delegation_token_request::CreateDelegationTokenRequest, 24, 8;
    RenewDelegationToken: renew_delegation_token_request::RenewDelegationTokenRequest, 4, 4;
    ExpireDelegationToken: expire_delegation_token_request::ExpireDelegationTokenRequest, 4, 4;
    DescribeDelegationToken: describe_delegation_token_request::DescribeDelegationTokenRequest, 24, 8;
    ElectLeaders: elect_leaders_request::ElectLeadersRequest, 64, 8;
    AlterPartitionReassignments:
        alter_partition_reassignments_request::AlterPartitionReassignmentsRequest, 24, 8;
    ListPartitionReassignments:
        list_partition_reassignments_request::ListPartitionReassignmentsRequest, 24, 8;
    AlterUserScramCredentials:
        alter_user_scram_credentials_request::AlterUserScramCredentialsRequest, 24, 8;
    DescribeQuorum: describe_quorum_request::DescribeQuorumRequest, 24, 8;
    UpdateFeatures: update_features_request::UpdateFeaturesRequest, 24, 8;
    DescribeProducers: describe_producers_request::DescribeProducersRequest, 64, 8;
    UnregisterBroker: unregister_broker_request::UnregisterBrokerRequest, 4, 4;
    DescribeTransactions: describe_transactions_request::DescribeTransactionsRequest, 24, 8;
    ListTransactions: list_transactions_request::ListTransactionsRequest, 24, 8;
    AddPartitionsToTxn: add_partitions_to_txn_request::AddPartitionsToTxnRequest, 16, 8;
    WriteTxnMarkers: write_txn_markers_request::WriteTxnMarkersRequest, 16, 8;
    TxnOffsetCommit: txn_offset_commit_request::TxnOffsetCommitRequest, 16, 8;
    ShareGroupDescribe: share_group_describe_request::ShareGroupDescribeRequest, 24, 8;
    StreamsGroupDescribe: streams_group_describe_request::StreamsGroupDescribeRequest, 24, 8;
    DescribeShareGroupOffsets:
        describe_share_group_offsets_request::DescribeShareGroupOffsetsRequest, 24, 8;
    InitializeShareGroupState:
        initialize_share_group_state_request::InitializeShareGroupStateRequest, 24, 8;
    ReadShareGroupState: read_share_group_state_request::ReadShareGroupStateRequest, 24, 8;
    WriteShareGroupState: write_share_group_state_request::WriteShareGroupStateRequest, 24, 8;
    DeleteShareGroupState: delete_share_group_state_request::DeleteShareGroupStateRequest, 24, 8;
    ReadShareGroupStateSummary:
        read_share_group_state_summary_request::ReadShareGroupStateSummaryRequest, 24, 8;
}

#[cfg(test)]
mod tests {
    use super::super::SERVED;
    use super::*;

    #[test]
    fn every_served_api_has_a_weight() {
        for (api, ..) in SERVED {
            assert!(WEIGHTS.iter().any(|weight| weight.api == *api), "{api:?}");
        }
    }
}
