//! Any frame as a request of any API: no panic; what is read is written and read again the same.
#![no_main]

use bytes::Bytes;
use klamm_protocol::messages::{
    api_versions_response::ApiVersionsResponse, create_topics_request::CreateTopicsRequest,
    fetch_request::FetchRequest, fetch_response::FetchResponse, join_group_request::JoinGroupRequest,
    list_offsets_request::ListOffsetsRequest, metadata_request::MetadataRequest,
    produce_request::ProduceRequest,
};
use klamm_protocol::{Message, RequestHead};
use libfuzzer_sys::fuzz_target;

fn again<M: Message>(body: &Bytes, version: i16) {
    let Ok(message) = M::decode(body.clone(), version) else { return };
    let Ok(bytes) = message.encode(version) else { return };
    let Ok(read) = M::decode(bytes.clone(), version) else {
        panic!("cannot read what was written: {message:?}")
    };
    // Twice through, since a float that is not a number is not equal to itself.
    assert_eq!(read.encode(version).as_ref(), Ok(&bytes));
}

fuzz_target!(|data: &[u8]| {
    let frame = Bytes::copy_from_slice(data);
    let Ok(head) = RequestHead::read(frame) else { return };
    let (body, version) = (&head.body, head.version);
    match head.api_key {
        0 => again::<ProduceRequest>(body, version),
        1 => again::<FetchRequest>(body, version),
        2 => again::<ListOffsetsRequest>(body, version),
        3 => again::<MetadataRequest>(body, version),
        11 => again::<JoinGroupRequest>(body, version),
        19 => again::<CreateTopicsRequest>(body, version),
        18 => again::<ApiVersionsResponse>(body, version),
        _ => again::<FetchResponse>(body, version),
    }
});
