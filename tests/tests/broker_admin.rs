//! What an administrator asks: settings, partitions, deleting records, and what there is.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::Uuid;
use klamm_protocol::messages::alter_configs_request as replacing;
use klamm_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use klamm_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use klamm_protocol::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use klamm_protocol::messages::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponseTopic,
};
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_tests::admin::{BROKER, TOPIC, Told, alter, create, describe, set, value};
use klamm_tests::client::Client;
use klamm_tests::requests::{batch_of, produce, topic};

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

#[test]
fn a_setting_is_told_with_its_source_its_synonyms_and_what_it_means() {
    let (_broker, mut client) = start();
    assert_eq!(create(&mut client, "t", 1, &[("segment.ms", "5000")]).0, 0);
    let all = describe(&mut client, TOPIC, "t", None);
    assert!(all.len() >= 20, "{}", all.len());
    for setting in &all {
        assert!(setting.documentation.as_ref().is_some_and(|words| words.len() > 20), "{}", setting.name);
        assert!(setting.config_type > 0 && !setting.read_only, "{}", setting.name);
    }
    assert_eq!(value(&mut client, TOPIC, "t", "segment.ms"), ("5000".into(), 1));
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("604800000".into(), 5));
    assert_eq!(set(&mut client, BROKER, "", "log.retention.ms", Some("60000")).0, 0);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("60000".into(), 3));
    assert_eq!(set(&mut client, BROKER, "1", "log.retention.ms", Some("70000")).0, 0);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("70000".into(), 2));
    assert_eq!(set(&mut client, TOPIC, "t", "retention.ms", Some("80000")).0, 0);
    let told = describe(&mut client, TOPIC, "t", Some(&["retention.ms"]));
    let synonyms: Vec<_> = told[0]
        .synonyms
        .iter()
        .map(|given| (given.name.to_string(), given.value.clone().unwrap().to_string(), given.source))
        .collect();
    let want = [
        ("retention.ms", "80000", 1),
        ("log.retention.ms", "70000", 2),
        ("log.retention.ms", "60000", 3),
        ("log.retention.ms", "604800000", 5),
    ];
    assert_eq!(synonyms, want.map(|(key, value, source)| (key.to_owned(), value.to_owned(), source)));
    // Without an override it is the next one's again.
    assert_eq!(set(&mut client, TOPIC, "t", "retention.ms", None).0, 0);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("70000".into(), 2));
}

#[test]
fn a_brokers_settings_say_what_was_given_at_the_start() {
    let config = BrokerConfig { num_partitions: 7, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    assert_eq!(value(&mut client, BROKER, "1", "num.partitions"), ("7".into(), 4));
    assert_eq!(value(&mut client, BROKER, "1", "message.max.bytes"), ("1048588".into(), 5));
    assert!(describe(&mut client, BROKER, "1", Some(&["num.partitions"]))[0].read_only);
    // Those of all brokers are what was given to all, and nothing else.
    assert!(describe(&mut client, BROKER, "", None).is_empty());
    assert_eq!(set(&mut client, BROKER, "", "message.max.bytes", Some("2000000")).0, 0);
    let given = describe(&mut client, BROKER, "", None);
    assert_eq!(given.iter().map(|setting| &*setting.name).collect::<Vec<_>>(), ["message.max.bytes"]);
}

#[test]
fn what_cannot_be_changed_is_refused_with_its_code() {
    let (_broker, mut client) = start();
    topic(&mut client, "t");
    let missing = (3, "there is no such topic");
    for (kind, name, key, operation, value, want) in [
        (TOPIC, "u", "segment.ms", 0, Some("1"), missing),
        (
            TOPIC,
            "t",
            "segment.mss",
            0,
            Some("1"),
            (40, "\"segment.mss\" is not a setting that this broker has"),
        ),
        (
            TOPIC,
            "t",
            "segment.ms",
            0,
            Some("x"),
            (40, "segment.ms is \"x\", expected a number of milliseconds, at least 1"),
        ),
        (TOPIC, "t", "segment.ms", 0, None, (42, "segment.ms has no value")),
        (
            TOPIC,
            "t",
            "segment.ms",
            2,
            Some("1"),
            (40, "segment.ms has one value; APPEND and SUBTRACT are for lists"),
        ),
        (TOPIC, "t", "segment.ms", 9, Some("1"), (42, "operation is 9, expected 0 to 3")),
        (BROKER, "1", "log.dirs", 0, Some("/x"), (42, "log.dirs cannot be changed while the broker runs")),
        (BROKER, "7", "max.connections", 0, Some("9"), (42, "there is no broker \"7\"; this is broker 1")),
        (
            8,
            "1",
            "root",
            0,
            Some("DEBUG"),
            (42, "the program that runs this broker does not let the levels of its log be changed"),
        ),
        (
            64,
            "1",
            "root",
            0,
            Some("x"),
            (
                42,
                "resource type is 64, expected 2 for a topic, 4 for a broker, 32 for a group or 16 for a subscription to clients' metrics",
            ),
        ),
    ] {
        let got = alter(&mut client, kind, name, &[(key, operation, value)]);
        assert_eq!(got, (want.0, want.1.to_owned()), "{kind} {name} {key}");
    }
    let twice = alter(&mut client, TOPIC, "t", &[("segment.ms", 0, Some("1")), ("segment.ms", 1, None)]);
    assert_eq!(twice, (42, "segment.ms is named twice".to_owned()));
    let resource =
        DescribeConfigsResource { resource_type: TOPIC, resource_name: "u".into(), ..Default::default() };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    assert_eq!(client.call(&request, 4).results[0].error_code, 3);
}

#[test]
fn replacing_takes_away_what_is_not_named_and_a_check_changes_nothing() {
    let (_broker, mut client) = start();
    assert_eq!(create(&mut client, "t", 1, &[("segment.ms", "5000"), ("retention.ms", "9000")]).0, 0);
    let mut replace = |check_only: bool| {
        let config = replacing::AlterableConfig { name: "retention.ms".into(), value: Some("8000".into()) };
        let resource = replacing::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configs: vec![config],
        };
        let request = replacing::AlterConfigsRequest { resources: vec![resource], validate_only: check_only };
        assert_eq!(client.call(&request, 2).responses[0].error_code, 0);
        ["segment.ms", "retention.ms"].map(|key| value(&mut client, TOPIC, "t", key).0)
    };
    assert_eq!(replace(true), ["5000", "9000"]);
    assert_eq!(replace(false), ["604800000", "8000"]);
}

