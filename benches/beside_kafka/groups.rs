//! Groups at the broker: offsets that are committed, groups that are idle, and offsets that are
//! read again after a restart.

use std::time::Instant;

use klamm_protocol::codec::Reader;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::join_group_response::JoinGroupResponse;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use klamm_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{Message, Request, encode_request};

use crate::beside;
use crate::load::Client;
use crate::node::Node;

/// Requests that are under way at a time.
const DEPTH: usize = 64;
const PARTITIONS: i32 = 100;
const IDLE: usize = 10_000;
const REPLAYED: usize = 1_000_000;
const TOPIC: &str = "committed";

pub(crate) fn run(nodes: &mut [Node]) {
    println!("\n| groups | Klamm | Kafka | ratio | Klamm | Kafka | ratio |\n|---|---|---|---|---|---|---|");
    for node in nodes.iter() {
        Client::connect(node.address).create(TOPIC, PARTITIONS);
        ready(&mut Client::connect(node.address));
    }
    for (each, requests) in [(1, 40_000), (PARTITIONS, 2_000)] {
        let what =
            format!("commits, {each} offsets a request: offsets a second of wall time; a second of CPU");
        beside(&what, ["", ""], nodes, crate::ROUNDS, |node| commits(node, each, requests));
    }
    beside("10,000 idle groups: KiB each; the process before, MiB", ["", ""], nodes, 1, idle);
    beside(
        "a restart with 1,000,000 offset records in a partition: s to the first OffsetFetch; the process, MiB",
        ["", ""],
        nodes,
        1,
        replay,
    );
}

fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let frame = encode_request(request, version, 7, Some("bench")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}

/// The answer, behind its head of so many bytes.
fn ask<R: Request>(client: &mut Client, request: &R, version: i16, head: usize) -> R::Response {
    client.send(&frame(request, version));
    let answer = client.receive().to_vec();
    R::Response::read(&mut Reader::new(answer[head..].to_vec().into()), version).expect("an answer")
}

/// Until the topic of offsets is there, and can be asked.
pub(crate) fn ready(client: &mut Client) {
    let request = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    while ask(client, &request, 2, 4).error_code != 0 || fetch(client) != 0 {
        std::thread::yield_now();
    }
}

fn fetch(client: &mut Client) -> i16 {
    let groups = vec![OffsetFetchRequestGroup {
        group_id: "g".into(),
        topics: Some(Vec::new()),
        ..Default::default()
    }];
    ask(client, &OffsetFetchRequest { groups, ..Default::default() }, 8, 5).groups[0].error_code
}

/// A commit of one that is no member.
fn commit(each: i32, offset: i64) -> Vec<u8> {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some("".into()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: (0..each).map(partition).collect(),
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    frame(&request, 7)
}

fn commits(node: &mut Node, each: i32, requests: usize) -> [f64; 2] {
    let mut client = Client::connect(node.address);
    let (frame, cpu, begun) = (commit(each, 5), node.cpu(), Instant::now());
    send_all(&mut client, &frame, requests);
    let offsets = (requests * each as usize) as f64;
    [offsets / begun.elapsed().as_secs_f64(), offsets / (node.cpu() - cpu)]
}

fn send_all(client: &mut Client, frame: &[u8], requests: usize) {
    for sent in 0..requests + DEPTH {
        if sent < requests {
            client.send(frame);
        }
        if sent >= DEPTH {
            client.receive();
        }
    }
}

/// Groups of one member that has joined and has its assignment.
fn idle(node: &mut Node) -> [f64; 2] {
    let mut client = Client::connect(node.address);
    let before = node.resident();
    for group in 0..IDLE {
        let group = format!("idle-{group}");
        let join = JoinGroupRequest {
            group_id: group.as_str().into(),
            session_timeout_ms: 1_800_000,
            rebalance_timeout_ms: 1_800_000,
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: vec![0; 24].into() }],
            ..JoinGroupRequest::default()
        };
        // Version 3 is the last in which one without an id need not come twice.
        let told: JoinGroupResponse = ask(&mut client, &join, 3, 4);
        assert_eq!(told.error_code, 0, "it joins");
        let assignment = vec![0; 24].into();
        let sync = SyncGroupRequest {
            group_id: group.as_str().into(),
            generation_id: told.generation_id,
            member_id: told.member_id.clone(),
            assignments: vec![SyncGroupRequestAssignment { member_id: told.member_id, assignment }],
            ..SyncGroupRequest::default()
        };
        assert_eq!(ask(&mut client, &sync, 2, 4).error_code, 0, "it has its assignment");
    }
    [(node.resident() - before) / IDLE as f64, before / 1024.0]
}

fn replay(node: &mut Node) -> [f64; 2] {
    let mut client = Client::connect(node.address);
    send_all(&mut client, &commit(PARTITIONS, 6), REPLAYED / PARTITIONS as usize);
    drop(client);
    node.restart();
    let begun = Instant::now();
    let mut client = Client::connect(node.address);
    while fetch(&mut client) != 0 {
        std::thread::yield_now();
    }
    [begun.elapsed().as_secs_f64(), node.resident() / 1024.0]
}
