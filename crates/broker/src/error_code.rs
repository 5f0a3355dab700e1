//! Which of our errors is which of Kafka's: the one table.

use klamm_coordinator::GroupError;
use klamm_log::{AppendError, LogError, ProducerError, ReadError};
use klamm_protocol::ErrorCode;
use klamm_record::{BatchError, CompressionError};

use crate::incoming::{BadRecordReason, FrameFault, Refused};
use crate::metadata::TopicError;

/// One of our errors, as the wire says it.
pub(crate) trait WireError {
    /// Its code.
    fn wire(&self) -> ErrorCode;
}

impl WireError for AppendError {
    fn wire(&self) -> ErrorCode {
        match self {
            AppendError::Batch { fault, .. } => fault.wire(),
            AppendError::NoKey { .. } => ErrorCode::InvalidRecord,
            AppendError::TooLarge { setting: "segment.bytes", .. } => ErrorCode::RecordListTooLarge,
            AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            AppendError::File(_) => ErrorCode::KafkaStorageError,
            AppendError::Log(error) => error.wire(),
            AppendError::FencedEpoch { .. } => ErrorCode::FencedLeaderEpoch,
            AppendError::Producer { fault, .. } => fault.wire(),
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl WireError for Refused {
    fn wire(&self) -> ErrorCode {
        match self {
            Refused::Frame(fault) => fault.wire(),
            Refused::Damaged => ErrorCode::CorruptMessage,
            Refused::Records(bad) if bad.iter().all(|bad| bad.reason == BadRecordReason::NoKey) => {
                ErrorCode::InvalidRecord
            }
            Refused::Records(_) => ErrorCode::InvalidTimestamp,
            Refused::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Refused::Batch(fault) => fault.wire(),
            Refused::Build(_) => ErrorCode::InvalidRecord,
        }
    }
}

impl WireError for FrameFault {
    fn wire(&self) -> ErrorCode {
        match self {
            FrameFault::Length { .. } | FrameFault::UnknownMagic { .. } => ErrorCode::CorruptMessage,
            FrameFault::NoBatch { .. }
            | FrameFault::OldMagic { .. }
            | FrameFault::Several
            | FrameFault::BaseOffset { .. } => ErrorCode::InvalidRecord,
        }
    }
}

impl WireError for BatchError {
    fn wire(&self) -> ErrorCode {
        match self {
            BatchError::Compression(CompressionError::TooLarge { .. }) => ErrorCode::MessageTooLarge,
            // The checksum is right: what the producer wrote cannot be read, and Kafka has no code
            // for it.
            BatchError::Codec { .. } | BatchError::Compression(_) => ErrorCode::UnknownServerError,
            BatchError::Field { .. } | BatchError::Record(_) => ErrorCode::InvalidRecord,
            _ => ErrorCode::CorruptMessage,
        }
    }
}

impl WireError for ProducerError {
    fn wire(&self) -> ErrorCode {
        match self {
            ProducerError::FencedEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            ProducerError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            ProducerError::NoSequence { .. } => ErrorCode::InvalidRecord,
            ProducerError::InTransaction { .. } => ErrorCode::InvalidTxnState,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

/// What a coordinator tells when it cannot log: who asked finds the coordinator again, or asks
/// again.
pub(crate) fn coordinator_error(error: &AppendError) -> GroupError {
    match error.wire() {
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => GroupError::TooLarge,
        _ => GroupError::CoordinatorNotAvailable,
    }
}

impl WireError for GroupError {
    fn wire(&self) -> ErrorCode {
        match self {
            GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
            GroupError::GroupIdNotFound | GroupError::ForeignGroup | GroupError::CannotUpgrade(_) => {
                ErrorCode::GroupIdNotFound
            }
            GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            GroupError::InconsistentGroupProtocol => ErrorCode::InconsistentGroupProtocol,
            GroupError::GroupMaxSizeReached | GroupError::MetadataTooLarge => ErrorCode::GroupMaxSizeReached,
            GroupError::UnknownMemberId => ErrorCode::UnknownMemberId,
            GroupError::FencedInstanceId => ErrorCode::FencedInstanceId,
            GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
            GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
            GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
            GroupError::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
            GroupError::NotCoordinator => ErrorCode::NotCoordinator,
            GroupError::GroupSubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
            GroupError::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
            GroupError::TooLarge => ErrorCode::UnknownServerError,
            GroupError::InvalidRequest(_) => ErrorCode::InvalidRequest,
            GroupError::UnsupportedAssignor => ErrorCode::UnsupportedAssignor,
            GroupError::InvalidRegularExpression => ErrorCode::InvalidRegularExpression,
            GroupError::FencedMemberEpoch => ErrorCode::FencedMemberEpoch,
            GroupError::StaleMemberEpoch => ErrorCode::StaleMemberEpoch,
            GroupError::UnreleasedInstanceId => ErrorCode::UnreleasedInstanceId,
            GroupError::UnsupportedVersion => ErrorCode::UnsupportedVersion,
            _ => ErrorCode::CoordinatorNotAvailable,
        }
    }
}

impl WireError for ReadError {
    fn wire(&self) -> ErrorCode {
        match self {
            ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Damage(_) => ErrorCode::CorruptMessage,
            ReadError::File(_) => ErrorCode::KafkaStorageError,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl WireError for LogError {
    fn wire(&self) -> ErrorCode {
        match self {
            LogError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            LogError::Closed { .. } => ErrorCode::UnknownTopicOrPartition,
            LogError::Damage(_) => ErrorCode::CorruptMessage,
            LogError::Failed { .. } | LogError::File(_) => ErrorCode::KafkaStorageError,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl WireError for TopicError {
    fn wire(&self) -> ErrorCode {
        match self {
            TopicError::Name(_) | TopicError::Similar { .. } => ErrorCode::InvalidTopicException,
            TopicError::Exists { .. } => ErrorCode::TopicAlreadyExists,
            TopicError::Partitions { .. } => ErrorCode::InvalidPartitions,
            TopicError::TooMany { .. } => ErrorCode::PolicyViolation,
            TopicError::Replication { .. } => ErrorCode::InvalidReplicationFactor,
            TopicError::Assignment { .. } => ErrorCode::InvalidReplicaAssignment,
            TopicError::Config { .. }
            | TopicError::Threads { .. }
            | TopicError::NotASetting { .. }
            | TopicError::NotAList { .. } => ErrorCode::InvalidConfig,
            TopicError::Unknown | TopicError::Gone | TopicError::UnknownPartition => {
                ErrorCode::UnknownTopicOrPartition
            }
            TopicError::NotMore { .. } | TopicError::Fixed => ErrorCode::InvalidPartitions,
            TopicError::Offline | TopicError::NoDirectory { .. } => ErrorCode::KafkaStorageError,
            TopicError::UnknownId => ErrorCode::UnknownTopicId,
            TopicError::Ambiguous
            | TopicError::Reserved { .. }
            | TopicError::Twice
            | TopicError::Quota(_)
            | TopicError::ReadOnly { .. }
            | TopicError::OneBroker { .. }
            | TopicError::NoGroupName
            | TopicError::NoSubscriptionName
            | TopicError::UnknownBroker { .. } => ErrorCode::InvalidRequest,
            TopicError::Feature { .. } => ErrorCode::InvalidUpdateVersion,
            TopicError::DeletionDisabled => ErrorCode::TopicDeletionDisabled,
            TopicError::Shared(error) => error.wire(),
            TopicError::Fault(error) => *error,
            TopicError::Append(error) => error.wire(),
            TopicError::NoProducerIds => ErrorCode::UnknownServerError,
            TopicError::Open(_) | TopicError::Stranger { .. } => ErrorCode::KafkaStorageError,
        }
    }
}
