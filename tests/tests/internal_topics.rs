//! What Kafka's coordinators wrote into their internal topics, read with our schemas: each record
//! is what Kafka's own decoders print of it, and written again it is the same bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_coordinator::{GroupRecord, RecordError};
use klamm_log::{LogDir, OwnedRecord, Position};
use klamm_protocol::group::*;
use klamm_protocol::transaction::*;
use klamm_protocol::{Message, Record};
use klamm_tests::fixtures;
use serde_json::Value;

/// A record's key or value: what it says, and its bytes once it is written again.
type Read = (String, Bytes);

/// What follows the two bytes that tell kind or version.
fn split(bytes: &Bytes) -> (i16, Bytes) {
    (i16::from_be_bytes([bytes[0], bytes[1]]), bytes.slice(2..))
}

fn read<M: Message + std::fmt::Debug>(body: Bytes, version: i16) -> Read {
    let message = M::decode(body, version).unwrap();
    (format!("{message:?}"), message.encode(version).unwrap())
}

macro_rules! kinds {
    ($($key:ty => $value:ty),* $(,)?) => {
        /// A key, and how its value is read; `None` for a kind that is not in the list.
        fn kind(number: i16, body: &Bytes) -> Option<(Read, fn(Bytes, i16) -> Read)> {
            $(if number == <$key>::TYPE { return Some((read::<$key>(body.clone(), 0), read::<$value>)); })*
            None
        }
    };
}

kinds! {
    offset_commit_key::OffsetCommitKey => offset_commit_value::OffsetCommitValue,
    group_metadata_key::GroupMetadataKey => group_metadata_value::GroupMetadataValue,
    consumer_group_metadata_key::ConsumerGroupMetadataKey => consumer_group_metadata_value::ConsumerGroupMetadataValue,
    consumer_group_member_metadata_key::ConsumerGroupMemberMetadataKey => consumer_group_member_metadata_value::ConsumerGroupMemberMetadataValue,
    consumer_group_target_assignment_metadata_key::ConsumerGroupTargetAssignmentMetadataKey => consumer_group_target_assignment_metadata_value::ConsumerGroupTargetAssignmentMetadataValue,
    consumer_group_target_assignment_member_key::ConsumerGroupTargetAssignmentMemberKey => consumer_group_target_assignment_member_value::ConsumerGroupTargetAssignmentMemberValue,
    consumer_group_current_member_assignment_key::ConsumerGroupCurrentMemberAssignmentKey => consumer_group_current_member_assignment_value::ConsumerGroupCurrentMemberAssignmentValue,
    share_group_metadata_key::ShareGroupMetadataKey => share_group_metadata_value::ShareGroupMetadataValue,
    share_group_member_metadata_key::ShareGroupMemberMetadataKey => share_group_member_metadata_value::ShareGroupMemberMetadataValue,
    share_group_target_assignment_metadata_key::ShareGroupTargetAssignmentMetadataKey => share_group_target_assignment_metadata_value::ShareGroupTargetAssignmentMetadataValue,
    share_group_target_assignment_member_key::ShareGroupTargetAssignmentMemberKey => share_group_target_assignment_member_value::ShareGroupTargetAssignmentMemberValue,
    share_group_current_member_assignment_key::ShareGroupCurrentMemberAssignmentKey => share_group_current_member_assignment_value::ShareGroupCurrentMemberAssignmentValue,
    share_group_state_partition_metadata_key::ShareGroupStatePartitionMetadataKey => share_group_state_partition_metadata_value::ShareGroupStatePartitionMetadataValue,
}

/// Offset, and what Kafka's decoder says of key and value, as JSON.
fn wanted(partition: &str) -> Vec<(i64, Value, Value)> {
    let text = std::fs::read(fixtures::root().join(format!("{partition}.dump.txt"))).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    let row = |line: &str| {
        let (offset, rest) = line.strip_prefix("| offset: ")?.split_once(' ')?;
        let (key, value) = rest.split_once(" key: {\"type\":")?.1.split_once(" payload: ")?;
        let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        Some((offset.parse().ok()?, json(&format!("{{\"type\":{key}")), json(value)))
    };
    text.lines().filter_map(row).collect()
}

/// `commitTimestamp` is `commit_timestamp`.
fn snake(name: &str) -> String {
    let lower = |c: char| if c.is_uppercase() { format!("_{}", c.to_lowercase()) } else { c.to_string() };
    name.chars().map(lower).collect()
}

