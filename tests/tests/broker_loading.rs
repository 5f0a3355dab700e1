//! After a start the groups are loaded while requests are already answered.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use klamm_broker::BrokerConfig;
use klamm_broker::testing::TestBroker;
use klamm_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_sim::HookDisk;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, committed, serve_groups, wait_until_loaded};

const LOAD_IN_PROGRESS: i16 = 14;

/// The state of the group `g`: an error code and a name.
fn described(client: &mut Client) -> (i16, String) {
    let request = DescribeGroupsRequest { groups: vec!["g".into()], ..DescribeGroupsRequest::default() };
    let group = client.call(&request, 5).groups[0].clone();
    (group.error_code, group.group_state.to_string())
}

/// Partitions of `__consumer_offsets` that are being read.
fn loading(broker: &TestBroker) -> String {
    let name = "kafka_server_group_coordinator_num_partitions{state=\"loading\"} ";
    let metrics = broker.running().metrics();
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("no figure").to_owned()
}

/// Holds the thread that loads groups until the sender is dropped; nothing is ever sent.
fn hold(disk: &HookDisk) -> Sender<()> {
    let (hold, held) = channel();
    let held = Mutex::new(held);
    disk.set(move |_, _| {
        if std::thread::current().name() == Some("klamm-load-groups") {
            let _ = held.lock().map(|held| held.recv());
        }
        Ok(())
    });
    hold
}

#[test]
fn until_groups_are_loaded_requests_are_told_so_and_classic_heartbeats_succeed() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let config = BrokerConfig { log_dirs: vec![directory.path().to_owned()], ..BrokerConfig::for_test() };
    let mut broker = TestBroker::start_on(Arc::new(disk.clone()), config).unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    let mut member = Member::new(Client::connect(broker.running()), "g");
    assert_eq!(member.join(&["t"]).error_code, 0);
    assert_eq!((member.sync(&[]).error_code, member.commit("t", 5)), (0, 0));
    let hold = hold(&disk);
    broker.restart().unwrap();
    let mut client = Client::connect(broker.running());
    member.client = Client::connect(broker.running());
    assert_eq!(client.call(&MetadataRequest::default(), 9).brokers.len(), 1, "other requests are answered");
    assert_eq!(described(&mut client).0, LOAD_IN_PROGRESS);
    assert_eq!(member.commit("t", 6), LOAD_IN_PROGRESS);
    assert_eq!(member.beat(), 0, "a heartbeat succeeds");
    assert_eq!(loading(&broker), "1");
    drop(hold);
    wait_until_loaded(&mut client);
    assert_eq!(described(&mut client), (0, "Stable".to_owned()));
    assert_eq!((member.beat(), member.commit("t", 6)), (0, 0), "the member has not joined again");
    assert_eq!(loading(&broker), "0");
}

/// Commits an offset that says nothing of the topic's id, as those do that have a time to live of
/// their own.
fn commit_without_id(client: &mut Client, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        retention_time_ms: 86_400_000,
        topics: vec![topic],
        ..Default::default()
    };
    client.call(&request, 2).topics[0].partitions[0].error_code
}

/// A topic is deleted while the offsets of its groups are being loaded; another has its name before
/// they are.
#[test]
fn offsets_of_a_topic_that_is_deleted_while_they_are_loaded_are_not_those_of_the_next() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let config = BrokerConfig { log_dirs: vec![directory.path().to_owned()], ..BrokerConfig::for_test() };
    let mut broker = TestBroker::start_on(Arc::new(disk.clone()), config).unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    serve_groups(&mut client);
    assert_eq!(commit_without_id(&mut client, 5), 0);
    assert_eq!(committed(&mut client, "g", "t"), 5);
    let hold = hold(&disk);
    broker.restart().unwrap();
    let mut client = Client::connect(broker.running());
    let topics = vec![DeleteTopicState { name: Some("t".into()), ..Default::default() }];
    let deleted = client.call(&DeleteTopicsRequest { topics, ..Default::default() }, 6);
    assert_eq!(deleted.responses[0].error_code, 0);
    create(&mut client, "t", 1, &[]);
    assert_eq!(loading(&broker), "1");
    drop(hold);
    wait_until_loaded(&mut client);
    assert_eq!(committed(&mut client, "g", "t"), -1);
}
