//! Refusals whose error codes stand at the items of the request: topics, partitions or groups.

use klamm_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use klamm_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use klamm_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequest;
use klamm_protocol::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponse, DescribeShareGroupOffsetsResponseGroup,
};
use klamm_protocol::messages::share_group_describe_request::ShareGroupDescribeRequest;
use klamm_protocol::messages::share_group_describe_response::{self as share, ShareGroupDescribeResponse};
use klamm_protocol::messages::streams_group_describe_request::StreamsGroupDescribeRequest;
use klamm_protocol::messages::streams_group_describe_response::{
    self as streams, StreamsGroupDescribeResponse,
};
use klamm_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestTopic,
};
use klamm_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use klamm_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest};
use klamm_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};
use klamm_protocol::{ApiKey, RequestHead};

use super::super::{HandleError, Outcome, answer, read};
use super::{CODE, SHARE_GROUPS, STREAMS_GROUPS, message};

/// From this version on AddPartitionsToTxn has a top-level error code (KIP-890).
const BATCHED: i16 = 4;

pub(super) fn refuse(api: ApiKey, head: &RequestHead) -> Option<Result<Outcome, HandleError>> {
    Some(match api {
        ApiKey::AddPartitionsToTxn => add_partitions(head),
        ApiKey::WriteTxnMarkers => write_markers(head),
        ApiKey::TxnOffsetCommit => commit_offsets(head),
        ApiKey::ShareGroupDescribe => describe_share_groups(head),
        ApiKey::StreamsGroupDescribe => describe_streams_groups(head),
        ApiKey::DescribeShareGroupOffsets => describe_share_group_offsets(head),
        ApiKey::InitializeShareGroupState => state::initialize(head),
        ApiKey::ReadShareGroupState => state::read(head),
        ApiKey::WriteShareGroupState => state::write(head),
        ApiKey::DeleteShareGroupState => state::delete(head),
        ApiKey::ReadShareGroupStateSummary => state::summary(head),
        _ => return None,
    })
}

fn add_partitions(head: &RequestHead) -> Result<Outcome, HandleError> {
    if head.version >= BATCHED {
        let response = AddPartitionsToTxnResponse { error_code: CODE, ..Default::default() };
        return answer(&response, ApiKey::AddPartitionsToTxn, head);
    }
    let request = read::<AddPartitionsToTxnRequest>(head)?;
    let topic = |topic: &AddPartitionsToTxnTopic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: (topic.partitions.iter())
            .map(|index| AddPartitionsToTxnPartitionResult {
                partition_index: *index,
                partition_error_code: CODE,
            })
            .collect(),
    };
    let results_by_topic_v3_and_below = request.v3_and_below_topics.iter().map(topic).collect();
    let response = AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() };
    answer(&response, ApiKey::AddPartitionsToTxn, head)
}

fn write_markers(head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<WriteTxnMarkersRequest>(head)?;
    let marker = |marker: &WritableTxnMarker| {
        let topics = marker.topics.iter().map(|topic| WritableTxnMarkerTopicResult {
            name: topic.name.clone(),
            partitions: (topic.partition_indexes.iter())
                .map(|index| WritableTxnMarkerPartitionResult { partition_index: *index, error_code: CODE })
                .collect(),
        });
        WritableTxnMarkerResult { producer_id: marker.producer_id, topics: topics.collect() }
    };
    let markers = request.markers.iter().map(marker).collect();
    answer(&WriteTxnMarkersResponse { markers }, ApiKey::WriteTxnMarkers, head)
}

fn commit_offsets(head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<TxnOffsetCommitRequest>(head)?;
    let topic = |topic: &TxnOffsetCommitRequestTopic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: (topic.partitions.iter())
            .map(|asked| TxnOffsetCommitResponsePartition {
                partition_index: asked.partition_index,
                error_code: CODE,
            })
            .collect(),
    };
    let topics = request.topics.iter().map(topic).collect();
    let response = TxnOffsetCommitResponse { topics, ..Default::default() };
    answer(&response, ApiKey::TxnOffsetCommit, head)
}

