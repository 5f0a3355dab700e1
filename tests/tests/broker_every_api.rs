//! Every API that a Kafka broker has gets an answer, in every version, and the connection stays
//! usable.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use klamm_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use klamm_protocol::messages::add_raft_voter_request::AddRaftVoterRequest;
use klamm_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use klamm_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use klamm_protocol::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequest;
use klamm_protocol::messages::alter_user_scram_credentials_request::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use klamm_protocol::messages::create_delegation_token_request::CreateDelegationTokenRequest;
use klamm_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use klamm_protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequest;
use klamm_protocol::messages::delete_share_group_state_request as delete_state;
use klamm_protocol::messages::describe_acls_request::DescribeAclsRequest;
use klamm_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenRequest;
use klamm_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use klamm_protocol::messages::describe_quorum_request::{self, DescribeQuorumRequest};
use klamm_protocol::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequestGroup,
};
use klamm_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use klamm_protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use klamm_protocol::messages::end_txn_request::EndTxnRequest;
use klamm_protocol::messages::expire_delegation_token_request::ExpireDelegationTokenRequest;
use klamm_protocol::messages::get_telemetry_subscriptions_request::GetTelemetrySubscriptionsRequest;
use klamm_protocol::messages::initialize_share_group_state_request as initialize_state;
use klamm_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use klamm_protocol::messages::list_transactions_request::ListTransactionsRequest;
use klamm_protocol::messages::push_telemetry_request::PushTelemetryRequest;
use klamm_protocol::messages::read_share_group_state_request as read_state;
use klamm_protocol::messages::read_share_group_state_summary_request as state_summary;
use klamm_protocol::messages::remove_raft_voter_request::RemoveRaftVoterRequest;
use klamm_protocol::messages::renew_delegation_token_request::RenewDelegationTokenRequest;
use klamm_protocol::messages::sasl_authenticate_request::SaslAuthenticateRequest;
use klamm_protocol::messages::sasl_handshake_request::SaslHandshakeRequest;
use klamm_protocol::messages::share_acknowledge_request::ShareAcknowledgeRequest;
use klamm_protocol::messages::share_fetch_request::ShareFetchRequest;
use klamm_protocol::messages::share_group_describe_request::ShareGroupDescribeRequest;
use klamm_protocol::messages::share_group_heartbeat_request::ShareGroupHeartbeatRequest;
use klamm_protocol::messages::streams_group_describe_request::StreamsGroupDescribeRequest;
use klamm_protocol::messages::streams_group_heartbeat_request::StreamsGroupHeartbeatRequest;
use klamm_protocol::messages::streams_group_topology_description_update_request::StreamsGroupTopologyDescriptionUpdateRequest;
use klamm_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use klamm_protocol::messages::unregister_broker_request::UnregisterBrokerRequest;
use klamm_protocol::messages::update_features_request::UpdateFeaturesRequest;
use klamm_protocol::messages::write_share_group_state_request as write_state;
use klamm_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use klamm_protocol::{ApiKey, Request};
use klamm_tests::client::Client;
use klamm_tests::requests::topic;

const UNSUPPORTED: i16 = 35;

/// The APIs of controllers. A Kafka broker closes the connection on them, and so does this one.
const OF_CONTROLLERS: [ApiKey; 13] = [
    ApiKey::Vote,
    ApiKey::BeginQuorumEpoch,
    ApiKey::EndQuorumEpoch,
    ApiKey::AlterPartition,
    ApiKey::Envelope,
    ApiKey::FetchSnapshot,
    ApiKey::BrokerRegistration,
    ApiKey::BrokerHeartbeat,
    ApiKey::AllocateProducerIds,
    ApiKey::ControllerRegistration,
    ApiKey::AssignReplicasToDirs,
    ApiKey::UpdateRaftVoter,
    ApiKey::UnregisterController,
];

/// Versions that no release of Kafka up to 4.3 serves. Kafka and this broker close the connection
/// on them.
const LATER: [(ApiKey, i16); 2] = [(ApiKey::InitProducerId, 6), (ApiKey::DeleteGroups, 3)];

