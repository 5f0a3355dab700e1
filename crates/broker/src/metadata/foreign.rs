//! What a metadata log says that one broker without a quorum, and without access control, cannot
//! carry over from Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use klamm_protocol::messages::leader_change_message::LeaderChangeMessage;
use klamm_protocol::messages::voters_record::VotersRecord;
use klamm_protocol::metadata::access_control_entry_record::AccessControlEntryRecord;
use klamm_protocol::metadata::config_record::ConfigRecord;
use klamm_protocol::metadata::delegation_token_record::DelegationTokenRecord;
use klamm_protocol::metadata::partition_change_record::PartitionChangeRecord;
use klamm_protocol::metadata::partition_record::PartitionRecord;
use klamm_protocol::metadata::register_broker_record::RegisterBrokerRecord;
use klamm_protocol::metadata::remove_access_control_entry_record::RemoveAccessControlEntryRecord;
use klamm_protocol::metadata::remove_delegation_token_record::RemoveDelegationTokenRecord;
use klamm_protocol::metadata::remove_user_scram_credential_record::RemoveUserScramCredentialRecord;
use klamm_protocol::metadata::topic_record::TopicRecord;
use klamm_protocol::metadata::unregister_broker_record::UnregisterBrokerRecord;
use klamm_protocol::metadata::user_scram_credential_record::UserScramCredentialRecord;
use klamm_protocol::{DecodeError, Message, MetadataFrame, Record, Uuid};

use super::MetadataImage;
use super::features::{LATEST, METADATA_VERSION, OLDEST};

/// Levels of `metadata.version` whose records are known: Kafka 3.3 to 4.3.
const METADATA_VERSIONS: RangeInclusive<i16> = OLDEST..=LATEST;
/// The highest type of a record that is known.
const LAST_TYPE: i16 = 29;
/// Resource type of a topic's settings.
const TOPIC: i8 = 2;
/// Types of the quorum's records.
const LEADER_CHANGE: i16 = 2;
const VOTERS: i16 = 6;

/// What is in force that cannot be carried over.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    brokers: BTreeSet<i32>,
    voters: BTreeSet<i32>,
    /// Partitions that have replicas on other brokers, or none here.
    replicated: BTreeMap<(Uuid, i32), Vec<i32>>,
    acls: BTreeSet<Uuid>,
    users: BTreeSet<(String, i8)>,
    tokens: BTreeSet<String>,
    /// Topics whose old segments are elsewhere (`remote.storage.enable`), by name.
    tiered: BTreeSet<String>,
    unknown: BTreeSet<i16>,
}

impl Foreign {
    /// Notes a record of the metadata, read by the broker `node`.
    pub(super) fn apply(&mut self, frame: &MetadataFrame, node: i32) -> Result<(), DecodeError> {
        let (body, version) = (frame.body.clone(), frame.version);
        match frame.record_type {
            RegisterBrokerRecord::TYPE => {
                self.brokers.insert(RegisterBrokerRecord::decode(body, version)?.broker_id);
            }
            UnregisterBrokerRecord::TYPE => {
                self.brokers.remove(&UnregisterBrokerRecord::decode(body, version)?.broker_id);
            }
            PartitionRecord::TYPE => {
                let record = PartitionRecord::decode(body, version)?;
                self.replicas((record.topic_id, record.partition_id), record.replicas, node);
            }
            PartitionChangeRecord::TYPE => {
                let record = PartitionChangeRecord::decode(body, version)?;
                if let Some(replicas) = record.replicas {
                    self.replicas((record.topic_id, record.partition_id), replicas, node);
                }
            }
            // A topic of the same name may have been before.
            TopicRecord::TYPE => drop(self.tiered.remove(&*TopicRecord::decode(body, version)?.name)),
            ConfigRecord::TYPE => self.config(&ConfigRecord::decode(body, version)?),
            AccessControlEntryRecord::TYPE => {
                self.acls.insert(AccessControlEntryRecord::decode(body, version)?.id);
            }
            RemoveAccessControlEntryRecord::TYPE => {
                self.acls.remove(&RemoveAccessControlEntryRecord::decode(body, version)?.id);
            }
            UserScramCredentialRecord::TYPE => {
                let record = UserScramCredentialRecord::decode(body, version)?;
                self.users.insert((record.name.to_string(), record.mechanism));
            }
            RemoveUserScramCredentialRecord::TYPE => {
                let record = RemoveUserScramCredentialRecord::decode(body, version)?;
                self.users.remove(&(record.name.to_string(), record.mechanism));
            }
            DelegationTokenRecord::TYPE => {
                self.tokens.insert(DelegationTokenRecord::decode(body, version)?.token_id.to_string());
            }
            RemoveDelegationTokenRecord::TYPE => {
                let record = RemoveDelegationTokenRecord::decode(body, version)?;
                self.tokens.remove(&*record.token_id);
            }
            other if !(0..=LAST_TYPE).contains(&other) => drop(self.unknown.insert(other)),
            _ => {}
        }
        Ok(())
    }

