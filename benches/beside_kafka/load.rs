//! A client that costs next to nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, Compression, NewRecord};
use klamm_types::Timestamp;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// A batch of records of `size` bytes each, some `bytes` in all before compression. The values are
/// words, which compress as text does.
pub(crate) fn batch(size: usize, bytes: usize, compression: Compression) -> (Vec<u8>, usize) {
    let options = BatchOptions { compression, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::with_capacity(bytes + 1024), options);
    let (mut count, mut seed) = (0, 1u64);
    while count * size < bytes {
        let mut value = Vec::with_capacity(size + 8);
        while value.len() < size {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            value.extend_from_slice(WORDS[(seed >> 33) as usize % WORDS.len()].as_bytes());
        }
        value.truncate(size);
        builder.append(&NewRecord::new(&value).at(Timestamp::from_millis(1_000_000))).expect("fits");
        count += 1;
    }
    (builder.finish().expect("has records").buffer, count)
}

const WORDS: [&str; 12] = [
    "flight ",
    "delayed ",
    "from ",
    "JFK ",
    "to ",
    "LAX ",
    "N14228 ",
    "2013-01-01 ",
    "departed ",
    "11 ",
    "minutes ",
    "late ",
];

/// A produce of one batch to partition 0, as a frame.
pub(crate) fn produce_frame(topic: &str, batch: Vec<u8>) -> Vec<u8> {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(Records::Bytes(batch.into())) }];
    let topic_data =
        vec![TopicProduceData { name: topic.into(), partition_data, ..TopicProduceData::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..ProduceRequest::default() };
    frame(&request, 9)
}

pub(crate) fn fetch_frame(topic: &str, offset: i64, bytes: i32, wait: i32) -> Vec<u8> {
    let partition =
        FetchPartition { fetch_offset: offset, partition_max_bytes: bytes, ..FetchPartition::default() };
    let topics =
        vec![FetchTopic { topic: topic.into(), partitions: vec![partition], ..FetchTopic::default() }];
    let request =
        FetchRequest { max_bytes: bytes, min_bytes: 1, max_wait_ms: wait, topics, ..FetchRequest::default() };
    frame(&request, 4)
}

fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let frame = encode_request(request, version, 1, Some("bench")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("can be set");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("can be set");
        Client { stream, answer: Vec::new() }
    }

    /// Whether somebody answers there.
    pub(crate) fn answers(address: SocketAddr) -> bool {
        let Ok(mut stream) = TcpStream::connect(address) else { return false };
        let asked = stream.write_all(&frame(&ApiVersionsRequest::default(), 0));
        asked.and_then(|()| stream.read_exact(&mut [0; 4])).is_ok()
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).expect("it reads");
    }

    /// The next answer, without its length.
    pub(crate) fn receive(&mut self) -> &[u8] {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer");
        let length = u32::from_be_bytes(length) as usize;
        if self.answer.len() < length {
            self.answer.resize(length, 0);
        }
        self.stream.read_exact(&mut self.answer[..length]).expect("all of it");
        &self.answer[..length]
    }

    /// Creates a topic; waits until it takes records.
    pub(crate) fn create(&mut self, topic: &str, partitions: i32) {
        let wanted = CreatableTopic {
            name: topic.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: vec![CreatableTopicConfig {
                name: "file.delete.delay.ms".into(),
                value: Some("0".into()),
            }],
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![wanted],
            timeout_ms: 30_000,
            ..CreateTopicsRequest::default()
        };
        self.send(&frame(&request, 4));
        self.receive();
        let (one, _) = batch(10, 10, Compression::None);
        let frame = produce_frame(topic, one);
        loop {
            self.send(&frame);
            if error_of_produce(self.receive(), topic) == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Client {
    /// Creates topics with one request.
    pub(crate) fn create_all(&mut self, topics: &[String], partitions: i32) {
        let topic = |name: &String| CreatableTopic {
            name: name.as_str().into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let topics = topics.iter().map(topic).collect();
        self.send(&frame(&CreateTopicsRequest { topics, timeout_ms: 60_000, ..Default::default() }, 4));
        self.receive();
    }

    /// Deletes topics with one request.
    pub(crate) fn delete_all(&mut self, topics: &[String]) {
        let topic_names = topics.iter().map(|name| name.as_str().into()).collect();
        self.send(&frame(&DeleteTopicsRequest { topic_names, timeout_ms: 60_000, ..Default::default() }, 4));
        self.receive();
    }

    /// Waits until groups are served.
    pub(crate) fn ready_for_groups(&mut self) {
        crate::groups::ready(self);
    }

    /// Deletes a topic, and its files with it: pages that were never used before cost more than all
    /// that is measured.
    pub(crate) fn delete(&mut self, topic: &str) {
        let request =
            DeleteTopicsRequest { topic_names: vec![topic.into()], timeout_ms: 30_000, ..Default::default() };
        self.send(&frame(&request, 4));
        self.receive();
    }
}

/// The error of the one partition of a Produce 9: correlation id, tags, topics, name, partitions,
/// index.
pub(crate) fn error_of_produce(answer: &[u8], topic: &str) -> i16 {
    let at = 4 + 1 + 1 + 1 + topic.len() + 1 + 4;
    i16::from_be_bytes([answer[at], answer[at + 1]])
}