#[test]
fn what_was_changed_is_there_after_a_restart_and_has_its_effect() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let large = || batch_of(&["x".repeat(5000).as_str()]);
    {
        let broker = Broker::start(config.clone()).unwrap();
        let mut client = Client::connect(&broker);
        let id = topic(&mut client, "t");
        assert_eq!(produce(&mut client, "t", id, large(), -1, 13).error_code, 0);
        assert_eq!(set(&mut client, BROKER, "", "message.max.bytes", Some("4000")).0, 0);
        assert_eq!(produce(&mut client, "t", id, large(), -1, 13).error_code, 10, "at once");
        assert_eq!(set(&mut client, TOPIC, "t", "max.message.bytes", Some("6000")).0, 0);
        assert_eq!(produce(&mut client, "t", id, large(), -1, 13).error_code, 0, "the topic's own wins");
        assert_eq!(grow(&mut client, "t", 3, None).0, 0);
        broker.stop().unwrap();
    }
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    assert_eq!(value(&mut client, TOPIC, "t", "max.message.bytes"), ("6000".into(), 1));
    assert_eq!(value(&mut client, BROKER, "1", "message.max.bytes"), ("4000".into(), 3));
    let id = topic(&mut client, "u");
    assert_eq!(produce(&mut client, "u", id, large(), -1, 13).error_code, 10);
    assert_eq!(latest(&mut client, "t", 2), (0, 0), "partition 2 is there");
}

fn grow(client: &mut Client, name: &str, count: i32, assigned: Option<&[i32]>) -> Told {
    let assignments = assigned.map(|nodes| {
        nodes.iter().map(|node| CreatePartitionsAssignment { broker_ids: vec![*node] }).collect()
    });
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000, validate_only: false };
    let result = client.call(&request, 3).results[0].clone();
    (result.error_code, result.error_message.map(|words| words.to_string()).unwrap_or_default())
}

/// Error and end of a partition.
fn latest(client: &mut Client, name: &str, partition: i32) -> (i16, i64) {
    let partition =
        ListOffsetsPartition { partition_index: partition, timestamp: -1, ..ListOffsetsPartition::default() };
    let topics = vec![ListOffsetsTopic { name: name.into(), partitions: vec![partition] }];
    let found = client.call(&ListOffsetsRequest { topics, ..Default::default() }, 11);
    let found = &found.topics[0].partitions[0];
    (found.error_code, found.offset)
}

