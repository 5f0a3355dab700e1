//! What the tables of settings, the broker's, a topic's and a group's, are made of: a row each, and
//! values as texts.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use klamm_log::{CleanupPolicy, Compression, ConfigError};
use klamm_record::TimestampType;

use super::BatchCompression;

/// A setting of `C`, under Kafka's name.
#[derive(Debug)]
pub(crate) struct Row<C> {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// What it can be, in words.
    pub(crate) expected: &'static str,
    pub(crate) meaning: &'static str,
    /// Whether it can be changed while the broker runs.
    pub(crate) is_dynamic: bool,
    /// Whether it is told to nobody: Kafka has some for its tests.
    pub(crate) is_internal: bool,
    /// For a topic's setting: the broker's settings that it is taken from, those that win first.
    pub(crate) inherits: &'static [&'static str],
    /// `None` for a value that cannot be.
    pub(crate) set: Set<C>,
    pub(crate) get: Get<C>,
}

type Set<C> = fn(&mut C, &str) -> Option<()>;
type Get<C> = fn(&C) -> String;

/// What kind of value it has, by the number that clients know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl Kind {
    /// Whether `value` is of this kind; an error says what it has to be.
    pub(crate) fn check(self, value: &str) -> Result<(), &'static str> {
        let (is_fitting, expected) = match self {
            Kind::Boolean => (switch(value).is_some(), SWITCH),
            Kind::Short => (value.parse::<i16>().is_ok(), "a number from -32,768 to 32,767"),
            Kind::Int => (value.parse::<i32>().is_ok(), "a number from -2,147,483,648 to 2,147,483,647"),
            Kind::Long => (value.parse::<i64>().is_ok(), "a number of 64 bits"),
            Kind::Double => (value.parse::<f64>().is_ok_and(f64::is_finite), "a number"),
            Kind::String | Kind::List | Kind::Class | Kind::Password => (true, "a text"),
        };
        if is_fitting { Ok(()) } else { Err(expected) }
    }
}

impl<C> Row<C> {
    /// A setting that cannot be changed while the broker runs.
    pub(crate) const fn new(
        key: &'static str,
        kind: Kind,
        expected: &'static str,
        (set, get): (Set<C>, Get<C>),
        meaning: &'static str,
    ) -> Row<C> {
        Row { key, kind, expected, meaning, is_dynamic: false, is_internal: false, inherits: &[], set, get }
    }

    /// It can be changed while the broker runs.
    pub(crate) const fn dynamic(mut self) -> Row<C> {
        self.is_dynamic = true;
        self
    }

    /// It is told to nobody.
    pub(crate) const fn internal(mut self) -> Row<C> {
        self.is_internal = true;
        self
    }

    /// It is taken from these settings of the broker where a topic has none of its own.
    pub(crate) const fn inherits(mut self, from: &'static [&'static str]) -> Row<C> {
        self.inherits = from;
        self
    }
}

/// A setting that does not exist or cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct WrongSetting {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) expected: &'static str,
}

impl From<ConfigError> for WrongSetting {
    fn from(error: ConfigError) -> WrongSetting {
        WrongSetting { key: error.setting.to_owned(), value: error.got, expected: error.expected }
    }
}

/// Puts the settings `own` into `config`, in the order of the table.
pub(crate) fn set_all<C>(
    config: &mut C,
    own: &BTreeMap<String, String>,
    table: &[Row<C>],
) -> Result<(), WrongSetting> {
    let wrong = |key: &str, value: &str, expected| {
        Err(WrongSetting { key: key.to_owned(), value: value.to_owned(), expected })
    };
    for (key, value) in own {
        if table.iter().all(|row| row.key != key) {
            return wrong(key, value, "a setting that this broker has");
        }
    }
    for row in table {
        let Some(value) = own.get(row.key) else { continue };
        if (row.set)(config, value.trim()).is_none() {
            return wrong(row.key, value, row.expected);
        }
    }
    Ok(())
}

/// The settings of `own` that can be, over `config`; and those that cannot, which another version
/// may have written.
pub(crate) fn set_what_fits<C>(
    config: C,
    own: &BTreeMap<String, String>,
    with: impl Fn(&C, &BTreeMap<String, String>) -> Result<C, WrongSetting>,
) -> (C, Vec<WrongSetting>) {
    let (mut config, mut wrong) = (config, Vec::new());
    for (key, value) in own {
        match with(&config, &BTreeMap::from([(key.clone(), value.clone())])) {
            Ok(next) => config = next,
            // Told by the name it was given under, whatever it clashes with.
            Err(error) => wrong.push(WrongSetting { key: key.clone(), value: value.clone(), ..error }),
        }
    }
    (config, wrong)
}

