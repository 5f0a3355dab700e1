//! Requests whose answers are small on one broker without access control, and some that are refused
//! item by item.

use klamm_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use klamm_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use klamm_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use klamm_protocol::messages::alter_user_scram_credentials_request::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion,
};
use klamm_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use klamm_protocol::messages::create_delegation_token_request::CreateDelegationTokenRequest;
use klamm_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use klamm_protocol::messages::describe_acls_request::DescribeAclsRequest;
use klamm_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenRequest;
use klamm_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use klamm_protocol::messages::describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData};
use klamm_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use klamm_protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use klamm_protocol::messages::expire_delegation_token_request::ExpireDelegationTokenRequest;
use klamm_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use klamm_protocol::messages::list_transactions_request::ListTransactionsRequest;
use klamm_protocol::messages::renew_delegation_token_request::RenewDelegationTokenRequest;
use klamm_protocol::messages::sasl_authenticate_request::SaslAuthenticateRequest;
use klamm_protocol::messages::sasl_handshake_request::SaslHandshakeRequest;
use klamm_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestTopic,
};
use klamm_protocol::messages::unregister_broker_request::UnregisterBrokerRequest;
use klamm_protocol::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use klamm_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest};

use super::{GoodFrame, each};

/// They change nothing. Those of topics are about `topic`.
pub(super) fn small_frames(topic: &str) -> Vec<GoodFrame> {
    [security_frames(), topic_frames(topic), cluster_frames(), transaction_frames(topic)].concat()
}

fn security_frames() -> Vec<GoodFrame> {
    let creation = AclCreation { resource_pattern_type: 3, ..Default::default() };
    let filter = DeleteAclsFilter { pattern_type_filter: 3, ..Default::default() };
    let deletions = vec![ScramCredentialDeletion { name: "nobody".into(), mechanism: 1 }];
    let own = CreateDelegationTokenRequest {
        owner_principal_type: None,
        owner_principal_name: None,
        ..Default::default()
    };
    [
        each(&SaslHandshakeRequest { mechanism: "PLAIN".into() }, 0..=1),
        each(&SaslAuthenticateRequest::default(), 0..=2),
        each(&DescribeAclsRequest { pattern_type_filter: 3, ..Default::default() }, 1..=3),
        each(&CreateAclsRequest { creations: vec![creation] }, 1..=3),
        each(&DeleteAclsRequest { filters: vec![filter] }, 1..=3),
        each(&CreateDelegationTokenRequest::default(), 1..=2),
        each(&own, 3..=3),
        each(&RenewDelegationTokenRequest::default(), 1..=2),
        each(&ExpireDelegationTokenRequest::default(), 1..=2),
        each(&DescribeDelegationTokenRequest::default(), 1..=3),
        each(&AlterUserScramCredentialsRequest { deletions, ..Default::default() }, 0..=0),
    ]
    .concat()
}

fn topic_frames(topic: &str) -> Vec<GoodFrame> {
    let topics = vec![AlterReplicaLogDirTopic { name: topic.into(), partitions: vec![0] }];
    let dirs = vec![AlterReplicaLogDir { path: "/no/such".into(), topics }];
    let partitions = vec![ReassignablePartition { partition_index: 0, replicas: Some(vec![1]) }];
    let moved = vec![ReassignableTopic { name: topic.into(), partitions }];
    let elected = Some(vec![TopicPartitions { topic: topic.into(), partitions: vec![0] }]);
    let producers = vec![TopicRequest { name: topic.into(), partition_indexes: vec![0] }];
    [
        each(&AlterReplicaLogDirsRequest { dirs }, 1..=2),
        each(&AlterPartitionReassignmentsRequest { topics: moved, ..Default::default() }, 0..=1),
        each(&ListPartitionReassignmentsRequest::default(), 0..=0),
        each(&ElectLeadersRequest { topic_partitions: elected, ..Default::default() }, 0..=2),
        each(&DescribeProducersRequest { topics: producers }, 0..=0),
    ]
    .concat()
}

fn cluster_frames() -> Vec<GoodFrame> {
    let partitions = vec![PartitionData { partition_index: 0 }];
    let topics = vec![TopicData { topic_name: "__cluster_metadata".into(), partitions }];
    let feature_updates = vec![FeatureUpdateKey {
        feature: "group.version".into(),
        max_version_level: 1,
        ..Default::default()
    }];
    [
        each(&DescribeQuorumRequest { topics }, 0..=2),
        each(&UpdateFeaturesRequest { feature_updates, ..Default::default() }, 0..=2),
        each(&UnregisterBrokerRequest { broker_id: 1 }, 0..=0),
    ]
    .concat()
}

fn transaction_frames(topic: &str) -> Vec<GoodFrame> {
    let added = vec![AddPartitionsToTxnTopic { name: topic.into(), partitions: vec![0] }];
    let committed = vec![TxnOffsetCommitRequestTopic { name: topic.into(), ..Default::default() }];
    let marker = WritableTxnMarker { producer_id: 1, ..Default::default() };
    [
        each(&ListTransactionsRequest { state_filters: vec!["Ongoing".into()], ..Default::default() }, 0..=2),
        each(&DescribeTransactionsRequest { transactional_ids: vec!["x".into()] }, 0..=0),
        each(&AddPartitionsToTxnRequest { v3_and_below_topics: added, ..Default::default() }, 0..=3),
        each(&TxnOffsetCommitRequest { topics: committed, ..Default::default() }, 0..=5),
        each(&WriteTxnMarkersRequest { markers: vec![marker] }, 1..=2),
    ]
    .concat()
}