/// The APIs that are refused item by item, each of them in a test of its own.
const OF_ITEMS: [ApiKey; 11] = [
    ApiKey::AddPartitionsToTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::ShareGroupDescribe,
    ApiKey::StreamsGroupDescribe,
    ApiKey::DescribeShareGroupOffsets,
    ApiKey::InitializeShareGroupState,
    ApiKey::ReadShareGroupState,
    ApiKey::WriteShareGroupState,
    ApiKey::DeleteShareGroupState,
    ApiKey::ReadShareGroupStateSummary,
];

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

/// Sends the request in each version, and gives each response to `code`, which must find the same
/// code.
fn each<R: Request>(client: &mut Client, request: &R, want: i16, code: impl Fn(&R::Response) -> i16) {
    for version in R::KEY.versions() {
        let response = client.call(request, version);
        assert_eq!(code(&response), want, "{} {version}", R::KEY.name());
    }
}

/// Checks that the connection is still answered.
fn is_usable(client: &mut Client) {
    assert_eq!(client.call(&ApiVersionsRequest::default(), 0).error_code, 0);
}

macro_rules! refused {
    ($client:expr, $($request:ty),*) => {
        $(each($client, &<$request>::default(), UNSUPPORTED, |response| response.error_code);)*
    };
}

#[test]
fn what_this_broker_lacks_is_refused_in_every_version_and_the_connection_stays() {
    let (_broker, mut client) = start();
    refused!(
        &mut client,
        AddOffsetsToTxnRequest,
        EndTxnRequest,
        GetTelemetrySubscriptionsRequest,
        PushTelemetryRequest,
        ShareGroupHeartbeatRequest,
        ShareFetchRequest,
        ShareAcknowledgeRequest,
        AlterShareGroupOffsetsRequest,
        DeleteShareGroupOffsetsRequest,
        StreamsGroupHeartbeatRequest,
        StreamsGroupTopologyDescriptionUpdateRequest,
        AddRaftVoterRequest,
        RemoveRaftVoterRequest
    );
    is_usable(&mut client);
}

#[test]
fn transactions_are_refused_partition_by_partition() {
    let (_broker, mut client) = start();
    let topics = vec![AddPartitionsToTxnTopic { name: "t".into(), partitions: vec![3] }];
    for version in 0..=3 {
        let request = AddPartitionsToTxnRequest { v3_and_below_topics: topics.clone(), ..Default::default() };
        let told = client.call(&request, version).results_by_topic_v3_and_below;
        let partition = &told[0].results_by_partition[0];
        assert_eq!((partition.partition_index, partition.partition_error_code), (3, UNSUPPORTED));
    }
    for version in 4..=5 {
        let request = AddPartitionsToTxnRequest::default();
        assert_eq!(client.call(&request, version).error_code, UNSUPPORTED);
    }
    let topics = vec![WritableTxnMarkerTopic { name: "t".into(), partition_indexes: vec![3] }];
    let markers = vec![WritableTxnMarker { producer_id: 7, topics, ..Default::default() }];
    each(&mut client, &WriteTxnMarkersRequest { markers }, UNSUPPORTED, |told| {
        assert_eq!(told.markers[0].producer_id, 7);
        told.markers[0].topics[0].partitions[0].error_code
    });
    for version in ApiKey::TxnOffsetCommit.versions() {
        let partitions = vec![TxnOffsetCommitRequestPartition { partition_index: 3, ..Default::default() }];
        let name = if version < 6 { "t" } else { "" };
        let topics =
            vec![TxnOffsetCommitRequestTopic { name: name.into(), partitions, ..Default::default() }];
        let request = TxnOffsetCommitRequest { topics, ..Default::default() };
        let told = client.call(&request, version).topics;
        assert_eq!(
            (told[0].partitions[0].partition_index, told[0].partitions[0].error_code),
            (3, UNSUPPORTED)
        );
    }
    is_usable(&mut client);
}

