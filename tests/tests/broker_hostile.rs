//! Frames that are cut, flipped, or random in part: whatever comes, the broker goes on for everyone else.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::list_offsets_request::ListOffsetsRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_tests::client::Client;
use proptest::prelude::*;

/// A frame as a well-meaning client would send it, its length in front.
fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    encode_request(request, version, 1, Some("hostile")).unwrap().into_bytes().unwrap().to_vec()
}

fn good_frames() -> Vec<Vec<u8>> {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("value").key("key")).unwrap();
    let records = Some(Records::Bytes(builder.finish().unwrap().buffer.into()));
    let produced = vec![PartitionProduceData { index: 0, records }];
    let produced =
        vec![TopicProduceData { name: "t".into(), partition_data: produced, ..Default::default() }];
    let fetched = vec![FetchPartition { partition_max_bytes: 1000, ..Default::default() }];
    let fetched = vec![FetchTopic { topic: "t".into(), partitions: fetched, ..Default::default() }];
    let asked = vec![MetadataRequestTopic { name: Some("t".into()), ..Default::default() }];
    let wanted = vec![CreatableTopic {
        name: "u".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    }];
    let metadata =
        MetadataRequest { topics: Some(asked), allow_auto_topic_creation: true, ..Default::default() };
    vec![
        frame(&ProduceRequest { acks: 1, topic_data: produced, ..Default::default() }, 9),
        frame(&FetchRequest { topics: fetched, max_bytes: 1000, ..Default::default() }, 12),
        frame(&metadata, 12),
        frame(&CreateTopicsRequest { topics: wanted, ..Default::default() }, 5),
        frame(&ListOffsetsRequest { replica_id: -1, ..Default::default() }, 4),
        frame(&ApiVersionsRequest::default(), 3),
    ]
}

#[derive(Clone, Debug)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Length(i32),
    Tail(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Flip(at, byte)),
        1 => any::<prop::sample::Index>().prop_map(Harm::Cut),
        1 => any::<i32>().prop_map(Harm::Length),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Harm::Tail),
    ]
}

fn do_harm(frame: &mut Vec<u8>, harm: &Harm) {
    match harm {
        // Behind the head, so that a handler meets it.
        Harm::Flip(at, byte) => {
            let at = 8 + at.index(frame.len() - 8);
            frame[at] = *byte;
        }
        Harm::Cut(at) => {
            frame.truncate(12 + at.index(frame.len() - 11));
            let length = u32::try_from(frame.len() - 4).unwrap();
            frame[..4].copy_from_slice(&length.to_be_bytes());
        }
        Harm::Length(length) => frame[..4].copy_from_slice(&length.to_be_bytes()),
        Harm::Tail(tail) => frame.extend_from_slice(tail),
    }
}

#[test]
fn whatever_comes_the_others_are_served() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut other = Client::connect(&broker);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let cases = (0..6usize, prop::collection::vec(harm(), 1..4));
    let good = good_frames();
    let run = |(which, harms): (usize, Vec<Harm>)| {
        let mut frame = good[which].clone();
        for harm in &harms {
            if frame.len() > 12 {
                do_harm(&mut frame, harm);
            }
        }
        let mut hostile = Client::connect(&broker);
        hostile.raw(&frame);
        drop(hostile);
        Ok(())
    };
    runner.run(&cases, run).unwrap();
    assert_eq!(other.call(&ApiVersionsRequest::default(), 3).error_code, 0);
    broker.stop().unwrap();
}

/// A declared length reserves nothing: ninety connections that each promise the largest frame there may be, and send a
/// little of it, leave room for the others.
#[test]
fn promised_bytes_take_no_memory() {
    let config = BrokerConfig { max_queued_bytes: 100 << 20, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut promising = Vec::new();
    for _ in 0..90 {
        let mut client = Client::connect(&broker);
        client.raw(&(100i32 << 20).to_be_bytes());
        client.raw(&[0; 1000]);
        promising.push(client);
    }
    let mut other = Client::connect(&broker);
    assert_eq!(other.call(&ApiVersionsRequest::default(), 3).error_code, 0);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let root = tempfile::tempdir().unwrap();
    let start = |what: &str| {
        let config = BrokerConfig { log_dirs: vec![root.path().join(what)], ..BrokerConfig::for_test() };
        Broker::start(config).map(|broker| broker.stop().unwrap()).map_err(|error| error.to_string())
    };
    std::fs::write(root.path().join("file"), "").unwrap();
    assert!(start("file").unwrap_err().starts_with("cannot create folder "));
    std::fs::create_dir(root.path().join("newer")).unwrap();
    std::fs::write(root.path().join("newer/meta.properties"), "version=2\nnode.id=1\ncluster.id=x\n")
        .unwrap();
    assert!(start("newer").unwrap_err().ends_with("expected version=1, got \"2\""));
    start("half").unwrap();
    let log = root.path().join("half/__cluster_metadata-0/00000000000000000000.log");
    std::fs::write(&log, [0; 100]).unwrap();
    let error = start("half").unwrap_err();
    assert!(error.contains("damage in ") && error.contains("at byte 0"), "{error}");
}
