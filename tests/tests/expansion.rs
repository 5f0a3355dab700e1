//! What a request takes in memory while it is answered, for every API and version: never more than
//! the broker has counted for it before it decodes anything. The allocator counts, so that this
//! test is alone in its process. It prints the table:
//!
//! ```sh
//! cargo test -p klamm-tests --test expansion -- --nocapture
//! ```

use std::collections::BTreeMap;
use std::net::TcpStream;

use klamm_broker::testing::request_footprint;
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::{delete_topics_request as delete, describe_groups_request as describe};
use klamm_protocol::messages::{find_coordinator_request as find, metadata_request as metadata};
use klamm_protocol::{ApiKey, ByteString, Request, encode_request};
use klamm_sim::CountingAllocator;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::wait_until_loaded;
use klamm_tests::hostile::{GoodFrame, good_frames, many_frames, served};
use klamm_tests::raw::{connect, exchange};
use klamm_tests::requests::topic;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// What one frame took.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Took {
    /// Bytes beside the frame, at most at one time.
    peak: usize,
    /// Bytes that the broker counts for it, and what every connection may take uncounted.
    counted: usize,
    wire: usize,
}

/// `None` when the frame cannot be read, and is refused before anything is decoded.
fn measure(stream: &mut TcpStream, frame: &[u8], broker: &Broker) -> Option<Took> {
    let counted = request_footprint(frame[4..].to_vec().into()).ok()? + UNCOUNTED;
    let before = ALLOCATOR.begin();
    if exchange(stream, frame).is_none() {
        *stream = connect(broker);
    }
    let peak = ALLOCATOR.peak().saturating_sub(before + frame.len());
    Some(Took { peak, counted, wire: frame.len() })
}

/// The head of a frame, and a body that declares as many elements as it can, or is full of the
/// smallest.
fn stuffed(good: &GoodFrame) -> Vec<Vec<u8>> {
    let (_, _, frame) = good;
    let flexible =
        ApiKey::from_code(good.0).and_then(ApiKey::flexible_from).is_some_and(|from| good.1 >= from);
    // API, version, correlation id, the client id "hostile", and where there are, no tagged fields.
    let head = 4 + 8 + 2 + "hostile".len() + usize::from(flexible);
    let big = u32::try_from(STUFFED / 4).unwrap().to_be_bytes();
    let digit = |number: usize| u8::try_from(number).unwrap();
    let compact = [0x80 | digit(STUFFED / 4 % 128), digit(STUFFED / 4 / 128)];
    let mut bodies = vec![vec![0; STUFFED], vec![1; STUFFED], vec![2; STUFFED]];
    let plain = [&[0][..], &[1], &[2]].map(<[u8]>::to_vec);
    for lead in 0..20 {
        let malformed = malformed_texts();
        let malformed = malformed.iter().filter(|_| lead % 4 == 0);
        for filler in plain.iter().chain(malformed) {
            for count in [&big[..], &compact[..]] {
                let mut body: Vec<u8> = filler.iter().copied().cycle().take(STUFFED).collect();
                body[lead..lead + count.len()].copy_from_slice(count);
                bodies.push(body);
            }
        }
    }
    let whole = |body: Vec<u8>| {
        let mut whole = frame[..head].to_vec();
        whole.extend(body);
        let length = u32::try_from(whole.len() - 4).unwrap();
        whole[..4].copy_from_slice(&length.to_be_bytes());
        whole
    };
    bodies.into_iter().map(whole).collect()
}

/// Texts that are not UTF-8, compact and not. In memory they take three times their bytes.
fn malformed_texts() -> [Vec<u8>; 3] {
    let long = [0xff; 100];
    [[&[101], &long[..]].concat(), [&[0, 100], &long[..]].concat(), vec![2, 0xff]]
}

/// The frame with names that are not UTF-8: each begins with a malformed byte.
fn malformed((api, version, frame): &GoodFrame) -> GoodFrame {
    let mut frame = frame.clone();
    for at in 1..frame.len() {
        if frame[at].is_ascii_digit() && frame[at - 1] == b'n' {
            frame[at - 1] = 0xff;
        }
    }
    (*api, *version, frame)
}