macro_rules! state_refused {
    ($client:expr, $module:ident :: $request:ident, $data:ident) => {{
        // Some of the partitions have further fields, others have none.
        #[allow(clippy::needless_update)]
        let partitions = vec![$module::PartitionData { partition: 3, ..Default::default() }];
        let topics = vec![$module::$data { partitions, ..Default::default() }];
        let request = $module::$request { group_id: "g".into(), topics };
        each($client, &request, UNSUPPORTED, |told| {
            assert_eq!(told.results[0].partitions[0].partition, 3);
            told.results[0].partitions[0].error_code
        });
    }};
}

#[test]
fn share_and_streams_groups_are_refused_one_by_one() {
    let (_broker, mut client) = start();
    let client = &mut client;
    let group_ids = vec!["g".into()];
    let request = ShareGroupDescribeRequest { group_ids: group_ids.clone(), ..Default::default() };
    each(client, &request, UNSUPPORTED, |told| told.groups[0].error_code);
    let request = StreamsGroupDescribeRequest { group_ids, ..Default::default() };
    each(client, &request, UNSUPPORTED, |told| told.groups[0].error_code);
    let group = DescribeShareGroupOffsetsRequestGroup { group_id: "g".into(), ..Default::default() };
    let request = DescribeShareGroupOffsetsRequest { groups: vec![group] };
    each(client, &request, UNSUPPORTED, |told| told.groups[0].error_code);
    state_refused!(client, initialize_state::InitializeShareGroupStateRequest, InitializeStateData);
    state_refused!(client, read_state::ReadShareGroupStateRequest, ReadStateData);
    state_refused!(client, write_state::WriteShareGroupStateRequest, WriteStateData);
    state_refused!(client, delete_state::DeleteShareGroupStateRequest, DeleteStateData);
    state_refused!(client, state_summary::ReadShareGroupStateSummaryRequest, ReadStateSummaryData);
    is_usable(client);
}

/// Each API of the protocol is served, refused with an answer, or one of a controller.
#[test]
fn every_api_of_the_protocol_is_served_refused_or_a_controllers() {
    let (broker, mut client) = start();
    let served = client.call(&ApiVersionsRequest::default(), 0).api_keys;
    for api in ApiKey::ALL {
        let row = served.iter().find(|row| row.api_key == api.code());
        let later = |version| row.is_none_or(|row| version > row.max_version);
        for version in api.versions().filter(|version| later(*version) && !OF_ITEMS.contains(&api)) {
            let mut other = Client::connect(&broker);
            other.raw(&empty(api, version));
            let closes = OF_CONTROLLERS.contains(&api) || LATER.contains(&(api, version));
            assert_eq!(other.frame().is_err(), closes, "{} {version}", api.name());
        }
    }
}

/// A frame whose body is zeros: what is refused as a whole is not read.
fn empty(api: ApiKey, version: i16) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 42];
    frame.extend(api.code().to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend([0, 0, 0, 9, 0xff, 0xff]);
    frame.resize(46, 0);
    frame
}

#[test]
fn a_broker_without_an_authorizer_says_so() {
    let (_broker, mut client) = start();
    each(&mut client, &DescribeAclsRequest { pattern_type_filter: 3, ..Default::default() }, 54, |told| {
        assert_eq!(told.error_message.as_deref(), Some("No Authorizer is configured on the broker"));
        told.error_code
    });
    let creations = vec![AclCreation { resource_pattern_type: 3, ..Default::default() }; 2];
    each(&mut client, &CreateAclsRequest { creations }, 54, |told| {
        assert_eq!(told.results.len(), 2);
        told.results[1].error_code
    });
    let filters = vec![DeleteAclsFilter { pattern_type_filter: 3, ..Default::default() }; 2];
    each(&mut client, &DeleteAclsRequest { filters }, 54, |told| told.filter_results[1].error_code);
}

