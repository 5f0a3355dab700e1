//! A light consumer: a member of a group whose broker assigns (KIP-848).

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use klamm_protocol::messages::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::link::Link;
use super::{PERIOD, Shared, TOPIC};

pub(super) struct Consumer {
    link: Link,
    shared: Rc<Shared>,
    group: usize,
    id: String,
    epoch: i32,
    /// What it was assigned: topics by their ids. One topic at most.
    has: Vec<TopicPartitions>,
}

impl Consumer {
    pub(super) fn new(link: Link, shared: Rc<Shared>, group: usize, number: usize) -> Consumer {
        Consumer { link, shared, group, id: format!("member-{number}"), epoch: 0, has: Vec::new() }
    }

    /// Heartbeats and commits every few seconds and fetches in between, until the connection
    /// breaks.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        loop {
            self.heartbeat().await?;
            self.commit().await?;
            let until = Instant::now() + PERIOD;
            while Instant::now() < until {
                self.fetch(until.saturating_duration_since(Instant::now())).await?;
            }
        }
    }

    fn partitions(&self) -> impl Iterator<Item = i32> {
        self.has.iter().flat_map(|topic| &topic.partitions).copied()
    }

    async fn heartbeat(&mut self) -> io::Result<()> {
        let is_new = self.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: group_name(self.group).as_str().into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if is_new { 60_000 } else { -1 },
            subscribed_topic_names: is_new.then(|| vec![TOPIC.into()]),
            topic_partitions: Some(self.has.clone()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let told = self.link.ask(&request, 1).await?;
        if told.error_code != 0 {
            self.shared.note_error("ConsumerGroupHeartbeat", told.error_code);
            self.epoch = 0;
            self.has.clear();
            return Ok(());
        }
        self.epoch = told.member_epoch;
        if let Some(assignment) = told.assignment {
            let topic =
                |topic: klamm_protocol::messages::consumer_group_heartbeat_response::TopicPartitions| {
                    TopicPartitions { topic_id: topic.topic_id, partitions: topic.partitions }
                };
            self.has = assignment.topic_partitions.into_iter().map(topic).collect();
        }
        Ok(())
    }

    async fn commit(&mut self) -> io::Result<()> {
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: self.shared.position(self.group, partition_index),
            ..OffsetCommitRequestPartition::default()
        };
        let partitions: Vec<_> = self.partitions().map(partition).collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            group_id: group_name(self.group).as_str().into(),
            generation_id_or_member_epoch: self.epoch,
            member_id: self.id.as_str().into(),
            topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() }],
            ..OffsetCommitRequest::default()
        };
        let told = self.link.ask(&request, 9).await?;
        let errors = told.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
        errors.filter(|code| *code != 0).for_each(|code| self.shared.note_error("OffsetCommit", code));
        Ok(())
    }

    async fn fetch(&mut self, wait: Duration) -> io::Result<()> {
        let partition = |partition| FetchPartition {
            partition,
            fetch_offset: self.shared.position(self.group, partition),
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let partitions: Vec<_> = self.partitions().map(partition).collect();
        if partitions.is_empty() {
            tokio::time::sleep(wait).await;
            return Ok(());
        }
        let request = FetchRequest {
            max_bytes: 1 << 20,
            min_bytes: 1,
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(1000),
            topics: vec![FetchTopic { topic: TOPIC.into(), partitions, ..Default::default() }],
            session_epoch: -1,
            ..FetchRequest::default()
        };
        let told = self.link.ask(&request, 11).await?;
        for partition in told.responses.iter().flat_map(|topic| &topic.partitions) {
            match (partition.error_code, partition.records.as_ref().and_then(|records| records.as_bytes())) {
                (0, Some(batches)) => self.shared.consume(self.group, partition.partition_index, batches),
                (0, None) => {}
                (code, _) => self.shared.note_error("Fetch", code),
            }
        }
        Ok(())
    }
}

fn group_name(group: usize) -> String {
    format!("group-{group}")
}
