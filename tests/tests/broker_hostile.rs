//! Frames that are cut, flipped, or random in part: whatever comes, the broker goes on for everyone
//! else.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_tests::client::Client;
use klamm_tests::hostile::{good_frames, served};
use klamm_tests::requests::{api_versions, topic};
use proptest::prelude::*;

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
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1000));
    let id = topic(&mut other, "t");
    let good = good_frames(&served(&mut other), "t", id);
    let cases = (0..good.len(), prop::collection::vec(harm(), 1..4));
    let run = |(which, harms): (usize, Vec<Harm>)| {
        let mut frame = good[which].2.clone();
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
    assert_eq!(other.call(&api_versions(), 3).error_code, 0);
    broker.stop().unwrap();
}

/// One that creates ten thousand partitions does not keep others from their records.
#[test]
fn a_long_command_keeps_nobody_waiting() {
    let config = BrokerConfig { io_threads: 1, network_threads: 1, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut commanding = Client::connect(&broker);
    let wanted = |name: &str| CreatableTopic {
        name: name.into(),
        num_partitions: 500,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![wanted("a"), wanted("b")], ..Default::default() };
    commanding.send(&request, 5);
    let mut other = Client::connect(&broker);
    let mut answered = 0;
    // Each answer comes while the command goes on, until its own does.
    commanding.poll_each(|| {
        assert_eq!(other.call(&api_versions(), 3).error_code, 0);
        answered += 1;
    });
    assert!(answered > 10, "{answered} answers while a thousand partitions were created");
}

/// A declared length reserves nothing: ninety connections that each promise the largest frame there
/// may be, and send a little of it, leave room for the others.
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
    assert_eq!(other.call(&api_versions(), 3).error_code, 0);
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
