//! Members of groups, as clients that speak the classic protocol by hand.

use std::path::Path;

use klamm_broker::Broker;
use klamm_protocol::ByteString;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::heartbeat_request::HeartbeatRequest;
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::join_group_response::JoinGroupResponse;
use klamm_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::messages::sync_group_response::SyncGroupResponse;

use crate::admin::create;
use crate::client::Client;

/// A connection, and what it was told.
pub struct Member {
    /// The connection.
    pub client: Client,
    /// Its group.
    pub group: String,
    /// Its id, empty until it has one.
    pub id: ByteString,
    /// Its generation.
    pub generation: i32,
    /// The version of its joins; those of its other requests go with it.
    pub version: i16,
    /// What it calls itself for good.
    pub instance: Option<ByteString>,
    /// How long it may take to join again, in milliseconds.
    pub rebalance_ms: i32,
}

impl Member {
    /// One of nothing yet, after it has found the coordinator.
    ///
    /// # Panics
    /// When the broker is not the coordinator.
    #[must_use]
    pub fn new(mut client: Client, group: &str) -> Member {
        let request = FindCoordinatorRequest { key: group.into(), ..FindCoordinatorRequest::default() };
        assert_eq!(client.call(&request, 3).error_code, 0);
        let (group, id) = (group.to_owned(), ByteString::default());
        Member { client, group, id, generation: -1, version: 9, instance: None, rebalance_ms: 60_000 }
    }

    fn join_request(&self, topics: &[&str]) -> JoinGroupRequest {
        JoinGroupRequest {
            group_id: self.group.as_str().into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: if self.version > 0 { self.rebalance_ms } else { -1 },
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".into(),
                metadata: subscription(topics).into(),
            }],
            ..JoinGroupRequest::default()
        }
    }

    /// Sends a join, and does not wait.
    pub fn send_join(&mut self, topics: &[&str]) {
        let request = self.join_request(topics);
        self.client.send(&request, self.version);
    }

    /// Reads the answer to a join.
    ///
    /// # Panics
    /// When there is none.
    pub fn read_join(&mut self) -> JoinGroupResponse {
        let frame = self.client.frame().expect("an answer");
        let told = self.client.read::<JoinGroupRequest>(frame, self.version);
        if !told.member_id.is_empty() {
            self.id = told.member_id.clone();
        }
        self.generation = told.generation_id;
        told
    }

    /// Joins, a second time if it is given an id first.
    pub fn join(&mut self, topics: &[&str]) -> JoinGroupResponse {
        self.send_join(topics);
        let told = self.read_join();
        if told.error_code != MEMBER_ID_REQUIRED {
            return told;
        }
        self.send_join(topics);
        self.read_join()
    }

    /// Asks for its assignment; as the leader with what each is to have.
    pub fn sync(&mut self, assignments: &[(&str, &str)]) -> SyncGroupResponse {
        let version = self.version.min(5);
        let given = assignments.iter().map(|(id, text)| SyncGroupRequestAssignment {
            member_id: (*id).into(),
            assignment: text.as_bytes().to_vec().into(),
        });
        let request = SyncGroupRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: (version == 5).then(|| "consumer".into()),
            protocol_name: (version == 5).then(|| "range".into()),
            assignments: given.collect(),
        };
        self.client.call(&request, version)
    }

    /// Is alive; the error.
    pub fn beat(&mut self) -> i16 {
        let request = HeartbeatRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
        };
        self.client.call(&request, self.version.min(4)).error_code
    }

    /// Leaves; the error.
    pub fn leave(&mut self) -> i16 {
        let version = self.version.min(5);
        let mut request = LeaveGroupRequest { group_id: self.group.as_str().into(), ..Default::default() };
        if version < 3 {
            request.member_id = self.id.clone();
            return self.client.call(&request, version).error_code;
        }
        let (member_id, group_instance_id) = (self.id.clone(), self.instance.clone());
        request.members = vec![MemberIdentity { member_id, group_instance_id, ..MemberIdentity::default() }];
        let told = self.client.call(&request, version);
        if told.error_code == 0 { told.members[0].error_code } else { told.error_code }
    }

    /// Commits an offset of partition 0; the error.
    pub fn commit(&mut self, topic: &str, offset: i64) -> i16 {
        self.commit_with(topic, offset, "words")
    }

    /// Commits an offset of partition 0 with these words beside it; the error.
    pub fn commit_with(&mut self, topic: &str, offset: i64, words: &str) -> i16 {
        let partition = OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_metadata: Some(words.into()),
            ..OffsetCommitRequestPartition::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.group.as_str().into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            topics: vec![OffsetCommitRequestTopic {
                name: topic.into(),
                partitions: vec![partition],
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        };
        self.client.call(&request, 8).topics[0].partitions[0].error_code
    }

    /// The offset that the group has committed for partition 0; -1 for none.
    pub fn committed(&mut self, topic: &str) -> i64 {
        committed(&mut self.client, &self.group.clone(), topic)
    }
}

/// The offset that a group has committed for partition 0; -1 for none.
///
/// # Panics
/// When the broker answers with an error.
pub fn committed(client: &mut Client, group: &str, topic: &str) -> i64 {
    let topics = vec![OffsetFetchRequestTopics {
        name: topic.into(),
        partition_indexes: vec![0],
        ..OffsetFetchRequestTopics::default()
    }];
    let asked = OffsetFetchRequestGroup {
        group_id: group.into(),
        topics: Some(topics),
        ..OffsetFetchRequestGroup::default()
    };
    let told = client.call(&OffsetFetchRequest { groups: vec![asked], ..Default::default() }, 8);
    assert_eq!(told.groups[0].error_code, 0);
    told.groups[0].topics[0].partitions[0].committed_offset
}

/// Creates `__consumer_offsets`, and waits until groups are served.
///
/// # Panics
/// When the broker does not answer.
pub fn serve_groups(client: &mut Client) {
    let request = FindCoordinatorRequest { key: "group".into(), ..FindCoordinatorRequest::default() };
    assert_eq!(client.call(&request, 3).error_code, 0);
    wait_until_loaded(client);
}

/// Waits until no partition of groups is being read any more.
pub fn wait_until_loaded(client: &mut Client) {
    while client.call(&ListGroupsRequest::default(), 5).error_code == LOAD_IN_PROGRESS {
        std::thread::yield_now();
    }
}

/// The groups `a` and `b` commit twenty times: of two partitions `a` belongs to the second, `b` to
/// the first.
///
/// # Panics
/// When the broker does not take the commits.
pub fn commit_in_two_partitions(broker: &Broker) {
    create(&mut Client::connect(broker), "t", 1, &[]);
    for group in ["a", "b"] {
        let mut own = Member::new(Client::connect(broker), group);
        (0..20).for_each(|offset| assert_eq!(own.commit("t", offset), 0));
    }
}

/// Damages the second partition of groups in a broker's folder.
///
/// # Panics
/// When it is not there.
pub fn damage_the_second_partition(folder: &Path) {
    let file = folder.join("__consumer_offsets-1/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).expect("its log");
    bytes[70] ^= 0xff;
    std::fs::write(&file, bytes).expect("a log that can be written");
}

/// ConsumerProtocol, version 0: topics, and no words beside them.
#[must_use]
pub fn subscription(topics: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(u32::try_from(topics.len()).unwrap_or(0).to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend([0xff; 4]);
    bytes
}

const MEMBER_ID_REQUIRED: i16 = 79;
const LOAD_IN_PROGRESS: i16 = 14;
