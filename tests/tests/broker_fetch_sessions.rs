//! Fetch sessions (KIP-227) through a socket: a fetch names what changed, an answer tells what is
//! new, in both ways of naming topics.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::Uuid;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use klamm_protocol::messages::fetch_response::FetchResponse;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::requests::{batch_of, produce, topic};

/// By name below version 13, by id from there on.
const VERSIONS: [i16; 3] = [7, 12, 18];

struct Session {
    client: Client,
    topic: Uuid,
    version: i16,
    id: i32,
    epoch: i32,
}

impl Session {
    fn begin(broker: &Broker, version: i16) -> Session {
        let mut client = Client::connect(broker);
        let topic = topic(&mut client, "t");
        Session { client, topic, version, id: 0, epoch: 0 }
    }

    /// Fetches with these offsets for partitions, and forgets others.
    fn fetch(&mut self, offsets: &[(i32, i64)], forget: &[i32], wait: i32) -> FetchResponse {
        let by_id = self.version >= 13;
        let (name, id) = if by_id { ("".into(), self.topic) } else { ("t".into(), Uuid::ZERO) };
        let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
            partition: *partition,
            fetch_offset: *fetch_offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let partitions = offsets.iter().map(partition).collect();
        let forgotten = ForgottenTopic { topic: name, topic_id: id, partitions: forget.to_vec() };
        let (name, topic_id) = (forgotten.topic.clone(), id);
        let request = FetchRequest {
            max_bytes: 1 << 20,
            min_bytes: 1,
            max_wait_ms: wait,
            session_id: self.id,
            session_epoch: self.epoch,
            topics: vec![FetchTopic { topic: name, topic_id, partitions }],
            forgotten_topics_data: vec![forgotten],
            ..FetchRequest::default()
        };
        let response = self.client.call(&request, self.version);
        if response.error_code == 0 {
            (self.id, self.epoch) = (response.session_id, self.epoch + 1);
        }
        response
    }
}

fn told(response: &FetchResponse) -> Vec<(i32, bool)> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|p| {
            (
                p.partition_index,
                p.records.as_ref().is_some_and(|r| r.as_bytes().is_some_and(|b| !b.is_empty())),
            )
        })
        .collect()
}

#[test]
fn a_session_is_told_what_is_new() {
    for version in VERSIONS {
        let broker = Broker::start(BrokerConfig::for_test()).unwrap();
        let mut client = Client::connect(&broker);
        assert_eq!(create(&mut client, "t", 3, &[]).0, 0);
        let mut session = Session::begin(&broker, version);
        assert_eq!(
            told(&session.fetch(&[(0, 0), (1, 0), (2, 0)], &[], 0)),
            [(0, false), (1, false), (2, false)]
        );
        assert!(session.id > 0);
        assert_eq!(told(&session.fetch(&[], &[], 0)), []);
        let id = session.topic;
        produce(&mut client, "t", id, batch_of(&["v"]), 1, 13);
        // Told until the client says that it has them, and then once more where the partition ends.
        assert_eq!(told(&session.fetch(&[], &[], 10_000)), [(0, true)], "version {version}");
        assert_eq!(told(&session.fetch(&[(0, 1)], &[], 0)), []);
        assert_eq!(told(&session.fetch(&[(0, 9)], &[], 0)), [(0, false)], "an error is told");
        assert_eq!(told(&session.fetch(&[(0, 1)], &[1], 0)), [(0, false)], "and that it is over");
        assert_eq!(told(&session.fetch(&[], &[2], 0)), []);
    }
}

#[test]
fn a_session_that_is_not_there_or_not_in_step_is_refused() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut session = Session::begin(&broker, 18);
    session.fetch(&[(0, 0)], &[], 0);
    session.epoch = 5;
    assert_eq!(session.fetch(&[], &[], 0).error_code, 71);
    session.epoch = 1;
    session.version = 12;
    assert_eq!(session.fetch(&[], &[], 0).error_code, 106);
    session.version = 18;
    assert_eq!(session.fetch(&[], &[], 0).error_code, 0);
    session.id += 1;
    assert_eq!(session.fetch(&[], &[], 0).error_code, 70);
}

#[test]
fn without_room_a_client_is_served_all_the_same() {
    let config = BrokerConfig { max_fetch_sessions: 0, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut session = Session::begin(&broker, 18);
    let first = session.fetch(&[(0, 0)], &[], 0);
    assert_eq!((first.session_id, told(&first)), (0, vec![(0, false)]));
}