#[test]
fn a_broker_without_authentication_has_no_tokens_and_no_credentials() {
    let (_broker, mut client) = start();
    let client = &mut client;
    for version in 1..=3 {
        let mut request = CreateDelegationTokenRequest::default();
        if version == 3 {
            (request.owner_principal_name, request.owner_principal_type) = Default::default();
        }
        assert_eq!(client.call(&request, version).error_code, 64);
    }
    each(client, &RenewDelegationTokenRequest::default(), 64, |told| told.error_code);
    each(client, &ExpireDelegationTokenRequest::default(), 64, |told| told.error_code);
    each(client, &DescribeDelegationTokenRequest::default(), 64, |told| told.error_code);
    each(client, &SaslHandshakeRequest { mechanism: "PLAIN".into() }, 34, |told| told.error_code);
    each(client, &SaslAuthenticateRequest::default(), 34, |told| told.error_code);
    let deletions = vec![ScramCredentialDeletion { name: "a".into(), mechanism: 1 }];
    let upsertion =
        |name: &str| ScramCredentialUpsertion { name: name.into(), mechanism: 1, ..Default::default() };
    let upsertions = vec![upsertion("b"), upsertion("")];
    let request = AlterUserScramCredentialsRequest { deletions, upsertions };
    let told = client.call(&request, 0).results;
    let codes: Vec<_> = told.iter().map(|result| (&*result.user, result.error_code)).collect();
    assert_eq!(codes, [("a", 91), ("b", 54), ("", 93)]);
}

#[test]
fn replicas_stay_where_they_are() {
    let (_broker, mut client) = start();
    let client = &mut client;
    topic(client, "t");
    each(client, &ListPartitionReassignmentsRequest::default(), 0, |told| {
        assert_eq!(told.topics.len(), 0);
        told.error_code
    });
    for (name, index, replicas, want) in [
        ("t", 0, None, 85),
        ("t", 0, Some(vec![1]), 0),
        ("t", 0, Some(vec![2]), 39),
        ("t", 0, Some(vec![1, 2]), 39),
        ("t", 0, Some(vec![1, 1]), 39),
        ("t", 0, Some(vec![]), 39),
        ("t", 1, Some(vec![1]), 3),
        ("missing", 0, Some(vec![1]), 3),
    ] {
        let partitions = vec![ReassignablePartition { partition_index: index, replicas: replicas.clone() }];
        let topics = vec![ReassignableTopic { name: name.into(), partitions }];
        let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
        each(client, &request, want, |told| told.responses[0].partitions[0].error_code);
    }
}

#[test]
fn no_election_is_needed() {
    let (_broker, mut client) = start();
    topic(&mut client, "t");
    let asked = |name: &str, partitions: &[i32]| TopicPartitions {
        topic: name.into(),
        partitions: partitions.to_vec(),
    };
    for version in ApiKey::ElectLeaders.versions() {
        let topic_partitions = Some(vec![asked("t", &[0, 9]), asked("missing", &[0])]);
        let request = ElectLeadersRequest { topic_partitions, ..Default::default() };
        let told = client.call(&request, version);
        let codes = told.replica_election_results.iter().map(|topic| {
            (&*topic.topic, topic.partition_result.iter().map(|one| one.error_code).collect::<Vec<_>>())
        });
        let codes: Vec<_> = codes.collect();
        assert_eq!((told.error_code, codes), (0, vec![("missing", vec![3]), ("t", vec![84, 3])]));
        let all = ElectLeadersRequest { topic_partitions: None, ..Default::default() };
        assert_eq!(client.call(&all, version).replica_election_results.len(), 0);
    }
}