#[test]
fn topics_grow_and_never_shrink() {
    let (_broker, mut client) = start();
    assert_eq!(create(&mut client, "t", 2, &[]).0, 0);
    assert_eq!(latest(&mut client, "t", 3).0, 3);
    assert_eq!(grow(&mut client, "t", 4, None), (0, String::new()));
    assert_eq!(latest(&mut client, "t", 3), (0, 0));
    assert_eq!(grow(&mut client, "t", 5, Some(&[1])), (0, String::new()));
    for (name, count, assigned, want) in [
        ("t", 5, None, (37, "the topic has 5 partitions, the wanted 5 are not more")),
        ("t", 1, None, (37, "the topic has 5 partitions, the wanted 1 are not more")),
        ("t", i32::MIN, None, (37, "the topic has 5 partitions, the wanted -2147483648 are not more")),
        (
            "t",
            100_000,
            None,
            (44, "Excessively large number of partitions per request: 99995, expected at most 10000"),
        ),
        ("t", 7, Some(&[1][..]), (39, "1 partitions are assigned, 2 are to be added")),
        ("t", 6, Some(&[2][..]), (39, "each partition must be assigned to broker 1, the only one")),
        ("u", 2, None, (3, "there is no such topic")),
    ] {
        let got = grow(&mut client, name, count, assigned);
        assert_eq!(got, (want.0, want.1.to_owned()), "{name} {count}");
    }
    let twice = CreatePartitionsTopic { name: "t".into(), count: 9, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![twice.clone(), twice], ..Default::default() };
    let codes: Vec<_> = client.call(&request, 3).results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [42]);
}

#[test]
fn records_before_an_offset_are_deleted() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    for _ in 0..10 {
        assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    }
    let mut delete = |name: &str, partition_index: i32, offset: i64| {
        let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
        let topics = vec![DeleteRecordsTopic { name: name.into(), partitions }];
        let response = client.call(&DeleteRecordsRequest { topics, timeout_ms: 1000 }, 2);
        let result = &response.topics[0].partitions[0];
        (result.error_code, result.low_watermark)
    };
    assert_eq!(delete("t", 0, 4), (0, 4));
    assert_eq!(delete("t", 0, 2), (0, 4), "what is gone is gone");
    assert_eq!(delete("t", 0, 11), (1, -1));
    assert_eq!(delete("t", 0, -2), (1, -1));
    assert_eq!(delete("t", 7, 0), (3, -1));
    assert_eq!(delete("u", 0, 0), (3, -1));
    assert_eq!(delete("t", 0, -1), (0, 10), "all of them");
    assert_eq!(create(&mut client, "compacted", 1, &[("cleanup.policy", "compact")]).0, 0);
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 0 }];
    let topics = vec![DeleteRecordsTopic { name: "compacted".into(), partitions }];
    let response = client.call(&DeleteRecordsRequest { topics, timeout_ms: 1000 }, 2);
    assert_eq!(response.topics[0].partitions[0].error_code, 44, "a policy that does not delete");
}

