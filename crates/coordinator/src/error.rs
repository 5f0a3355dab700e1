//! The coordinator's errors.

use thiserror::Error;

/// Why a coordinator does not do what a client asks. Each is one of Kafka's errors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// `INVALID_GROUP_ID`.
    #[error("the group has no name")]
    InvalidGroupId,
    /// `GROUP_ID_NOT_FOUND`.
    #[error("there is no such group")]
    GroupIdNotFound,
    /// `GROUP_ID_NOT_FOUND`: a share or streams group has the name
    /// ([`ForeignRecord`](crate::ForeignRecord)).
    #[error("the name is that of a share or streams group, which is not looked after here")]
    ForeignGroup,
    /// `INVALID_SESSION_TIMEOUT`.
    #[error(
        "the session timeout is outside of group.min.session.timeout.ms and group.max.session.timeout.ms"
    )]
    InvalidSessionTimeout,
    /// `INCONSISTENT_GROUP_PROTOCOL`.
    #[error(
        "the member's protocols have none in common with those of the group, or the group is no consumers' group"
    )]
    InconsistentGroupProtocol,
    /// `GROUP_MAX_SIZE_REACHED`.
    #[error("the group has as many members as it may (group.max.size, group.consumer.max.size)")]
    GroupMaxSizeReached,
    /// `GROUP_MAX_SIZE_REACHED`: the metadata is too large.
    #[error("the metadata takes more bytes than group.member.max.bytes or group.max.bytes allows")]
    MetadataTooLarge,
    /// `UNKNOWN_MEMBER_ID`.
    #[error("the group has no such member")]
    UnknownMemberId,
    /// `FENCED_INSTANCE_ID`.
    #[error("another member has taken the place of this group.instance.id")]
    FencedInstanceId,
    /// `ILLEGAL_GENERATION`.
    #[error("the generation is not that of the group")]
    IllegalGeneration,
    /// `REBALANCE_IN_PROGRESS`.
    #[error("the group is about to assign partitions anew")]
    RebalanceInProgress,
    /// `MEMBER_ID_REQUIRED`.
    #[error("the member has to come again with the id that it is given")]
    MemberIdRequired,
    /// `NON_EMPTY_GROUP`.
    #[error("the group has members")]
    NonEmptyGroup,
    /// `GROUP_SUBSCRIBED_TO_TOPIC`.
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,
    /// `UNKNOWN_TOPIC_OR_PARTITION`: the topic is not there any more, or is another one.
    #[error("the topic was deleted meanwhile")]
    UnknownTopic,
    /// `NOT_COORDINATOR`: the groups are another's to look after, or nobody's.
    #[error("this broker does not coordinate the group any more")]
    NotCoordinator,
    /// `OFFSET_METADATA_TOO_LARGE`.
    #[error("the words beside the offset are longer than offset.metadata.max.bytes")]
    OffsetMetadataTooLarge,
    /// `INVALID_REQUEST`: a heartbeat that cannot be.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// `GROUP_ID_NOT_FOUND`: a classic group that cannot become one whose broker assigns.
    #[error("cannot upgrade the classic group to a consumer group {0}")]
    CannotUpgrade(&'static str),
    /// `UNSUPPORTED_ASSIGNOR`.
    #[error("the broker has no such assignor in group.consumer.assignors")]
    UnsupportedAssignor,
    /// `INVALID_REGULAR_EXPRESSION`.
    #[error("the regular expression cannot be read, or is too large")]
    InvalidRegularExpression,
    /// `FENCED_MEMBER_EPOCH`.
    #[error("the member's epoch is not the one that it was told; it has to join again")]
    FencedMemberEpoch,
    /// `STALE_MEMBER_EPOCH`.
    #[error("the member's epoch has passed, or has not come yet")]
    StaleMemberEpoch,
    /// `UNRELEASED_INSTANCE_ID`.
    #[error("the group.instance.id is a member's that has not left")]
    UnreleasedInstanceId,
    /// `UNSUPPORTED_VERSION`.
    #[error("members of this group need a later version of the request")]
    UnsupportedVersion,
    /// `COORDINATOR_NOT_AVAILABLE`: what was decided could not be logged.
    #[error("the coordinator cannot log")]
    CoordinatorNotAvailable,
    /// `UNKNOWN_SERVER_ERROR`: what was decided is too large to be logged, and will be.
    #[error("what was decided is too large to be logged")]
    TooLarge,
}
