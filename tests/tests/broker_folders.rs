//! Several folders (`log.dirs`): partitions are spread, found again wherever they are, and a folder
//! that fails takes only its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::requests::batch_of;

fn start(folders: &[PathBuf]) -> (Broker, Client) {
    let config = BrokerConfig { log_dirs: folders.to_vec(), ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

/// Names of the partitions in a folder.
fn partitions(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("t-")).collect();
    names.sort();
    names
}

/// The error of producing to each of four partitions.
fn produce_to_all(client: &mut Client) -> Vec<i16> {
    let data = |index| PartitionProduceData { index, records: Some(batch_of(&["v"])) };
    let topic = TopicProduceData {
        name: "t".into(),
        partition_data: (0..4).map(data).collect(),
        ..Default::default()
    };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() };
    let response = client.call(&request, 12);
    response.responses[0].partition_responses.iter().map(|partition| partition.error_code).collect()
}

#[test]
fn partitions_go_where_the_fewest_are_and_are_found_in_any_order() {
    let root = tempfile::tempdir().unwrap();
    let folders = [root.path().join("a"), root.path().join("b")];
    {
        let (broker, mut client) = start(&folders);
        assert_eq!(create(&mut client, "t", 4, &[]).0, 0);
        assert_eq!(produce_to_all(&mut client), [0; 4]);
        broker.stop().unwrap();
    }
    // With the metadata log the first has three.
    assert_eq!((partitions(&folders[0]).len(), partitions(&folders[1]).len()), (2, 2));
    let turned = [folders[1].clone(), folders[0].clone()];
    let (_broker, mut client) = start(&turned);
    assert_eq!(produce_to_all(&mut client), [0; 4]);
    let dirs = client.call(&DescribeLogDirsRequest { topics: None }, 4).results;
    let sizes: Vec<i64> = dirs
        .iter()
        .flat_map(|dir| &dir.topics)
        .flat_map(|topic| &topic.partitions)
        .map(|partition| partition.partition_size)
        .collect();
    assert_eq!(sizes.len(), 4);
    assert!(sizes.iter().all(|size| *size == sizes[0] && *size > 100), "both batches are there: {sizes:?}");
}

#[test]
fn a_folder_that_fails_takes_its_partitions_and_no_others() {
    let root = tempfile::tempdir().unwrap();
    let folders = [root.path().join("a"), root.path().join("b")];
    {
        let (broker, mut client) = start(&folders);
        assert_eq!(create(&mut client, "t", 4, &[]).0, 0);
        assert_eq!(produce_to_all(&mut client), [0; 4]);
        broker.stop().unwrap();
    }
    let lost = partitions(&folders[1]);
    // A file where the folder was: also root cannot open it.
    std::fs::rename(&folders[1], root.path().join("away")).unwrap();
    std::fs::write(&folders[1], "a disk that is gone").unwrap();
    {
        let (broker, mut client) = start(&folders);
        let errors = produce_to_all(&mut client);
        for (number, error) in errors.iter().enumerate() {
            let want = if lost.contains(&format!("t-{number}")) { 56 } else { 0 };
            assert_eq!(*error, want, "partition {number} of {lost:?}");
        }
        let topics = client.call(&MetadataRequest { topics: None, ..Default::default() }, 12).topics;
        let offline: Vec<_> = topics[0].partitions.iter().filter(|p| p.error_code == 5).collect();
        assert_eq!(offline.len(), lost.len());
        assert!(offline.iter().all(|p| p.leader_id == -1 && p.offline_replicas == [1]));
        let dirs = client.call(&DescribeLogDirsRequest { topics: None }, 4).results;
        assert_eq!(dirs.iter().map(|dir| dir.error_code).collect::<Vec<_>>(), [0, 56]);
        // New topics go where they can.
        assert_eq!(create(&mut client, "u", 2, &[]).0, 0);
        broker.stop().unwrap();
    }
    std::fs::remove_file(&folders[1]).unwrap();
    std::fs::rename(root.path().join("away"), &folders[1]).unwrap();
    let (_broker, mut client) = start(&folders);
    assert_eq!(produce_to_all(&mut client), [0; 4], "all are back");
}

#[test]
fn a_folder_of_another_cluster_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| root.path().join(name));
    start(std::slice::from_ref(&a)).0.stop().unwrap();
    start(std::slice::from_ref(&b)).0.stop().unwrap();
    let config = BrokerConfig { log_dirs: vec![a, b.clone()], ..BrokerConfig::for_test() };
    let error = Broker::start(config).unwrap_err().to_string();
    assert!(error.contains("belongs to cluster") && error.contains(b.to_str().unwrap()), "{error}");
}

#[test]
fn the_first_folder_has_the_metadata_and_must_be_there() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config =
        BrokerConfig { log_dirs: vec![file.clone(), root.path().join("b")], ..BrokerConfig::for_test() };
    let error = Broker::start(config).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}
