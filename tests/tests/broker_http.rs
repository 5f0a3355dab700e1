//! What an operator looks at: metrics, health, the page.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use klamm_broker::testing::TestBroker;
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_sim::HookDisk;
use klamm_tests::client::Client;
use klamm_tests::consumers::Consumer;
use klamm_tests::groups::{Member, commit_in_two_partitions, damage_the_second_partition};
use klamm_tests::http::ask;
use klamm_tests::requests::{batch_of, produce, topic};

fn config() -> BrokerConfig {
    let http_listener = Some("127.0.0.1:0".parse().unwrap());
    BrokerConfig { http_listener, ..BrokerConfig::for_test() }
}

/// The value of a figure.
fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(key, _)| key == name));
    let value = line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).rsplit_once(' ').unwrap().1;
    value.parse().unwrap()
}

#[test]
fn metrics_count_what_happened_under_kafkas_names() {
    let broker = Broker::start(config()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    let sent = batch_of(&["a", "b", "c"]);
    let bytes = sent.as_bytes().unwrap().len();
    produce(&mut client, "t", id, sent, -1, 13);
    produce(&mut client, "t", id, klamm_protocol::Records::Bytes("no batch".into()), -1, 13);
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    client.call(&FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() }, 13);
    let (status, text) = ask(broker.http_address().unwrap(), "GET /metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let own = broker.metrics();
    let topic = "{topic=\"t\"}";
    #[allow(clippy::cast_precision_loss)]
    for (name, want) in [
        ("kafka_server_socket_server_metrics_connection_count".to_owned(), 1.0),
        ("kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"13\"}".to_owned(), 2.0),
        ("kafka_network_requestmetrics_totaltime_seconds_count{request=\"Fetch\"}".to_owned(), 1.0),
        (format!("kafka_server_brokertopicmetrics_bytesin_total{topic}"), bytes as f64),
        (format!("kafka_server_brokertopicmetrics_bytesout_total{topic}"), bytes as f64),
        (format!("kafka_server_brokertopicmetrics_messagesin_total{topic}"), 3.0),
        (format!("kafka_server_brokertopicmetrics_failedproducerequests_total{topic}"), 1.0),
        ("kafka_log_log_size{topic=\"t\",partition=\"0\"}".to_owned(), bytes as f64),
        ("kafka_log_log_logendoffset{topic=\"t\",partition=\"0\"}".to_owned(), 3.0),
        ("kafka_server_replicamanager_partitioncount".to_owned(), 1.0),
        ("kafka_log_logmanager_offlinelogdirectorycount".to_owned(), 0.0),
    ] {
        for text in [&text, &own] {
            assert!(
                (figure(text, &name) - want).abs() < 0.5,
                "{name} is {}, not {want}",
                figure(text, &name)
            );
        }
    }
    assert!(text.ends_with("# EOF\n"));
}

/// Nobody reads the metrics while the topics are there.
#[test]
fn the_counters_of_a_topic_go_when_it_is_deleted() {
    let broker = Broker::start(config()).unwrap();
    let mut client = Client::connect(&broker);
    for name in ["zz1", "zz2", "zz3"] {
        let id = topic(&mut client, name);
        assert_eq!(produce(&mut client, name, id, batch_of(&["a"]), -1, 13).error_code, 0);
        produce(&mut client, name, id, klamm_protocol::Records::Bytes("no batch".into()), -1, 13);
        let request =
            DeleteTopicsRequest { topic_names: vec![name.into()], ..DeleteTopicsRequest::default() };
        assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
    }
    // A topic of the same name counts from 0, also where the deletion was not seen in the metrics.
    let id = topic(&mut client, "zz1");
    produce(&mut client, "zz1", id, batch_of(&["a"]), -1, 13);
    let text = broker.metrics();
    let count = "kafka_server_brokertopicmetrics_messagesin_total{topic=\"zz1\"}";
    assert!((figure(&text, count) - 1.0).abs() < 0.5, "{text}");
    let failed = "kafka_server_brokertopicmetrics_failedproducerequests_total{topic=\"zz1\"}";
    assert!(figure(&text, failed) < 0.5, "{text}");
    assert!(!text.contains("zz2") && !text.contains("zz3"), "{text}");
}

#[test]
fn counters_of_failures_are_there_before_the_first_failure() {
    let broker = Broker::start(config()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    let text = broker.metrics();
    for name in [
        "kafka_server_brokertopicmetrics_failedproducerequests_total{topic=\"t\"}",
        "klamm_background_failures_total{task=\"retention\"}",
        "klamm_background_failures_total{task=\"read\"}",
    ] {
        assert!(figure(&text, name) < 0.5, "{name}");
    }
}

#[test]
fn metrics_count_what_becomes_of_groups() {
    let broker = Broker::start(config()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    for _ in 0..9 {
        assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    }
    let mut classic = Member::new(Client::connect(&broker), "classic");
    assert_eq!(classic.join(&["t"]).error_code, 0);
    let id = classic.id.to_string();
    assert_eq!(classic.sync(&[(&id, "everything")]).error_code, 0);
    assert_eq!((classic.commit("t", 5), classic.commit("t", 6)), (0, 0));
    let mut one = Consumer::new(Client::connect(&broker), "newer", "one");
    let join = one.joining(&["t"], None);
    assert_eq!(one.send(&join), 0);
    let text = broker.metrics();
    for labels in [
        "group=\"classic\",protocol=\"classic\",state=\"Stable\"",
        "group=\"newer\",protocol=\"consumer\",state=\"Stable\"",
    ] {
        assert!((figure(&text, &format!("kafka_consumergroup_state{{{labels}}}")) - 1.0).abs() < 0.5);
    }
    let labels = "{group=\"classic\",topic=\"t\",partition=\"0\"}";
    for (name, want) in [
        ("kafka_consumergroup_members{group=\"classic\"}".to_owned(), 1.0),
        ("kafka_consumergroup_members{group=\"newer\"}".to_owned(), 1.0),
        (format!("kafka_consumergroup_current_offset{labels}"), 6.0),
        (format!("kafka_consumergroup_lag{labels}"), 3.0),
        ("kafka_coordinator_group_groupmetadatamanager_numgroups{state=\"Stable\"}".to_owned(), 2.0),
        ("kafka_coordinator_group_groupmetadatamanager_numgroups{state=\"Empty\"}".to_owned(), 0.0),
    ] {
        let found = figure(&text, &name);
        assert!((found - want).abs() < 0.5, "{name} is {found}, not {want}");
    }
    for (name, want) in [
        ("group_count{protocol=\"classic\"}", 1.0),
        ("group_count{protocol=\"consumer\"}", 1.0),
        ("rebalance_total{protocol=\"classic\"}", 1.0),
        ("rebalance_total{protocol=\"consumer\"}", 1.0),
        ("offset_commit_total", 2.0),
        ("offset_deletion_total", 0.0),
        ("lost_members_total", 0.0),
    ] {
        let found = figure(&text, &format!("kafka_server_group_coordinator_{name}"));
        assert!((found - want).abs() < 0.5, "{name} is {found}, not {want}");
    }
}

#[test]
fn health_is_ok_until_a_folder_fails() {
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = ["a", "b"].iter().map(|name| root.path().join(name)).collect();
    let config = BrokerConfig { log_dirs: folders.clone(), ..config() };
    {
        let broker = Broker::start(config.clone()).unwrap();
        let (status, body) = ask(broker.http_address().unwrap(), "GET /healthz");
        assert_eq!((&*status, &*body), ("HTTP/1.1 200 OK", "ok\n"));
    }
    std::fs::remove_dir_all(&folders[1]).unwrap();
    std::fs::write(&folders[1], "gone").unwrap();
    let broker = Broker::start(config).unwrap();
    let (status, body) = ask(broker.http_address().unwrap(), "GET /healthz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, format!("folder {} failed\n", folders[1].display()));
}

#[test]
fn health_and_metrics_tell_of_groups_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], offsets_partitions: 2, ..config() };
    let broker = Broker::start(config.clone()).unwrap();
    commit_in_two_partitions(&broker);
    let address = broker.http_address().unwrap();
    assert_eq!(ask(address, "GET /healthz").1, "ok\n");
    let count = |address, state: &str| {
        let name = format!("kafka_server_group_coordinator_num_partitions{{state=\"{state}\"}}");
        figure(&ask(address, "GET /metrics").1, &name)
    };
    assert!((count(address, "active") - 2.0).abs() < 0.5);
    broker.stop().unwrap();
    damage_the_second_partition(folder.path());
    let broker = Broker::start(config).unwrap();
    let address = broker.http_address().unwrap();
    while count(address, "loading") > 0.5 {
        std::thread::yield_now();
    }
    let (status, body) = ask(address, "GET /healthz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(
        body,
        "the groups of __consumer_offsets-1 are not served: it cannot be read, the log says why\n"
    );
    assert!((count(address, "failed") - 1.0).abs() < 0.5);
}

#[test]
fn the_page_is_there_and_nothing_else_is() {
    let broker = Broker::start(config()).unwrap();
    let address = broker.http_address().unwrap();
    let (status, page) = ask(address, "GET /");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.starts_with("<!doctype html>"));
    assert!(!page.contains("http://") && !page.contains("https://"), "it needs nothing from elsewhere");
    assert_eq!(ask(address, "GET /secret").0, "HTTP/1.1 404 Not Found");
    assert_eq!(ask(address, "POST /metrics").0, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(ask(address, "HEAD /healthz").1, "");
}

#[test]
fn connections_that_ask_for_nothing_keep_nobody_out() {
    let broker = Broker::start(config()).unwrap();
    let address = broker.http_address().unwrap();
    let many = |request: &str| format!("{request} HTTP/1.1\r\nHost: k\r\n\r\n").repeat(2000);
    // The last two are requests whose responses nobody reads.
    for begun in ["", "GET /hea", &many("GET /healthz"), &many("GET /metrics")] {
        // Twice as many as there may be at a time.
        let open = |_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nonblocking(true).unwrap();
            // As much as the broker takes, or nothing when it has closed the connection for another
            // one.
            let _taken = stream.write(begun.as_bytes());
            stream
        };
        let half_open: Vec<_> = (0..64).map(open).collect();
        assert_eq!(ask(address, "GET /healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
        drop(half_open);
    }
}

#[test]
fn a_background_task_that_fails_is_counted_and_shown_until_it_succeeds() {
    let broker = TestBroker::start_with(config()).unwrap();
    let address = broker.running().http_address().unwrap();
    let mut client = Client::connect(broker.running());
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    broker.advance(MINUTE).unwrap();
    broker.fill_disk();
    broker.advance(MINUTE).unwrap_err();
    let (status, body) = ask(address, "GET /healthz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("background task checkpoints fails: "), "{body}");
    let count = "klamm_background_failures_total{task=\"checkpoints\"}";
    assert!(figure(&broker.running().metrics(), count) >= 1.0);
    broker.free_disk();
    broker.advance(MINUTE).unwrap();
    assert_eq!(ask(address, "GET /healthz").1, "ok\n");
}

/// What `/healthz` lists, without the background tasks that fail too.
fn refusing(broker: &TestBroker) -> Vec<String> {
    let (_, body) = ask(broker.running().http_address().unwrap(), "GET /healthz");
    let partition =
        |line: &str| Some(line.strip_prefix("partition ")?.split_once(" takes no records: ")?.0.to_owned());
    body.lines().filter_map(partition).collect()
}

/// The error of a topic that is created when a client asks for it.
fn automatic(client: &mut Client, name: &str) -> i16 {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
    client.call(&request, 13).topics[0].error_code
}

#[test]
fn partitions_that_take_no_records_are_shown_until_they_do() {
    let broker = TestBroker::start_with(config()).unwrap();
    let (mut client, member) = (Client::connect(broker.running()), Client::connect(broker.running()));
    let (id, mut member) = (topic(&mut client, "t"), Member::new(member, "a"));
    let mut errors = || {
        let produced = produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code;
        [produced, member.commit("t", 7), automatic(&mut client, "u")]
    };
    broker.fill_disk();
    assert!(errors().iter().all(|error| *error != 0));
    let names = refusing(&broker);
    let is_shown = |name: &str| names.iter().any(|shown| shown.starts_with(name));
    assert!(["__cluster_metadata-0", "__consumer_offsets-", "t-0"].into_iter().all(is_shown), "{names:?}");
    broker.free_disk();
    assert_eq!(errors(), [0; 3]);
    assert_eq!(refusing(&broker), [""; 0]);
}

#[test]
fn a_log_that_has_failed_is_shown() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let mut config = BrokerConfig { log_dirs: vec![directory.path().into()], ..config() };
    config.topic.log.flush_time = Some(std::time::Duration::from_secs(1));
    let broker = TestBroker::start_on(Arc::new(disk.clone()), config).unwrap();
    let mut client = Client::connect(broker.running());
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    disk.set(|operation, path| match operation == "sync" && path.to_string_lossy().contains("/t-0/") {
        true => Err(std::io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
    // The time of `flush.ms` counts from the first round of maintenance.
    let rounds = [broker.advance(MINUTE), broker.advance(MINUTE)];
    assert!(rounds.iter().any(Result::is_err));
    disk.clear();
    assert_eq!(refusing(&broker), ["t-0"]);
}

#[test]
fn a_damaged_batch_that_a_client_fetches_is_shown() {
    use std::os::unix::fs::FileExt;
    let broker = Broker::start(config()).unwrap();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["v"]), -1, 13).error_code, 0);
    let file = broker.path().join("t-0/00000000000000000000.log");
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    // The magic byte.
    file.write_all_at(&[7], 16).unwrap();
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    let fetched = client.call(&FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() }, 13);
    assert_eq!(fetched.responses[0].partitions[0].error_code, ErrorCode::CorruptMessage.code());
    let (status, body) = ask(broker.http_address().unwrap(), "GET /healthz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.starts_with("partition t-0 cannot be read at offset 0: "), "{body}");
    assert!(figure(&broker.metrics(), "klamm_background_failures_total{task=\"read\"}") >= 1.0);
}

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);