    /// Notes a record of the quorum.
    pub(super) fn apply_quorum(&mut self, kind: i16, value: bytes::Bytes) -> Result<(), DecodeError> {
        let version = value.first_chunk().map_or(0, |bytes| i16::from_be_bytes(*bytes));
        match kind {
            LEADER_CHANGE => {
                let voters = LeaderChangeMessage::decode(value, version)?.voters;
                self.voters = voters.iter().map(|voter| voter.voter_id).collect();
            }
            VOTERS => {
                let voters = VotersRecord::decode(value, version)?.voters;
                self.voters = voters.iter().map(|voter| voter.voter_id).collect();
            }
            _ => {}
        }
        Ok(())
    }

    fn replicas(&mut self, partition: (Uuid, i32), replicas: Vec<i32>, node: i32) {
        match replicas == [node] {
            true => drop(self.replicated.remove(&partition)),
            false => drop(self.replicated.insert(partition, replicas)),
        }
    }

    fn config(&mut self, record: &ConfigRecord) {
        if record.resource_type != TOPIC || &*record.name != "remote.storage.enable" {
            return;
        }
        match record.value.as_deref().map(|value| value.trim().to_ascii_lowercase()).as_deref() {
            Some("true") => drop(self.tiered.insert(record.resource_name.to_string())),
            _ => drop(self.tiered.remove(&*record.resource_name)),
        }
    }

    /// What cannot be carried over, in words, for the broker `node`, when the metadata is `image`.
    pub(super) fn refusals(&self, node: i32, image: &MetadataImage) -> Vec<String> {
        let mut found = Vec::new();
        let level = image.feature(METADATA_VERSION);
        if let Some(level) = level.filter(|level| !METADATA_VERSIONS.contains(level)) {
            let (first, last) = (METADATA_VERSIONS.start(), METADATA_VERSIONS.end());
            found.push(format!("metadata.version {level}, expected {first} to {last} (Kafka 3.3 to 4.3)"));
        }
        found.extend(self.unknown.iter().map(|kind| format!("records of the unknown type {kind}")));
        let others = self.brokers.iter().filter(|broker| **broker != node);
        found.extend(others.map(|broker| format!("broker {broker}, which is registered too")));
        if self.voters.iter().any(|voter| *voter != node) {
            found.push(format!("a quorum of the voters {:?}, expected only this node, {node}", self.voters));
        }
        found.extend(self.first_replicated(image));
        let tiered = self.tiered.iter().filter(|name| image.topic(name).is_some());
        found.extend(
            tiered.map(|name| format!("the remote segments of topic {name} (remote.storage.enable)")),
        );
        found.extend(counted(self.acls.len(), "access control entries (kafka-acls --list)"));
        let users: BTreeSet<&str> = self.users.iter().map(|(name, _)| name.as_str()).collect();
        found.extend(users.iter().map(|name| format!("the SCRAM credentials of user {name}")));
        found.extend(counted(self.tokens.len(), "delegation tokens"));
        found
    }

    fn first_replicated(&self, image: &MetadataImage) -> Option<String> {
        let mut there = self.replicated.iter().filter_map(|((id, number), replicas)| {
            Some((format!("{}-{number}", image.topic_by_id(*id)?.name), replicas))
        });
        let (partition, replicas) = there.next()?;
        let more = there.count();
        let more = if more == 0 { String::new() } else { format!(" and {more} more like it") };
        Some(format!("partition {partition}{more} with replicas on the brokers {replicas:?}"))
    }
}

fn counted(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {what}"))
}
