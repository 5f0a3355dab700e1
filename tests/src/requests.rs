//! Requests that several tests send.

use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::messages::produce_response::PartitionProduceResponse;
use klamm_protocol::{Records, Uuid};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};

use crate::client::Client;

/// A batch of these values, without compression.
///
/// # Panics
/// When they do not fit.
#[must_use]
pub fn batch_of(values: &[&str]) -> Records {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    for value in values {
        builder.append(&NewRecord::new(value)).expect("fits");
    }
    Records::Bytes(builder.finish().expect("has records").buffer.into())
}

/// A request for the versions that are served. From version 3 on the client's software needs a
/// name.
#[must_use]
pub fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1.0".into(),
        ..Default::default()
    }
}

/// The topic's id; it is created if need be.
///
/// # Panics
/// When the broker answers something else.
pub fn topic(client: &mut Client, name: &str) -> Uuid {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
    client.call(&request, 13).topics[0].topic_id
}

/// Produces to partition 0; with acks 0 there is no answer to wait for.
///
/// # Panics
/// When the broker answers something else.
pub fn produce(
    client: &mut Client,
    name: &str,
    id: Uuid,
    records: Records,
    acks: i16,
    version: i16,
) -> PartitionProduceResponse {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(records) }];
    let (name, topic_id) = if version >= 13 { ("".into(), id) } else { (name.into(), Uuid::ZERO) };
    let topic_data = vec![TopicProduceData { name, topic_id, partition_data }];
    let request = ProduceRequest { acks, timeout_ms: 1000, topic_data, ..Default::default() };
    if acks == 0 {
        client.send(&request, version);
        return PartitionProduceResponse::default();
    }
    client.call(&request, version).responses[0].partition_responses[0].clone()
}