/// How a field is set from a text and shown as one: `at!(log.segment_bytes, unsigned, text)`.
macro_rules! at {
    ($($field:ident).+, $parse:expr, $show:expr) => {
        (|c, v| put(&mut c.$($field).+, $parse(v)?), |c| $show(&c.$($field).+))
    };
}
pub(crate) use at;

pub(crate) const BYTES: &str = "a number of bytes from 1 to 2,147,483,647";
pub(crate) const SEGMENT: &str = "a number of bytes from 1,048,576 to 2,147,483,647";
pub(crate) const NUMBER: &str = "a number from 1 to 2,147,483,647";
pub(crate) const COUNT: &str = "a number from 1; 9223372036854775807 for never";
pub(crate) const SWITCH: &str = "true or false";
pub(crate) const MILLIS: &str = "a number of milliseconds, at least 1";
pub(crate) const AGE: &str = "a number of milliseconds";
pub(crate) const RATIO: &str = "a number from 0 to 1";
pub(crate) const POLICY: &str = "delete, compact, compact,delete, or nothing";
pub(crate) const OR_NONE: &str = "a number, or -1 for none";
pub(crate) const GZIP_LEVEL: &str = "a number from 1 to 9, or -1 for the codec's own";
pub(crate) const LZ4_LEVEL: &str = "a number from 1 to 17";
pub(crate) const ZSTD_LEVEL: &str = "a number from -131,072 to 22";
pub(crate) const NOT_TIERED: &str = "false: this broker has no tiered storage";
pub(crate) const AS_WHOLE: &str = "-2, as for the whole log: this broker has no tiered storage";
pub(crate) const THROTTLED: &str = "*, nothing, or pairs PARTITION:BROKER with commas between them";
pub(crate) const CODEC: &str = "producer, uncompressed, gzip, snappy, lz4 or zstd";
pub(crate) const TIME: &str = "CreateTime or LogAppendTime";

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

pub(crate) fn size(value: &str) -> Option<usize> {
    number(value, 1)?.try_into().ok()
}

pub(crate) fn switch(value: &str) -> Option<bool> {
    value.to_ascii_lowercase().parse().ok()
}

pub(crate) fn millis(value: &str) -> Option<Duration> {
    age(value).filter(|time| !time.is_zero())
}

pub(crate) fn age(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|n| *n <= LARGEST).map(Duration::from_millis)
}

/// What Kafka has as an `int`.
pub(crate) fn int_age(value: &str) -> Option<Duration> {
    number(value, 0).map(|millis| Duration::from_millis(millis.unsigned_abs().into()))
}

pub(crate) fn int_millis(value: &str) -> Option<Duration> {
    int_age(value).filter(|time| !time.is_zero())
}

/// The largest number of milliseconds, which Kafka has as the default of some settings, is no
/// bound.
pub(crate) fn bounded_millis(value: &str) -> Option<Option<Duration>> {
    if value == NO_BOUND { Some(None) } else { age(value).map(Some) }
}

/// Kafka's longs go up to 9,223,372,036,854,775,807.
pub(crate) fn count(value: &str) -> Option<u64> {
    value.parse().ok().filter(|n| *n <= LARGEST)
}

/// A segment's bytes: Kafka does not start with a topic that has smaller ones.
pub(crate) fn segment(value: &str) -> Option<u32> {
    unsigned(value).filter(|bytes| *bytes >= 1 << 20)
}

pub(crate) fn bounded_count(value: &str) -> Option<Option<u64>> {
    if value == NO_BOUND { Some(None) } else { count(value).filter(|n| *n > 0).map(Some) }
}

pub(crate) fn ratio(value: &str) -> Option<f64> {
    value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}

pub(crate) fn policy(value: &str) -> Option<CleanupPolicy> {
    if value.is_empty() {
        return Some(CleanupPolicy::Keep);
    }
    let mut policies: Vec<_> = value.split(',').map(str::trim).collect();
    policies.sort_unstable();
    policies.dedup();
    match policies[..] {
        ["delete"] => Some(CleanupPolicy::Delete),
        ["compact"] => Some(CleanupPolicy::Compact),
        ["compact", "delete"] => Some(CleanupPolicy::CompactAndDelete),
        _ => None,
    }
}

