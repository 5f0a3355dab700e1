//! Whether a client and the broker speak of the same leader of a partition (KIP-320).

use std::cmp::Ordering;

use klamm_protocol::ErrorCode;
use klamm_types::LeaderEpoch;

/// A client names the epoch of the leader that it believes in, or -1.
pub(super) fn check(named: i32, current: LeaderEpoch) -> Result<(), ErrorCode> {
    match LeaderEpoch::new(named).map(|named| named.cmp(&current)) {
        None | Some(Ordering::Equal) => Ok(()),
        Some(Ordering::Less) => Err(ErrorCode::FencedLeaderEpoch),
        Some(Ordering::Greater) => Err(ErrorCode::UnknownLeaderEpoch),
    }
}
