//! Byte for byte what Kafka's own classes write: random content, every message, every version.
//!
//! `vectors.txt` was written by `cargo xtask vectors`; `PROTOCOL_VECTORS` names another file, e.g.
//! one made with a new seed.

mod generated;

use std::collections::BTreeSet;

use bytes::Bytes;
use klamm_protocol::Message;

struct Vector<'a> {
    name: &'a str,
    version: i16,
    bytes: Bytes,
}

/// Reads the bytes, writes the message again, and gives both the bytes and what was read.
struct Again(Bytes, i16);

impl generated::Visit for Again {
    type Out = Result<(Bytes, String), String>;

    fn visit<M: Message>(self) -> Self::Out {
        let Again(bytes, version) = self;
        let message = M::decode(bytes, version).map_err(|e| format!("decode: {e}"))?;
        let bytes = message.encode(version).map_err(|e| format!("encode: {e}"))?;
        Ok((bytes, format!("{message:?}")))
    }
}

fn again(name: &str, bytes: Bytes, version: i16) -> Result<(Bytes, String), String> {
    generated::with(name, Again(bytes, version))
}

fn parse(line: &str) -> Vector<'_> {
    let mut words = line.split(' ');
    let (name, version, hex) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    Vector { name, version: version.parse().unwrap(), bytes: unhex(hex.trim_start_matches('-')).into() }
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn vectors() -> String {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.txt").to_owned();
    let path = std::env::var("PROTOCOL_VECTORS").unwrap_or(own);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn what_kafka_writes_we_read_and_write_the_same() {
    let text = vectors();
    let mut wrong = Vec::new();
    for Vector { name, version, bytes } in text.lines().map(parse) {
        match again(name, bytes.clone(), version) {
            Ok((again, _)) if again == bytes => {}
            Ok((again, read)) => {
                wrong.push(format!("{name} v{version}: {bytes:x} became {again:x}, read as {read}"));
            }
            Err(error) => wrong.push(format!("{name} v{version}: {error} in {bytes:x}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ, the first:\n{}",
        wrong.len(),
        text.lines().count(),
        wrong[..wrong.len().min(3)].join("\n")
    );
}

#[test]
fn every_message_and_version_is_there() {
    let text = vectors();
    let seen: BTreeSet<(String, i16)> =
        text.lines().map(parse).map(|v| (v.name.to_owned(), v.version)).collect();
    for (name, low, high) in generated::ALL {
        for version in *low..=*high {
            assert!(seen.contains(&((*name).to_owned(), version)), "{name} {version} is not in the vectors");
        }
    }
    assert!(
        generated::ALL.len() > 250 && seen.len() > 600,
        "{} messages, {} versions",
        generated::ALL.len(),
        seen.len()
    );
}

/// Cut anywhere it is an error; with a byte changed it may be one or another message, but never a
/// panic.
#[test]
fn cut_and_changed_messages_never_panic() {
    for Vector { name, version, bytes } in vectors().lines().map(parse).step_by(3) {
        for cut in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
            let cut_short = again(name, bytes.slice(..cut), version);
            assert!(cut_short.is_err(), "{name} v{version} cut at {cut} of {bytes:x} is {cut_short:?}");
            let mut changed = bytes.to_vec();
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                changed[cut] = byte;
                let _ = again(name, changed.clone().into(), version);
            }
        }
    }
}

/// A struct that is null in a tagged field has 0 in front, not -1 as elsewhere.
#[test]
fn a_tagged_struct_can_be_null() {
    let name = "ConsumerGroupMemberMetadataValue";
    let bytes = Bytes::from(unhex(
        "0001076f726465727311cebacebbceb5ceb9ceb4ceaf2de98db501086b6c616d6d2d30c8dee0b911cebacebbceb5ceb9ceb4ceaf2de98db501000100",
    ));
    let (again, read) = again(name, bytes.clone(), 0).unwrap();
    assert!(again == bytes && read.contains("classic_member_metadata: None"), "{read}");
}
