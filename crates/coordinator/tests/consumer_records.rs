//! Records of groups whose broker assigns, as Kafka 4.3.1's own classes write them: kind by kind,
//! byte by byte.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_coordinator::{
    ClassicMember, CommittedOffset, ConsumerRecord, Current, GroupEpoch, GroupRecord, Held, MemberState,
    Partitions, RecordError, Resolved, Subscribed, TargetEpoch,
};
use klamm_protocol::Uuid;
use klamm_types::{Offset, Timestamp};

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect::<Vec<_>>().into()
}

fn id(high: u64, low: u64) -> Uuid {
    Uuid((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

fn subscribed() -> Subscribed {
    Subscribed {
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout: Duration::from_secs(300),
        ..Subscribed::default()
    }
}

const OF_GROUP: &str = "0003 0001 67";
const OF_MEMBER: &str = "0005 0001 67 0001 6d";
const CURRENT: &str = "0008 0001 67 0001 6d";

#[allow(clippy::too_many_lines)]
fn cases() -> Vec<(ConsumerRecord, &'static str, Option<&'static str>)> {
    let (t, u) = (id(1, 2), id(3, 4));
    let at = Timestamp::from_millis(1_700_000_000_000);
    let member = |said: Subscribed| ConsumerRecord::Member("m".into(), Some(Box::new(said)));
    let current = |current: Current| ConsumerRecord::Current("m".into(), Some(Box::new(current)));
    let classic = ClassicMember {
        session_timeout: Duration::from_secs(45),
        protocols: vec![("range".into(), Bytes::from_static(&[0, 1, 2]))],
    };
    vec![
        (
            ConsumerRecord::Group(Some(GroupEpoch { epoch: 5, metadata_hash: 0x1122_3344_5566_7788 })),
            OF_GROUP,
            Some("0000 00000005 01 00 08 1122334455667788"),
        ),
        (
            ConsumerRecord::Group(Some(GroupEpoch { epoch: 5, metadata_hash: 0 })),
            OF_GROUP,
            Some("0000 00000005 00"),
        ),
        (ConsumerRecord::Group(None), OF_GROUP, None),
        (ConsumerRecord::OldMetadata(false), "0004 0001 67", None),
        (
            member(Subscribed { topics: ["b".into(), "a".into()].into(), ..subscribed() }),
            OF_MEMBER,
            Some("0000 00 00 0263 0b2f3132372e302e302e31 03 0261 0262 01 000493e0 00 01 00 01 00"),
        ),
        (
            member(Subscribed {
                instance: Some("i".into()),
                rack: Some("r".into()),
                regex: "t.*".into(),
                assignor: Some("range".into()),
                ..subscribed()
            }),
            OF_MEMBER,
            Some("0000 0269 0272 0263 0b2f3132372e302e302e31 01 04742e2a 000493e0 0672616e6765 01 00 01 00"),
        ),
        (
            member(Subscribed { topics: ["t".into()].into(), classic: Some(classic), ..subscribed() }),
            OF_MEMBER,
            Some(
                "0000 00 00 0263 0b2f3132372e302e302e31 02 0274 01 000493e0 00 01 00 12 01 0000afc8 02 0672616e6765 04000102 00 00",
            ),
        ),
        (
            ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: 5, at: Some(at) })),
            "0006 0001 67",
            Some("0000 00000005 01 00 08 0000018bcfe56800"),
        ),
        (
            ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: 5, at: None })),
            "0006 0001 67",
            Some("0000 00000005 00"),
        ),
        (
            ConsumerRecord::Target("m".into(), Some([(t, 0), (t, 1), (t, 2)].into_iter().collect())),
            "0007 0001 67 0001 6d",
            Some("0000 02 00000000000000010000000000000002 04 00000000 00000001 00000002 00 00"),
        ),
        (
            ConsumerRecord::Target("m".into(), Some(Partitions::default())),
            "0007 0001 67 0001 6d",
            Some("0000 01 00"),
        ),
        (
            current(Current {
                epoch: 5,
                previous: 4,
                state: MemberState::UnrevokedPartitions,
                assigned: [(t, 0, 5), (t, 1, 4)].into_iter().collect(),
                pending: [(u, 7, 3)].into_iter().collect(),
            }),
            CURRENT,
            Some(
                "0000 00000005 00000004 01 02 00000000000000010000000000000002 03 00000000 00000001 01 00 09 03 00000005 00000004 \
                 02 00000000000000030000000000000004 02 00000007 01 00 05 02 00000003 00",
            ),
        ),
        (current(Current::default()), CURRENT, Some("0000 00000000 ffffffff 00 01 01 00")),
        (ConsumerRecord::Current("m".into(), None), CURRENT, None),
        (
            ConsumerRecord::Regex(
                Arc::from("t.*"),
                Some(Resolved { topics: ["tb".into(), "ta".into()].into(), version: 12, at }),
            ),
            "0010 0001 67 0003 742e2a",
            Some("0000 03 037461 037462 000000000000000c 0000018bcfe56800 00"),
        ),
    ]
}