/// Each number, string and list of numbers under a name in `json` stands under that name in `said`.
/// Bytes and ids, which Kafka prints in base64, are held to by writing them again.
fn check(said: &str, json: &Value) {
    let Value::Object(fields) = json else { return };
    for (name, value) in fields {
        let said_of = |text: String| said.contains(&format!("{}: {text}", snake(name)));
        // Opaque to the group, and printed as what is in it.
        if ["subscription", "assignment"].contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::Number(number) => assert!(said_of(number.to_string()), "{name} is {number} in {said}"),
            Value::String(_)
                if name.ends_with("Id")
                    && !["memberId", "groupId", "clientId", "transactionalId"].contains(&name.as_str()) => {}
            Value::String(text) => {
                let found = said_of(format!("{text:?}")) || said_of(format!("Some({text:?})"));
                assert!(found, "{name} is {text:?} in {said}");
            }
            Value::Array(items) => items.iter().for_each(|item| check(said, item)),
            Value::Object(_) => check(said, value),
            Value::Bool(_) | Value::Null => {}
        }
    }
}

fn check_record(record: &OwnedRecord, key: &Value, value: &Value) {
    let bytes = record.key.as_ref().unwrap();
    let (number, body) = split(bytes);
    assert_eq!(key["type"].as_str().unwrap(), number.to_string());
    // Keys of `__transaction_state` are of one kind, 0.
    let found = match number {
        0 => (
            read::<transaction_log_key::TransactionLogKey>(body, 0),
            read::<transaction_log_value::TransactionLogValue> as fn(Bytes, i16) -> Read,
        ),
        number => kind(number, &body).unwrap_or_else(|| panic!("a key of kind {number}")),
    };
    let ((said, again), read_value) = found;
    check(&said, &key["data"]);
    assert_eq!(again, bytes.slice(2..), "{said}");
    let Some(bytes) = &record.value else { return assert!(value.is_null() || value["data"].is_null()) };
    let (version, body) = split(bytes);
    assert_eq!(value["version"].as_str().unwrap(), version.to_string());
    let (said, again) = read_value(body, version);
    check(&said, &value["data"]);
    assert_eq!(again, bytes.slice(2..), "{said}");
}

#[test]
fn each_record_is_what_kafkas_decoders_say() {
    let root = tempfile::tempdir().unwrap();
    fixtures::copy_to(root.path());
    let dir = LogDir::open(root.path()).unwrap();
    for (partition, least) in [
        ("__consumer_offsets-0", 20),
        ("__consumer_offsets-1", 5),
        ("__transaction_state-0", 10),
        ("__transaction_state-1", 5),
    ] {
        let log = dir.get(&partition.parse().unwrap()).unwrap();
        let records: Vec<_> = log.records(Position::Start).unwrap().map(Result::unwrap).collect();
        let wanted = wanted(partition);
        assert!(wanted.len() >= least, "{partition}: {} records", wanted.len());
        for (offset, key, value) in &wanted {
            let record = records.iter().find(|record| record.offset.get() == *offset).unwrap();
            check_record(record, key, value);
        }
        println!("{partition}: {} records", wanted.len());
    }
}

/// What a coordinator makes of Kafka's records it writes as Kafka has written them: offsets, groups
/// of either protocol, members.
#[test]
fn records_of_groups_are_written_as_kafka_writes_them() {
    let root = tempfile::tempdir().unwrap();
    fixtures::copy_to(root.path());
    let dir = LogDir::open(root.path()).unwrap();
    let mut kinds = BTreeMap::<i16, usize>::new();
    for partition in ["__consumer_offsets-0", "__consumer_offsets-1"] {
        let log = dir.get(&partition.parse().unwrap()).unwrap();
        for record in log.records(Position::Start).unwrap().map(Result::unwrap) {
            let Some(key) = &record.key else { continue };
            let told = match GroupRecord::decode(key, record.value.as_ref()) {
                Err(RecordError::Unknown { .. }) => continue,
                told => told.unwrap_or_else(|fault| panic!("{partition} {}: {fault}", record.offset)),
            };
            *kinds.entry(split(key).0).or_default() += 1;
            let again = told.encode().unwrap();
            assert_eq!(again, (key.clone(), record.value.clone()), "{partition} {}: {told:?}", record.offset);
        }
    }
    let found: Vec<i16> = kinds.keys().copied().collect();
    assert_eq!(found, [1, 2, 3, 5, 6, 7, 8], "{kinds:?}");
}
