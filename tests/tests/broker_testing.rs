//! The broker for other people's tests: it fails on demand, its clock is the test's, and it tells
//! what came.

use std::time::{Duration, Instant};

use klamm_broker::BrokerConfig;
use klamm_broker::testing::{Fault, TestBroker};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::ProduceRequest;
use klamm_protocol::{ApiKey, ErrorCode, Message, Records, Request, Uuid};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, NewRecord};
use klamm_tests::admin::{TOPIC, create, set};
use klamm_tests::client::Client;
use klamm_tests::requests::{api_versions, batch_of, produce, topic};
use klamm_types::{ProducerEpoch, ProducerId, Timestamp};

fn start() -> (TestBroker, Client) {
    let broker = TestBroker::start().unwrap();
    let client = Client::connect(broker.running());
    (broker, client)
}

/// Start and end of partition 0.
fn bounds(client: &mut Client) -> (i64, i64) {
    let mut offset = |timestamp| {
        let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
        let response = client.call(&ListOffsetsRequest { topics, ..Default::default() }, 11);
        response.topics[0].partitions[0].offset
    };
    (offset(-2), offset(-1))
}

#[test]
fn an_error_is_answered_once_and_has_no_effect() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    broker.fault(ApiKey::Produce, Fault::Error(ErrorCode::NotLeaderOrFollower));
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 6);
    assert_eq!(bounds(&mut client), (0, 0));
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    assert_eq!(bounds(&mut client), (0, 1));
}

/// Sends a request of this API that would succeed, and says whether the answer has `error` in it.
fn fails(broker: &TestBroker, client: &mut Client, topic: Uuid, error: i16) -> bool {
    let fault = Fault::Error(ErrorCode::from_code(error).unwrap());
    fn ask<R: Request>(
        broker: &TestBroker,
        client: &mut Client,
        fault: Fault,
        request: &R,
        version: i16,
    ) -> R::Response {
        broker.fault(R::KEY, fault);
        client.call(request, version)
    }
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: topic, partitions: vec![partition], ..FetchTopic::default() }];
    let fetch = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
    let fetched = ask(broker, client, fault, &fetch, 18).responses[0].partitions[0].error_code;
    let listed = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let listed = ask(broker, client, fault, &listed, 13).topics[0].error_code;
    let id = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    let id = ask(broker, client, fault, &id, 5).error_code;
    let versions = ask(broker, client, fault, &api_versions(), 4).error_code;
    broker.fault(ApiKey::CreateTopics, fault);
    let created = create(client, "another", 1, &[]).0;
    broker.fault(ApiKey::IncrementalAlterConfigs, fault);
    let altered = set(client, TOPIC, "t", "segment.ms", Some("5")).0;
    [fetched, listed, id, versions, created, altered].iter().all(|got| *got == error)
}

#[test]
fn errors_of_any_api() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    for error in
        [ErrorCode::RequestTimedOut, ErrorCode::KafkaStorageError, ErrorCode::TopicAuthorizationFailed]
    {
        assert!(fails(&broker, &mut client, id, error.code()), "{error}");
    }
    assert_eq!(create(&mut client, "another", 1, &[]).0, 0, "it was never created");
}

#[test]
fn a_lost_answer_has_had_its_effect_and_an_idempotent_producer_stores_once() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    let producer = BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(0).unwrap() };
    let options =
        BatchOptions { producer: Some(producer), base_sequence: Some(0), ..BatchOptions::default() };
    let batch = || {
        let mut builder = BatchBuilder::new(Vec::new(), options);
        builder.append(&NewRecord::new("v")).unwrap();
        Records::Bytes(builder.finish().unwrap().buffer.into())
    };
    broker.fault(ApiKey::Produce, Fault::LoseAnswer);
    produce(&mut client, "t", id, batch(), 0, 13);
    assert!(client.is_closed());
    let mut client = Client::connect(broker.running());
    let again = produce(&mut client, "t", id, batch(), -1, 13);
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    assert_eq!(bounds(&mut client), (0, 1));
}

#[test]
fn a_connection_is_closed_before_the_request_has_its_effect() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    broker.fault(ApiKey::Produce, Fault::Close);
    produce(&mut client, "t", id, batch_of(&["v"]), 0, 13);
    assert!(client.is_closed());
    assert_eq!(bounds(&mut Client::connect(broker.running())), (0, 0));
}

