//! What cannot be detected, because nothing else on the disk says otherwise.

use crate::damages::{Damage, file_kind};
use crate::world::World;

/// Why a case that serves something else is not reported; `None` when it ought to be. `answers` are
/// the kinds of answers that differ.
pub fn undetected(world: &World, path: &str, damage: &Damage, answers: &[&str]) -> Option<&'static str> {
    let is_compacted = world.config.cleanup_policy.compacts();
    let is_killed = world.name.ends_with("killed");
    let behind = world.image.range(path.to_owned()..).filter(|(name, _)| name.ends_with(".log")).count();
    let is_gone = matches!(damage.kind, "truncated" | "removed" | "older version");
    match file_kind(path) {
        "log-start-offset-checkpoint" => Some(START),
        "leader-epoch-checkpoint" if is_compacted && answers == ["epochs"] => Some(EPOCHS),
        "log" if is_compacted && damage.header_byte.is_some_and(|at| at < 8) => Some(GAP),
        "log" if is_killed && is_gone && behind <= 2 => Some(TAIL),
        _ => None,
    }
}

/// No other file holds the start that `DeleteRecords` has set.
const START: &str = "plausible start offset";
/// A log that ends before what was not synced is what a power loss leaves.
const TAIL: &str = "unsynced tail";
/// The CRC of a batch does not cover its base offset, and compaction leaves gaps.
const GAP: &str = "gap in a compacted log";
/// The epochs are compared with the batches, and compaction has removed the first ones of an epoch.
const EPOCHS: &str = "start of an epoch in a compacted log";
