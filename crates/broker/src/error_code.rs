//! Kafka's error codes, and which of our errors is which: the one table.

use klamm_log::{AppendError, LogError, OpenError, ProducerError, ReadError};
use klamm_record::BatchError;

use crate::incoming::Refused;
use crate::metadata::TopicError;

/// An error code on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i16)]
pub(crate) enum ErrorCode {
    UnknownServerError = -1,
    None = 0,
    OffsetOutOfRange = 1,
    CorruptMessage = 2,
    UnknownTopicOrPartition = 3,
    LeaderNotAvailable = 5,
    MessageTooLarge = 10,
    CoordinatorNotAvailable = 15,
    InvalidTopic = 17,
    RecordListTooLarge = 18,
    NotEnoughReplicas = 19,
    InvalidRequiredAcks = 21,
    InvalidTimestamp = 32,
    UnsupportedVersion = 35,
    TopicAlreadyExists = 36,
    InvalidPartitions = 37,
    InvalidReplicationFactor = 38,
    InvalidReplicaAssignment = 39,
    InvalidConfig = 40,
    InvalidRequest = 42,
    UnsupportedForMessageFormat = 43,
    PolicyViolation = 44,
    OutOfOrderSequenceNumber = 45,
    InvalidProducerEpoch = 47,
    InvalidTxnState = 48,
    StorageError = 56,
    FetchSessionIdNotFound = 70,
    InvalidFetchSessionEpoch = 71,
    TopicDeletionDisabled = 73,
    FencedLeaderEpoch = 74,
    UnknownLeaderEpoch = 75,
    UnsupportedCompressionType = 76,
    InvalidRecord = 87,
    UnknownTopicId = 100,
    FetchSessionTopicIdError = 106,
    MismatchedEndpointType = 114,
}

impl ErrorCode {
    pub(crate) const fn code(self) -> i16 {
        self as i16
    }
}

impl From<&AppendError> for ErrorCode {
    fn from(error: &AppendError) -> ErrorCode {
        match error {
            AppendError::Batch { fault, .. } => ErrorCode::from(fault),
            AppendError::NoKey { .. } => ErrorCode::InvalidRecord,
            AppendError::TooLarge { setting: "segment.bytes", .. } => ErrorCode::RecordListTooLarge,
            AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            AppendError::File(_) => ErrorCode::StorageError,
            AppendError::Log(error) => ErrorCode::from(error),
            AppendError::FencedEpoch { .. } => ErrorCode::FencedLeaderEpoch,
            AppendError::Producer { fault, .. } => ErrorCode::from(fault),
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl From<&Refused> for ErrorCode {
    fn from(error: &Refused) -> ErrorCode {
        match error {
            Refused::Timestamp { .. } => ErrorCode::InvalidTimestamp,
            Refused::Batch(fault) => ErrorCode::from(fault),
            Refused::Build(_) => ErrorCode::InvalidRecord,
        }
    }
}

impl From<&BatchError> for ErrorCode {
    fn from(fault: &BatchError) -> ErrorCode {
        match fault {
            BatchError::Magic { .. } => ErrorCode::UnsupportedForMessageFormat,
            BatchError::Codec { .. } => ErrorCode::UnsupportedCompressionType,
            BatchError::Field { .. } | BatchError::Record(_) => ErrorCode::InvalidRecord,
            _ => ErrorCode::CorruptMessage,
        }
    }
}

impl From<&ProducerError> for ErrorCode {
    fn from(error: &ProducerError) -> ErrorCode {
        match error {
            ProducerError::FencedEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            ProducerError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            ProducerError::NoSequence { .. } => ErrorCode::InvalidRecord,
            ProducerError::InTransaction { .. } => ErrorCode::InvalidTxnState,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl From<&ReadError> for ErrorCode {
    fn from(error: &ReadError) -> ErrorCode {
        match error {
            ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Damage(_) => ErrorCode::CorruptMessage,
            ReadError::File(_) => ErrorCode::StorageError,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl From<&LogError> for ErrorCode {
    fn from(error: &LogError) -> ErrorCode {
        match error {
            LogError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            LogError::Closed { .. } => ErrorCode::UnknownTopicOrPartition,
            LogError::Damage(_) => ErrorCode::CorruptMessage,
            LogError::Failed { .. } | LogError::File(_) => ErrorCode::StorageError,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

impl From<&TopicError> for ErrorCode {
    fn from(error: &TopicError) -> ErrorCode {
        match error {
            TopicError::Name(_) => ErrorCode::InvalidTopic,
            TopicError::Exists { .. } => ErrorCode::TopicAlreadyExists,
            TopicError::Partitions { .. } => ErrorCode::InvalidPartitions,
            TopicError::TooMany { .. } => ErrorCode::PolicyViolation,
            TopicError::Replication { .. } => ErrorCode::InvalidReplicationFactor,
            TopicError::Assignment { .. } => ErrorCode::InvalidReplicaAssignment,
            TopicError::Config { .. } | TopicError::NotAList { .. } => ErrorCode::InvalidConfig,
            TopicError::Unknown | TopicError::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            TopicError::NotMore { .. } => ErrorCode::InvalidPartitions,
            TopicError::Offline => ErrorCode::StorageError,
            TopicError::UnknownId => ErrorCode::UnknownTopicId,
            TopicError::Ambiguous
            | TopicError::Reserved { .. }
            | TopicError::Twice
            | TopicError::ReadOnly { .. }
            | TopicError::UnknownBroker { .. } => ErrorCode::InvalidRequest,
            TopicError::DeletionDisabled => ErrorCode::TopicDeletionDisabled,
            TopicError::Append(error) => ErrorCode::from(error),
            TopicError::NoProducerIds => ErrorCode::UnknownServerError,
            TopicError::Open(OpenError::File(_) | OpenError::Lost { .. }) | TopicError::Stranger { .. } => {
                ErrorCode::StorageError
            }
            TopicError::Open(_) => ErrorCode::UnknownServerError,
        }
    }
}
