//! Idempotent producers at the broker: each batch is stored once, however often it is sent,
//! restarts included.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::Records;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, NewRecord};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::requests::{produce, topic};
use klamm_types::{ProducerEpoch, ProducerId, Timestamp};

fn producer_id(client: &mut Client) -> i64 {
    let response = client.call(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 4);
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id
}

fn sent(id: i64, epoch: i16, sequence: u32, count: usize) -> Records {
    built(
        BatchOptions {
            producer: Some(BatchProducer {
                id: ProducerId::new(id).unwrap(),
                epoch: ProducerEpoch::new(epoch).unwrap(),
            }),
            base_sequence: Some(sequence),
            ..BatchOptions::default()
        },
        count,
    )
}

fn built(options: BatchOptions, count: usize) -> Records {
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for _ in 0..count {
        builder.append(&NewRecord::new("value").at(Timestamp::from_millis(1000))).unwrap();
    }
    Records::Bytes(builder.finish().unwrap().buffer.into())
}

/// Error code and base offset.
fn send(client: &mut Client, records: Records) -> (i16, i64) {
    let id = topic(client, "t");
    let response = produce(client, "t", id, records, -1, 9);
    (response.error_code, response.base_offset)
}

#[test]
fn a_batch_that_is_there_already_is_answered_with_the_time_that_it_got_then() {
    let broker = klamm_broker::testing::TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let id = producer_id(&mut client);
    let topic = topic(&mut client, "t");
    let first = produce(&mut client, "t", topic, sent(id, 0, 0, 3), -1, 13);
    broker.advance(std::time::Duration::from_secs(60)).unwrap();
    let again = produce(&mut client, "t", topic, sent(id, 0, 0, 3), -1, 13);
    assert!(first.log_append_time_ms > 0);
    assert_eq!(again.log_append_time_ms, first.log_append_time_ms);
}

#[test]
fn a_batch_is_stored_once_and_gaps_and_old_epochs_are_refused() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let id = producer_id(&mut client);
    for (name, records, want) in [
        ("the first", sent(id, 0, 0, 3), (0, 0)),
        ("the next", sent(id, 0, 3, 2), (0, 3)),
        ("the first again", sent(id, 0, 0, 3), (0, 0)),
        ("a gap", sent(id, 0, 9, 1), (45, -1)),
        ("a later epoch", sent(id, 1, 0, 1), (0, 5)),
        ("the old one", sent(id, 0, 5, 1), (47, -1)),
        ("another producer", sent(id + 1, 0, 0, 1), (0, 6)),
        (
            "a transaction of a producer without a transactional id",
            built(BatchOptions { transactional: true, ..BatchOptions::default() }, 1),
            (53, -1),
        ),
    ] {
        assert_eq!(send(&mut client, records), want, "{name}");
    }
}

#[test]
fn after_a_restart_a_batch_is_known_and_ids_are_new() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let broker = Broker::start(config.clone()).unwrap();
    let mut client = Client::connect(&broker);
    let ids = [producer_id(&mut client), producer_id(&mut client)];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(send(&mut client, sent(ids[0], 0, 0, 3)), (0, 0));
    broker.stop().unwrap();
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    assert_eq!(send(&mut client, sent(ids[0], 0, 0, 3)), (0, 0));
    assert_eq!(send(&mut client, sent(ids[0], 0, 3, 1)), (0, 3));
    assert!(producer_id(&mut client) > ids[1]);
}

#[test]
fn a_transactional_id_is_refused_with_a_code_that_is_not_retriable() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    for version in 0..=5 {
        let request = InitProducerIdRequest { transactional_id: Some("tx".into()), ..Default::default() };
        let response = client.call(&request, version);
        assert_eq!((response.error_code, response.producer_id), (35, -1), "{version}");
    }
}

#[test]
fn a_producer_id_without_an_epoch_and_an_epoch_without_an_id_are_invalid() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    for version in 3..=5 {
        for (transactional_id, producer_id, producer_epoch, want) in [
            (None, -1, -1, 0),
            (None, 7, 0, 0),
            (None, 7, -1, 42),
            (None, -1, 0, 42),
            (Some("tx".into()), 7, -1, 42),
        ] {
            let request =
                InitProducerIdRequest { transactional_id, producer_id, producer_epoch, ..Default::default() };
            assert_eq!(client.call(&request, version).error_code, want, "{version} {request:?}");
        }
    }
}

/// Without transactions all that is committed is stable, and a reader of committed transactions
/// sees it all.
#[test]
fn readers_of_committed_transactions_see_what_others_do() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let id = producer_id(&mut client);
    assert_eq!(send(&mut client, sent(id, 0, 0, 3)), (0, 0));
    for isolation_level in [0, 1] {
        let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
        let topics =
            vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }];
        let request = FetchRequest { max_bytes: 1 << 20, isolation_level, topics, ..Default::default() };
        let response = client.call(&request, 11);
        let data = &response.responses[0].partitions[0];
        assert_eq!((data.error_code, data.last_stable_offset), (0, 3));
        assert_eq!(data.aborted_transactions.is_some(), isolation_level == 1);
        assert!(data.records.as_ref().unwrap().as_bytes().unwrap().len() > 61);
    }
}