#[test]
fn threads_come_and_go_while_clients_are_served() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    let on_an_io_thread = |client: &mut Client| latest(client, "t", 0).0;
    for (key, counts) in
        [("num.io.threads", ["4", "2", "1", "2"]), ("num.network.threads", ["2", "4", "2", "1"])]
    {
        for count in counts {
            assert_eq!(set(&mut client, BROKER, "1", key, Some(count)), (0, String::new()));
            let mut others: Vec<_> = (0..8).map(|_| Client::connect(&broker)).collect();
            for other in &mut others {
                assert_eq!(produce(other, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
                assert_eq!(on_an_io_thread(other), 0);
            }
            // The thread of the first connection may have been taken away: it is served all the
            // same.
            assert_eq!(on_an_io_thread(&mut client), 0);
        }
    }
    let words = "num.io.threads is 2 and can be 1 to 4 next, not 5: threads change step by step".to_owned();
    assert_eq!(set(&mut client, BROKER, "1", "num.io.threads", Some("5")), (40, words));
    // What counts is how many there are: one's own number hides that of all brokers.
    assert_eq!(set(&mut client, BROKER, "", "num.io.threads", Some("64")), (0, String::new()));
    assert_eq!(value(&mut client, BROKER, "1", "num.io.threads").0, "2");
    assert_eq!(set(&mut client, BROKER, "", "num.io.threads", None), (0, String::new()));
    assert_eq!(latest(&mut client, "t", 0), (0, 64));
    broker.stop().unwrap();
}

#[test]
fn the_cluster_is_this_broker() {
    let config = BrokerConfig { rack: Some("r1".into()), ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    let request = DescribeClusterRequest {
        endpoint_type: 1,
        include_cluster_authorized_operations: true,
        ..Default::default()
    };
    let cluster = client.call(&request, 2);
    assert_eq!((cluster.error_code, cluster.controller_id, cluster.brokers.len()), (0, 1, 1));
    assert_eq!(cluster.brokers[0].rack.as_deref(), Some("r1"));
    assert_eq!(cluster.brokers[0].port, i32::from(broker.address().port));
    assert_eq!(cluster.cluster_authorized_operations, 8096);
    for (endpoint_type, want) in [(2, 114), (9, 115)] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        assert_eq!(client.call(&request, 2).error_code, want);
    }
}

#[test]
fn partitions_are_told_some_at_a_time() {
    let (_broker, mut client) = start();
    for (name, partitions) in [("a", 3), ("b", 5), ("c", 1)] {
        assert_eq!(create(&mut client, name, partitions, &[]).0, 0);
    }
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..10 {
        let request = DescribeTopicPartitionsRequest { topics: vec![], response_partition_limit: 2, cursor };
        let page = client.call(&request, 0);
        for topic in &page.topics {
            let name = topic.name.as_ref().unwrap().to_string();
            all.extend(
                topic.partitions.iter().map(|partition| format!("{name}-{}", partition.partition_index)),
            );
        }
        cursor = page
            .next_cursor
            .map(|next| Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(all, ["a-0", "a-1", "a-2", "b-0", "b-1", "b-2", "b-3", "b-4", "c-0"]);
    let topics = ["x", "c", "no/name"].map(|name| TopicRequest { name: name.into() }).to_vec();
    let mut request = DescribeTopicPartitionsRequest { topics, response_partition_limit: 2000, cursor: None };
    let found = client.call(&request, 0);
    let codes = |found: &DescribeTopicPartitionsResponse| {
        let code =
            |t: &DescribeTopicPartitionsResponseTopic| (t.name.clone().unwrap().to_string(), t.error_code);
        found.topics.iter().map(code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&found), [("c".to_owned(), 0), ("no/name".to_owned(), 17), ("x".to_owned(), 3)]);
    request.cursor = Some(Cursor { topic_name: "c".into(), partition_index: -1 });
    let refused = client.call(&request, 0);
    assert!(codes(&refused).iter().all(|(_, code)| *code == 42) && refused.topics.len() == 3);
    assert_ne!(found.topics[0].topic_id, Uuid::ZERO);
    let partition = &found.topics[0].partitions[0];
    assert_eq!(
        (&partition.eligible_leader_replicas, &partition.last_known_elr),
        (&Some(vec![]), &Some(vec![]))
    );
}

#[test]
fn log_dirs_have_the_size_of_each_partition() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    produce(&mut client, "t", id, batch_of(&["0123456789"]), -1, 13);
    let dirs = client.call(&DescribeLogDirsRequest { topics: None }, 4).results;
    assert_eq!(dirs.len(), 1);
    assert_eq!(&*dirs[0].log_dir, broker.path().to_str().unwrap());
    assert!(dirs[0].total_bytes > dirs[0].usable_bytes && dirs[0].usable_bytes > 0);
    let size = std::fs::metadata(broker.path().join("t-0/00000000000000000000.log")).unwrap().len();
    assert_eq!(dirs[0].topics.len(), 1, "the broker's own log is not told");
    assert_eq!(dirs[0].topics[0].partitions[0].partition_size, i64::try_from(size).unwrap());
}

#[test]
fn an_epoch_ends_where_the_log_does() {
    let (_broker, mut client) = start();
    assert_eq!(create(&mut client, "t", 2, &[]).0, 0);
    let id = topic(&mut client, "t");
    produce(&mut client, "t", id, batch_of(&["a", "b"]), -1, 13);
    let mut end = |partition: i32, current_leader_epoch: i32, leader_epoch: i32| {
        let partitions = vec![OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch }];
        let topics = vec![OffsetForLeaderTopic { topic: "t".into(), partitions }];
        let response = client.call(&OffsetForLeaderEpochRequest { replica_id: -1, topics }, 4);
        let found = &response.topics[0].partitions[0];
        (found.error_code, found.leader_epoch, found.end_offset)
    };
    assert_eq!(end(0, -1, 0), (0, 0, 2));
    assert_eq!(end(0, 0, 5), (0, -1, -1), "an epoch that nobody had");
    assert_eq!(end(1, -1, 0), (0, 0, 0), "the epoch of a log that nobody has written to");
    assert_eq!(end(0, -1, -1), (0, -1, -1));
    assert_eq!(end(0, 1, 0), (75, -1, -1), "a client that knows a later epoch");
    assert_eq!(end(0, -2, 0), (74, -1, -1), "a negative epoch is an old one");
    assert_eq!(end(9, -1, 0), (3, -1, -1));
}
