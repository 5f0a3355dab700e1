//! Quotas: who has more than its share is told for how long, and its connection is not read from
//! meanwhile; others go on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::Uuid;
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_tests::client::Client;
use klamm_tests::requests::{batch_of, topic};

type Name<'a> = (&'a str, Option<&'a str>);

/// Sets a quota, or takes it away.
fn quota(client: &mut Client, entity: &[Name<'_>], key: &str, value: Option<f64>) -> (i16, String) {
    let entity = entity
        .iter()
        .map(|(kind, name)| EntityData { entity_type: (*kind).into(), entity_name: name.map(Into::into) });
    let op = OpData { key: key.into(), value: value.unwrap_or_default(), remove: value.is_none() };
    let entry = EntryData { entity: entity.collect(), ops: vec![op] };
    let request = AlterClientQuotasRequest { entries: vec![entry], validate_only: false };
    let result = client.call(&request, 1).entries[0].clone();
    (result.error_code, result.error_message.map(|words| words.to_string()).unwrap_or_default())
}

/// The quotas of entities that match: `kind=name key=value`.
fn described(client: &mut Client, components: &[(&str, i8, Option<&str>)], strict: bool) -> Vec<String> {
    let components = components.iter().map(|(kind, how, name)| ComponentData {
        entity_type: (*kind).into(),
        match_type: *how,
        r#match: name.map(Into::into),
    });
    let request = DescribeClientQuotasRequest { components: components.collect(), strict };
    let response = client.call(&request, 1);
    let words = response.entries.unwrap().into_iter().map(|entry| {
        let name = |part: &klamm_protocol::messages::describe_client_quotas_response::EntityData| {
            format!("{}={}", part.entity_type, part.entity_name.as_deref().unwrap_or("*"))
        };
        let who: Vec<_> = entry.entity.iter().map(name).collect();
        let values: Vec<_> = entry.values.iter().map(|v| format!("{}={}", v.key, v.value)).collect();
        format!("{}: {}", who.join(" "), values.join(" "))
    });
    words.collect()
}

fn produce(client: &mut Client, id: Uuid, bytes: usize) -> i32 {
    let records = Some(batch_of(&["x".repeat(bytes).as_str()]));
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic_data = vec![TopicProduceData { topic_id: id, partition_data, ..TopicProduceData::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..ProduceRequest::default() };
    let response = client.call(&request, 13);
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    response.throttle_time_ms
}

fn fetch(client: &mut Client, id: Uuid) -> i32 {
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    client.call(&FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() }, 13).throttle_time_ms
}

#[test]
fn who_sends_more_than_its_quota_waits_and_others_do_not() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, id, 50_000), 0, "no quota, no wait");
    // The test's client calls itself "test".
    let mine = [("client-id", Some("test"))];
    assert_eq!(quota(&mut client, &mine, "producer_byte_rate", Some(100_000.0)), (0, String::new()));
    assert_eq!(produce(&mut client, id, 50_000), 0, "a second's share is there at once");
    let wait = produce(&mut client, id, 80_000);
    assert!((200..=400).contains(&wait), "{wait} ms");
    let begun = Instant::now();
    let mut other = Client::connect(&broker);
    other.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 13);
    client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 13);
    assert!(begun.elapsed() >= Duration::from_millis(150), "muted for {:?}", begun.elapsed());
    assert_eq!(quota(&mut client, &mine, "producer_byte_rate", None).0, 0);
    assert_eq!(produce(&mut client, id, 200_000), 0, "no quota any more");
}

#[test]
fn who_reads_more_than_its_quota_waits() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    produce(&mut client, id, 100_000);
    assert_eq!(quota(&mut client, &[("client-id", None)], "consumer_byte_rate", Some(400_000.0)).0, 0);
    let waits: Vec<i32> = (0..5).map(|_| fetch(&mut client, id)).collect();
    assert_eq!(waits[0], 0);
    assert!(waits.iter().any(|wait| *wait > 0), "{waits:?}");
}

#[test]
fn who_occupies_the_threads_waits() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    // A hundredth of a thread: a hundred requests or so are more than a second of that.
    assert_eq!(quota(&mut client, &[("user", None)], "request_percentage", Some(1.0)).0, 0);
    let begun = Instant::now();
    let mut told = 0;
    while told == 0 && begun.elapsed() < Duration::from_secs(20) {
        told = produce(&mut client, id, 10);
    }
    assert!(told > 0, "never told to wait");
}

