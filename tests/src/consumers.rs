//! Members of groups whose broker assigns (KIP-848), as clients that speak the protocol by hand.

use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_describe_response::DescribedGroup;
use klamm_protocol::messages::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use klamm_protocol::messages::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;

use crate::client::Client;

/// A connection, and what it was told.
pub struct Consumer {
    /// The connection.
    pub client: Client,
    /// What it says when it has nothing to say.
    pub beat: ConsumerGroupHeartbeatRequest,
    /// What it has: topics by their ids, with their partitions.
    pub has: Vec<TopicPartitions>,
}

impl Consumer {
    /// One of nothing yet, after it has found the coordinator.
    ///
    /// # Panics
    /// When the broker is not the coordinator.
    #[must_use]
    pub fn new(mut client: Client, group: &str, id: &str) -> Consumer {
        let request = FindCoordinatorRequest { key: group.into(), ..FindCoordinatorRequest::default() };
        assert_eq!(client.call(&request, 3).error_code, 0);
        let beat = ConsumerGroupHeartbeatRequest {
            group_id: group.into(),
            member_id: id.into(),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        Consumer { client, beat, has: Vec::new() }
    }

    /// A request to join that wants topics by their names, and by an expression.
    #[must_use]
    pub fn joining(&self, topics: &[&str], regex: Option<&str>) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            member_epoch: 0,
            rebalance_timeout_ms: 300_000,
            subscribed_topic_names: Some(topics.iter().map(|topic| (*topic).into()).collect()),
            subscribed_topic_regex: regex.map(Into::into),
            topic_partitions: Some(Vec::new()),
            ..self.beat.clone()
        }
    }

    /// Sends a heartbeat, and notes what it is told; the error.
    pub fn send(&mut self, request: &ConsumerGroupHeartbeatRequest) -> i16 {
        self.call(request).error_code
    }

    /// The same with the whole answer.
    pub fn call(&mut self, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        let told = self.client.call(request, 1);
        if told.error_code == 0 {
            self.beat.member_epoch = told.member_epoch;
            if let Some(given) = &told.assignment {
                let topic =
                    |topic: &klamm_protocol::messages::consumer_group_heartbeat_response::TopicPartitions| {
                        TopicPartitions { topic_id: topic.topic_id, partitions: topic.partitions.clone() }
                    };
                self.has = given.topic_partitions.iter().map(topic).collect();
            }
        }
        told
    }

    /// Says nothing but that it is alive; the error.
    pub fn beat(&mut self) -> i16 {
        self.send(&self.beat.clone())
    }

    /// Says that it has what it was told, and no more; the error.
    pub fn acknowledge(&mut self) -> i16 {
        let topic_partitions = Some(self.has.clone());
        self.send(&ConsumerGroupHeartbeatRequest { topic_partitions, ..self.beat.clone() })
    }

    /// How many partitions it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.has.iter().map(|topic| topic.partitions.len()).sum()
    }
}

/// A group as the broker describes it.
pub fn described(client: &mut Client, group: &str) -> DescribedGroup {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
    client.call(&request, 1).groups[0].clone()
}