#[test]
fn a_delay_holds_one_answer_back_and_no_other_connection() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    broker.fault(ApiKey::Produce, Fault::Delay(Duration::from_millis(300)));
    let begun = Instant::now();
    let slow = std::thread::spawn(move || produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code);
    while broker.requests::<ProduceRequest>().is_empty() {
        std::thread::yield_now();
    }
    let mut other = Client::connect(broker.running());
    assert_eq!(produce(&mut other, "t", id, batch_of(&["v"]), -1, 13).base_offset, 0, "it is first");
    assert_eq!(slow.join().unwrap(), 0);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_full_disk_is_told_and_reads_go_on() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["before"]), -1, 13).error_code, 0);
    broker.fill_disk();
    assert_eq!(produce(&mut client, "t", id, batch_of(&["lost"]), -1, 13).error_code, 56);
    assert_ne!(create(&mut client, "u", 1, &[]).0, 0);
    assert_eq!(bounds(&mut client), (0, 1));
    broker.free_disk();
    assert_eq!(produce(&mut client, "t", id, batch_of(&["after"]), -1, 13).base_offset, 1);
}

#[test]
fn retention_comes_when_the_test_says() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    let day = Duration::from_secs(24 * 3600);
    let now = |broker: &TestBroker| {
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        let time = Timestamp::from_millis(broker.now().as_millis());
        builder.append(&NewRecord::new("v").at(time)).unwrap();
        Records::Bytes(builder.finish().unwrap().buffer.into())
    };
    assert_eq!(produce(&mut client, "t", id, now(&broker), -1, 13).error_code, 0);
    broker.advance(day * 6).unwrap();
    assert_eq!(bounds(&mut client), (0, 1), "six days old");
    broker.advance(day * 2).unwrap();
    assert_eq!(bounds(&mut client), (1, 1), "eight days old");
    assert_eq!(produce(&mut client, "t", id, now(&broker), -1, 13).error_code, 0, "its clock is the test's");
}

#[test]
fn what_came_is_told() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    produce(&mut client, "t", id, batch_of(&["a"]), -1, 12);
    produce(&mut client, "t", id, batch_of(&["b"]), 1, 13);
    let produced: Vec<ProduceRequest> = broker.requests();
    assert_eq!(produced.iter().map(|request| request.acks).collect::<Vec<_>>(), [-1, 1]);
    assert_eq!(produced[0].topic_data[0].name, "t");
    let all = broker.all_requests();
    let heads: Vec<_> = all.iter().map(|head| (head.api_key, head.version)).collect();
    assert_eq!(heads, [(3, 13), (0, 12), (0, 13)]);
    assert_eq!(all[0].client_id.as_deref(), Some("test"));
    assert!(MetadataRequest::decode(all[0].body.clone(), 13).is_ok());
}

#[test]
fn a_restart_keeps_the_port_and_the_records() {
    let (mut broker, mut client) = start();
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    let address = broker.bootstrap();
    broker.restart().unwrap();
    assert_eq!(broker.bootstrap(), address);
    assert!(client.is_closed());
    assert_eq!(bounds(&mut Client::connect(broker.running())), (0, 1));
}

#[test]
fn many_in_one_process_know_nothing_of_each_other() {
    let mut brokers: Vec<_> =
        (0..20).map(|_| TestBroker::start_with(BrokerConfig::for_test()).unwrap()).collect();
    for (number, broker) in brokers.iter().enumerate() {
        let mut client = Client::connect(broker.running());
        assert_eq!(create(&mut client, &format!("of-{number}"), 1, &[]).0, 0);
    }
    for (number, broker) in brokers.iter().enumerate() {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let topics = Client::connect(broker.running()).call(&request, 13).topics;
        assert_eq!(topics.len(), 1);
        assert_eq!(topics[0].name.as_deref(), Some(&*format!("of-{number}")));
    }
    let folders: Vec<_> = brokers.iter().map(|broker| broker.path().to_owned()).collect();
    brokers.clear();
    assert!(folders.iter().all(|folder| !folder.exists()), "folders go with their brokers");
}