#[test]
fn quotas_are_told_checked_and_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    {
        let broker = Broker::start(config.clone()).unwrap();
        let mut client = Client::connect(&broker);
        let both = [("user", Some("u")), ("client-id", None)];
        assert_eq!(quota(&mut client, &both, "producer_byte_rate", Some(5.0)).0, 0);
        assert_eq!(quota(&mut client, &[("client-id", Some("c"))], "request_percentage", Some(6.5)).0, 0);
        for (entity, key, value, want) in [
            (
                &[("group", Some("g"))][..],
                "producer_byte_rate",
                1.0,
                "a quota is for a user, a client-id or both, or for an ip, got group=g",
            ),
            (
                &[],
                "producer_byte_rate",
                1.0,
                "a quota is for a user, a client-id or both, or for an ip, got nobody",
            ),
            (
                &[("user", None)],
                "speed",
                1.0,
                "quota \"speed\" is not one of producer_byte_rate, consumer_byte_rate, request_percentage",
            ),
            (
                &[("user", Some(""))],
                "producer_byte_rate",
                1.0,
                "the name of a user is empty; the default has none",
            ),
            (
                &[("user", None)],
                "producer_byte_rate",
                1.5,
                "producer_byte_rate is 1.5, expected a whole number below 2^63",
            ),
            (
                &[("user", None)],
                "producer_byte_rate",
                -1.0,
                "producer_byte_rate is -1, expected a number above 0",
            ),
        ] {
            assert_eq!(quota(&mut client, entity, key, Some(value)), (42, want.to_owned()));
        }
        broker.stop().unwrap();
    }
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    let (c, u) = ("client-id=c: request_percentage=6.5", "client-id=* user=u: producer_byte_rate=5");
    assert_eq!(described(&mut client, &[], false), [u, c]);
    assert_eq!(described(&mut client, &[("client-id", 2, None)], false), [u, c]);
    assert_eq!(described(&mut client, &[("client-id", 2, None)], true), [c]);
    assert_eq!(described(&mut client, &[("client-id", 1, None)], false), [u]);
    assert_eq!(described(&mut client, &[("client-id", 0, Some("c"))], false), [c]);
    assert_eq!(described(&mut client, &[("user", 0, Some("u")), ("client-id", 1, None)], true), [u]);
}

#[test]
fn what_is_asked_for_in_a_wrong_way_is_refused() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let (user, name) = ("user", Some("u"));
    for (components, want) in [
        (&[(user, 0, name)][..], 0),
        (&[("ip", 1, None)], 0),
        (&[(user, 0, None)], 42),
        (&[(user, 1, name)], 42),
        (&[(user, 2, name)], 42),
        (&[(user, 3, None)], 42),
        (&[(user, 0, name), (user, 1, None)], 42),
        (&[("", 1, None)], 42),
        (&[("ip", 1, None), (user, 1, None)], 42),
        (&[("group", 1, None)], 35),
    ] {
        let components = components.iter().map(|(kind, how, name)| ComponentData {
            entity_type: (*kind).into(),
            match_type: *how,
            r#match: name.map(Into::into),
        });
        let request = DescribeClientQuotasRequest { components: components.collect(), strict: false };
        let told = client.call(&request, 1);
        assert_eq!(
            (told.error_code, told.error_message.is_some()),
            (want, want != 0),
            "{:?}",
            request.components
        );
    }
}

/// Whether a new connection is served. One that is too many for its address is closed without an
/// answer.
fn is_served(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    // ApiVersions 0 without a client id.
    let frame = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255];
    stream.write_all(&frame).is_ok() && matches!(stream.read(&mut [0; 4]), Ok(4))
}

#[test]
fn an_address_that_opens_too_many_connections_has_them_closed() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    let address = broker.bootstrap().parse().unwrap();
    let rate = "connection_creation_rate";
    let wrong = quota(&mut client, &[("ip", Some("localhost."))], rate, Some(1.0));
    assert_eq!(wrong, (42, "\"localhost.\" is not an IP address".to_owned()));
    assert_eq!(quota(&mut client, &[("ip", None)], rate, Some(1.0)), (0, String::new()));
    assert_eq!(described(&mut client, &[("ip", 1, None)], true), ["ip=*: connection_creation_rate=1"]);
    let served = (0..6).filter(|_| is_served(address)).count();
    assert!((1..6).contains(&served), "{served} of 6 were served");
    assert_eq!(quota(&mut client, &[("ip", None)], rate, None), (0, String::new()));
    assert!((0..6).all(|_| is_served(address)), "there is no quota any more");
}