#[test]
fn records_are_kafkas_bytes() {
    for (record, key, value) in cases() {
        let record = GroupRecord::Consumer { group: "g".into(), record };
        let want = (bytes(key), value.map(bytes));
        assert_eq!(record.encode().unwrap(), want, "{record:?}");
        assert_eq!(GroupRecord::decode(&want.0, want.1.as_ref()).unwrap(), record);
    }
}

/// What brokers of other versions have written.
#[test]
fn what_others_write_is_read() {
    let read = |key: &str, value: &str| match GroupRecord::decode(&bytes(key), Some(&bytes(value))).unwrap() {
        GroupRecord::Consumer { record, .. } => record,
        other => panic!("{other:?}"),
    };
    // Topics, before Kafka 4.1.
    let old = read("0004 0001 67", "0000 02 00000000000000010000000000000002 0274 00000003 01 00 00");
    assert_eq!(old, ConsumerRecord::OldMetadata(true));
    // Partitions without their epochs have the member's.
    let without =
        read(CURRENT, "0000 00000005 00000004 09 02 00000000000000010000000000000002 02 00000003 00 01 00");
    let want = Current {
        epoch: 5,
        previous: 4,
        state: MemberState::Unknown,
        assigned: [(id(1, 2), 3, 5)].into_iter().collect(),
        pending: Held::default(),
    };
    assert_eq!(without, ConsumerRecord::Current("m".into(), Some(Box::new(want))));
}

/// Kind 0, of brokers before Kafka 0.9.
#[test]
fn an_offset_of_old_is_read() {
    let read = GroupRecord::decode(
        &bytes("0000 0001 67 0001 74 00000003"),
        Some(&bytes("0000 0000000000000007 0001 77 000000000000002a")),
    );
    let committed = CommittedOffset {
        offset: Offset::from(7),
        leader_epoch: None,
        metadata: "w".into(),
        committed_at: Timestamp::from_millis(42),
        expires_at: None,
        topic_id: None,
    };
    let (group, topic) = ("g".into(), "t".into());
    assert_eq!(read, Ok(GroupRecord::Offset { group, topic, partition: 3, committed: Some(committed) }));
}

#[test]
fn a_record_that_is_cut_or_of_another_kind_is_an_error() {
    for (_, key, value) in cases() {
        let (key, value) = (bytes(key), value.map(bytes));
        let whole = value.clone().unwrap_or_default();
        for cut in 0..whole.len() {
            let _ = GroupRecord::decode(&key, Some(&whole.slice(..cut)));
        }
        for cut in 2..key.len() {
            assert!(
                matches!(GroupRecord::decode(&key.slice(..cut), None), Err(RecordError::Decode(_))),
                "{key:?} {cut}"
            );
        }
    }
    let of_a_share_group = bytes("000a 0001 67");
    assert_eq!(GroupRecord::decode(&of_a_share_group, None), Err(RecordError::Unknown { kind: 10 }));
}
