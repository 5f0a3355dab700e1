//! The leader epoch that a request names: whether it is the current one, and where it ends
//! (KIP-320).

use std::cmp::Ordering;

use klamm_log::Log;
use klamm_protocol::ErrorCode;
use klamm_types::{LeaderEpoch, Offset};

/// The leader epoch of a client that does not name one.
const NO_EPOCH: i32 = -1;

/// Compares the leader epoch that a client names with the current one. Other negative numbers than
/// -1 are old epochs, as for Kafka.
pub(super) fn check(named: i32, current: LeaderEpoch) -> Result<(), ErrorCode> {
    if named == NO_EPOCH {
        return Ok(());
    }
    match named.cmp(&current.get()) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(ErrorCode::FencedLeaderEpoch),
        Ordering::Greater => Err(ErrorCode::UnknownLeaderEpoch),
    }
}

/// Where the epoch `asked` ends in a log whose leader epoch is `latest`, as Kafka finds it: the
/// largest known epoch up to `asked`, and the offset at which the next one begins. `None` for an
/// epoch that has not been.
pub(super) fn end_of(log: &Log, latest: LeaderEpoch, asked: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
    let end = log.bounds().end();
    match asked.cmp(&latest) {
        Ordering::Greater => None,
        Ordering::Equal => Some((asked, end)),
        Ordering::Less => {
            let epochs = log.epochs();
            let known = epochs.end_of(asked, end).map(|end| (end.epoch, end.offset));
            // All known epochs are later: `asked` ends where the first of them begins.
            known.or_else(|| epochs.entries().first().map(|first| (asked, first.start)))
        }
    }
}