#[test]
fn partitions_stay_in_their_directories() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = ["a", "b"].map(|name| folder.path().join(name));
    let config = BrokerConfig { log_dirs: dirs.to_vec(), ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    topic(&mut client, "t");
    let home = dirs.iter().find(|dir| dir.join("t-0").is_dir()).unwrap();
    let other = dirs.iter().find(|dir| *dir != home).unwrap();
    let (home, other) = (home.to_str().unwrap(), other.to_str().unwrap());
    for (path, name, want) in [
        (home, "t", 0),
        (other, "t", UNSUPPORTED),
        ("/no/such", "t", 57),
        ("x", "t", 57),
        (home, "missing", 3),
    ] {
        let topics = vec![AlterReplicaLogDirTopic { name: name.into(), partitions: vec![0] }];
        let request =
            AlterReplicaLogDirsRequest { dirs: vec![AlterReplicaLogDir { path: path.into(), topics }] };
        each(&mut client, &request, want, |told| told.results[0].partitions[0].error_code);
    }
}

#[test]
fn the_quorum_is_this_broker() {
    let (_broker, mut client) = start();
    let asked = |name: &str, index: i32| {
        let partitions = vec![describe_quorum_request::PartitionData { partition_index: index }];
        let topics = vec![describe_quorum_request::TopicData { topic_name: name.into(), partitions }];
        DescribeQuorumRequest { topics }
    };
    let mut ends = Vec::new();
    for version in ApiKey::DescribeQuorum.versions() {
        topic(&mut client, &format!("t{version}"));
        let told = client.call(&asked("__cluster_metadata", 0), version);
        let partition = &told.topics[0].partitions[0];
        assert_eq!((told.error_code, partition.error_code, partition.leader_id), (0, 0, 1));
        assert_eq!((partition.current_voters.len(), partition.observers.len()), (1, 0));
        assert_eq!(partition.current_voters[0].log_end_offset, partition.high_watermark);
        assert_eq!(told.nodes.len(), usize::from(version >= 2));
        ends.push(partition.high_watermark);
        for (name, index) in [("t0", 0), ("__cluster_metadata", 1)] {
            let told = client.call(&asked(name, index), version);
            assert_eq!(told.topics[0].partitions[0].error_code, 3, "{name}-{index}");
        }
    }
    assert!(ends[0] < ends[1] && ends[1] < ends[2], "{ends:?}");
    each(&mut client, &UnregisterBrokerRequest { broker_id: 1 }, 42, |told| told.error_code);
    each(&mut client, &UnregisterBrokerRequest { broker_id: 9 }, 102, |told| told.error_code);
}

#[test]
fn there_are_no_transactions() {
    let (_broker, mut client) = start();
    for version in ApiKey::ListTransactions.versions() {
        let state_filters = vec!["Ongoing".into(), "Sleeping".into()];
        let told = client.call(&ListTransactionsRequest { state_filters, ..Default::default() }, version);
        assert_eq!((told.error_code, told.transaction_states.len()), (0, 0));
        assert_eq!((told.unknown_state_filters.len(), &*told.unknown_state_filters[0]), (1, "Sleeping"));
    }
    let transactional_ids = vec!["x".into(), "x".into()];
    each(&mut client, &DescribeTransactionsRequest { transactional_ids }, 105, |told| {
        assert_eq!(told.transaction_states.len(), 1);
        told.transaction_states[0].error_code
    });
}

#[test]
fn producers_of_a_partition_are_described() {
    let (_broker, mut client) = start();
    topic(&mut client, "t");
    let asked = |name: &str, partition_indexes: &[i32]| TopicRequest {
        name: name.into(),
        partition_indexes: partition_indexes.to_vec(),
    };
    let topics = vec![asked("t", &[0, 0, 7]), asked("missing", &[0]), asked("t", &[0])];
    let told = client.call(&DescribeProducersRequest { topics }, 0).topics;
    let codes: Vec<_> = told
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|one| (&*topic.name, one.partition_index, one.error_code))
        })
        .collect();
    assert_eq!(codes, [("t", 0, 0), ("t", 7, 3), ("missing", 0, 3)]);
    assert_eq!(told[0].partitions[0].active_producers.len(), 0);
}

#[test]
fn an_update_without_features_changes_nothing() {
    let (_broker, mut client) = start();
    each(&mut client, &UpdateFeaturesRequest::default(), 0, |told| told.error_code);
}