/// Frames with long names that are malformed throughout: once replaced they take most of the
/// request's memory.
fn long_malformed_frames() -> Vec<GoodFrame> {
    let names = |count: usize| -> Vec<ByteString> { vec!["~".repeat(10_900).as_str().into(); count] };
    let topic = |name| metadata::MetadataRequestTopic { name: Some(name), ..Default::default() };
    let topics = Some(names(10).into_iter().map(topic).collect());
    let topic_names = names(10);
    vec![
        replaced(&metadata::MetadataRequest { topics, ..Default::default() }, 9),
        replaced(&describe::DescribeGroupsRequest { groups: names(10), ..Default::default() }, 5),
        replaced(&find::FindCoordinatorRequest { coordinator_keys: names(10), ..Default::default() }, 4),
        replaced(&delete::DeleteTopicsRequest { topic_names, ..Default::default() }, 5),
    ]
}

/// The frame of a request in which `0xff` replaces each `~`.
fn replaced<R: Request>(request: &R, version: i16) -> GoodFrame {
    let frame = encode_request(request, version, 1, Some("hostile")).unwrap().into_bytes().unwrap();
    let frame = frame.iter().map(|byte| if *byte == b'~' { 0xff } else { *byte }).collect();
    (R::KEY.code(), version, frame)
}

/// Whether every request of the API has a response at once, whatever it says: none waits, and none
/// asks for silence.
fn is_answered(good: &GoodFrame) -> bool {
    let others = [ApiKey::Produce, ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup];
    others.iter().all(|api| api.code() != good.0)
}

#[test]
fn no_request_takes_more_memory_than_is_counted_for_it() {
    let config = BrokerConfig { auto_create_topics: false, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    assert_eq!(create(&mut client, "t", 3, &[]).0, 0);
    let id = topic(&mut client, "t");
    let served = served(&mut client);
    let good = good_frames(&served, "t", id);
    let mut stream = connect(&broker);
    // Groups are there, and every code path has been run, before anything is measured.
    for (_, _, frame) in good.iter().filter(|good| is_answered(good)) {
        let _ = measure(&mut stream, frame, &broker);
    }
    wait_until_loaded(&mut client);
    let mut worst: BTreeMap<(i16, i16), Took> = BTreeMap::new();
    let stuffed = good
        .iter()
        .filter(|good| is_answered(good))
        .flat_map(|good| stuffed(good).into_iter().map(|frame| (good.0, good.1, frame)));
    let many = many_frames("t", id);
    let malformed = many.iter().map(malformed).chain(long_malformed_frames());
    for (api, version, frame) in many.iter().cloned().chain(malformed).chain(stuffed) {
        let Some(took) = measure(&mut stream, &frame, &broker) else { continue };
        let excess = |took: &Took| (took.peak * 1000 / took.counted, took.peak);
        let entry = worst.entry((api, version)).or_insert(took);
        *entry = if excess(&took) > excess(entry) { took } else { *entry };
    }
    println!("| API | version | frame | memory | of the frame | counted |\n|---|---|---|---|---|---|");
    for ((api, version), Took { peak, counted, wire }) in &worst {
        let name = ApiKey::from_code(*api).map_or("?", ApiKey::name);
        println!("| {name} | {version} | {wire} | {peak} | {} | {counted} |", peak / wire);
    }
    let over: Vec<_> = worst.iter().filter(|(_, took)| took.peak > took.counted).collect();
    assert!(over.is_empty(), "these took more than is counted: {over:#?}");
    let missing = good.iter().find(|(api, version, _)| !worst.contains_key(&(*api, *version)));
    assert!(
        missing.is_none(),
        "no frame was measured of {:?}",
        missing.map(|(api, version, _)| (api, version))
    );
}

/// Bytes that a connection has uncounted: its state, and a small request and response.
const UNCOUNTED: usize = 32 << 10;
/// Bytes of the bodies that are full of elements.
const STUFFED: usize = 8 << 10;