fn describe_share_groups(head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<ShareGroupDescribeRequest>(head)?;
    let groups = request.group_ids.into_iter().map(|group_id| share::DescribedGroup {
        error_code: CODE,
        error_message: message(SHARE_GROUPS),
        group_id,
        ..Default::default()
    });
    let response = ShareGroupDescribeResponse { groups: groups.collect(), ..Default::default() };
    answer(&response, ApiKey::ShareGroupDescribe, head)
}

fn describe_streams_groups(head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<StreamsGroupDescribeRequest>(head)?;
    let groups = request.group_ids.into_iter().map(|group_id| streams::DescribedGroup {
        error_code: CODE,
        error_message: message(STREAMS_GROUPS),
        group_id,
        ..Default::default()
    });
    let response = StreamsGroupDescribeResponse { groups: groups.collect(), ..Default::default() };
    answer(&response, ApiKey::StreamsGroupDescribe, head)
}

fn describe_share_group_offsets(head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<DescribeShareGroupOffsetsRequest>(head)?;
    let groups = request.groups.into_iter().map(|group| DescribeShareGroupOffsetsResponseGroup {
        group_id: group.group_id,
        error_code: CODE,
        error_message: message(SHARE_GROUPS),
        ..Default::default()
    });
    let response = DescribeShareGroupOffsetsResponse { groups: groups.collect(), ..Default::default() };
    answer(&response, ApiKey::DescribeShareGroupOffsets, head)
}

/// The five APIs of a share group's state, which differ only in the names of their types.
mod state {
    use super::{ApiKey, CODE, HandleError, Outcome, RequestHead, SHARE_GROUPS, answer, message};

    macro_rules! refusal {
        ($name:ident, $api:ident, $request:ident :: $body:ident, $response:ident :: $answer:ident, $topic:ident) => {
            // Some of the partition results have further fields, others have none.
            #[allow(clippy::needless_update)]
            pub(super) fn $name(head: &RequestHead) -> Result<Outcome, HandleError> {
                use klamm_protocol::messages::{$request as request, $response as response};
                let refused = |asked: &request::PartitionData| response::PartitionResult {
                    partition: asked.partition,
                    error_code: CODE,
                    error_message: message(SHARE_GROUPS),
                    ..Default::default()
                };
                let topics = super::read::<request::$body>(head)?.topics;
                let results = topics.iter().map(|topic| response::$topic {
                    topic_id: topic.topic_id,
                    partitions: topic.partitions.iter().map(refused).collect(),
                });
                answer(&response::$answer { results: results.collect() }, ApiKey::$api, head)
            }
        };
    }

    refusal!(
        initialize,
        InitializeShareGroupState,
        initialize_share_group_state_request::InitializeShareGroupStateRequest,
        initialize_share_group_state_response::InitializeShareGroupStateResponse,
        InitializeStateResult
    );
    refusal!(
        read,
        ReadShareGroupState,
        read_share_group_state_request::ReadShareGroupStateRequest,
        read_share_group_state_response::ReadShareGroupStateResponse,
        ReadStateResult
    );
    refusal!(
        write,
        WriteShareGroupState,
        write_share_group_state_request::WriteShareGroupStateRequest,
        write_share_group_state_response::WriteShareGroupStateResponse,
        WriteStateResult
    );
    refusal!(
        delete,
        DeleteShareGroupState,
        delete_share_group_state_request::DeleteShareGroupStateRequest,
        delete_share_group_state_response::DeleteShareGroupStateResponse,
        DeleteStateResult
    );
    refusal!(
        summary,
        ReadShareGroupStateSummary,
        read_share_group_state_summary_request::ReadShareGroupStateSummaryRequest,
        read_share_group_state_summary_response::ReadShareGroupStateSummaryResponse,
        ReadStateSummaryResult
    );
}
