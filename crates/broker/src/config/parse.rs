//! What the tables of settings, the broker's and a topic's, are made of: a row each, and values as texts.

use std::time::Duration;

use klamm_log::CleanupPolicy;

/// A setting of `C`: Kafka's name, what it can be, and how it is set; `None` for a value that cannot be.
pub(crate) struct Row<C> {
    pub(crate) key: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) set: fn(&mut C, &str) -> Option<()>,
}

pub(crate) const fn row<C>(
    key: &'static str,
    expected: &'static str,
    set: fn(&mut C, &str) -> Option<()>,
) -> Row<C> {
    Row { key, expected, set }
}

pub(crate) const BYTES: &str = "a number of bytes from 1 to 2,147,483,647";
pub(crate) const MILLIS: &str = "a number of milliseconds, at least 1";
pub(crate) const AGE: &str = "a number of milliseconds";
pub(crate) const RATIO: &str = "a number from 0 to 1";
pub(crate) const POLICY: &str = "delete, compact, or compact,delete";
pub(crate) const OR_NONE: &str = "a number, or -1 for none";

#[allow(clippy::unnecessary_wraps)]
pub(crate) fn put<T>(slot: &mut T, value: T) -> Option<()> {
    *slot = value;
    Some(())
}

pub(crate) fn number(value: &str, least: i32) -> Option<i32> {
    value.parse().ok().filter(|n| *n >= least)
}

pub(crate) fn unsigned(value: &str) -> Option<u32> {
    number(value, 1)?.try_into().ok()
}

pub(crate) fn millis(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|n| *n > 0).map(Duration::from_millis)
}

pub(crate) fn age(value: &str) -> Option<Duration> {
    value.parse().ok().map(Duration::from_millis)
}

pub(crate) fn ratio(value: &str) -> Option<f64> {
    value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}

pub(crate) fn policy(value: &str) -> Option<CleanupPolicy> {
    match value.replace(' ', "").as_str() {
        "delete" => Some(CleanupPolicy::Delete),
        "compact" => Some(CleanupPolicy::Compact),
        "compact,delete" | "delete,compact" => Some(CleanupPolicy::CompactAndDelete),
        _ => None,
    }
}

/// `-1` is `None`.
pub(crate) fn or_none<T>(value: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if value == "-1" { Some(None) } else { read(value).map(Some) }
}