/// A level of gzip; `-1` is the codec's own.
pub(crate) fn gzip_level(value: &str) -> Option<i32> {
    number(value, -1).filter(|level| matches!(level, -1 | 1..=9))
}

pub(crate) fn lz4_level(value: &str) -> Option<i32> {
    number(value, 1).filter(|level| *level <= 17)
}

pub(crate) fn zstd_level(value: &str) -> Option<i32> {
    number(value, -131_072).filter(|level| *level <= 22)
}

/// Replicas whose replication is limited: all, or pairs of partition and broker.
pub(crate) fn throttled_replicas(value: &str) -> Option<String> {
    let is_pair = |pair: &str| {
        let pair = pair.split_once(':');
        pair.is_some_and(|(partition, broker)| number(partition, 0).is_some() && number(broker, 0).is_some())
    };
    let is_fitting = matches!(value, "" | "*") || value.split(',').map(str::trim).all(is_pair);
    is_fitting.then(|| value.to_owned())
}

/// A setting of tiered storage, which this broker does not have, at the value that leaves it off.
pub(crate) fn neutral(expected: &'static str, value: &str) -> Option<()> {
    value.eq_ignore_ascii_case(expected).then_some(())
}

pub(crate) fn codec(value: &str) -> Option<BatchCompression> {
    Some(match value {
        "producer" => BatchCompression::Producer,
        "uncompressed" => BatchCompression::Codec(Compression::None),
        "gzip" => BatchCompression::Codec(Compression::Gzip),
        "snappy" => BatchCompression::Codec(Compression::Snappy),
        "lz4" => BatchCompression::Codec(Compression::Lz4),
        "zstd" => BatchCompression::Codec(Compression::Zstd),
        _ => return None,
    })
}

pub(crate) fn timestamp_type(value: &str) -> Option<TimestampType> {
    match value {
        "CreateTime" => Some(TimestampType::CreateTime),
        "LogAppendTime" => Some(TimestampType::LogAppendTime),
        _ => None,
    }
}

/// Kafka's switch; zeros are written some at a time here.
pub(crate) fn preallocation(value: &str) -> Option<Option<NonZeroU32>> {
    switch(value).map(|on| if on { NonZeroU32::new(PREALLOCATED) } else { None })
}

/// `-1` is `None`.
pub(crate) fn or_none<T>(read: impl Fn(&str) -> Option<T>) -> impl Fn(&str) -> Option<Option<T>> {
    move |value| if value == "-1" { Some(None) } else { read(value).map(Some) }
}

pub(crate) fn text<T: ToString>(value: &T) -> String {
    value.to_string()
}

pub(crate) fn in_millis(time: &Duration) -> String {
    time.as_millis().to_string()
}

pub(crate) fn millis_or_none(time: &Option<Duration>) -> String {
    time.as_ref().map_or_else(|| "-1".to_owned(), in_millis)
}

pub(crate) fn text_or_none<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "-1".to_owned(), T::to_string)
}

pub(crate) fn millis_or_unbounded(time: &Option<Duration>) -> String {
    time.as_ref().map_or_else(|| NO_BOUND.to_owned(), in_millis)
}

pub(crate) fn count_or_unbounded(count: &Option<u64>) -> String {
    count.map_or_else(|| NO_BOUND.to_owned(), |count| count.to_string())
}

pub(crate) fn policy_name(policy: &CleanupPolicy) -> String {
    match policy {
        CleanupPolicy::Delete => "delete",
        CleanupPolicy::Compact => "compact",
        CleanupPolicy::CompactAndDelete => "compact,delete",
        CleanupPolicy::Keep => "",
    }
    .to_owned()
}

pub(crate) fn codec_name(compression: &BatchCompression) -> String {
    match compression {
        BatchCompression::Producer => "producer".to_owned(),
        BatchCompression::Codec(Compression::None) => "uncompressed".to_owned(),
        BatchCompression::Codec(codec) => codec.to_string(),
    }
}

pub(crate) fn timestamp_type_name(kind: &TimestampType) -> String {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
    .to_owned()
}

pub(crate) fn is_some<T>(value: &Option<T>) -> String {
    value.is_some().to_string()
}

const NO_BOUND: &str = "9223372036854775807";
const LARGEST: u64 = i64::MAX.unsigned_abs();
const PREALLOCATED: u32 = 8 << 20;
