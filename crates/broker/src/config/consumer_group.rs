//! The settings of a single group whose broker assigns: the broker's, and over them its own, within
//! what the broker allows.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_coordinator::ConsumerTimes;

use super::row::{AGE, Kind, MILLIS, Row, WrongSetting, at, in_millis, int_age, int_millis, put, set_all};
use super::{BrokerConfig, table};

/// Between what the times of groups have to lie, those of the broker's settings too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerBounds {
    /// The least: sessions of 45 seconds, heartbeats each 5 seconds, any interval of assignments
    /// (`group.consumer.min.session.timeout.ms`, `group.consumer.min.heartbeat.interval.ms`,
    /// `group.consumer.min.assignment.interval.ms`).
    pub least: ConsumerTimes,
    /// The most: one minute, 15 seconds, 15 seconds (`group.consumer.max.session.timeout.ms`,
    /// `group.consumer.max.heartbeat.interval.ms`, `group.consumer.max.assignment.interval.ms`).
    pub most: ConsumerTimes,
}

/// The settings of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GroupSettings {
    pub(crate) times: ConsumerTimes,
    bounds: ConsumerBounds,
}

/// One of the times, under the names that it has.
struct Time {
    /// As a setting of a group; with `group.` before it, the broker's.
    key: &'static str,
    broker_key: &'static str,
    /// The broker's setting that bounds it above.
    most_key: &'static str,
    get: fn(&ConsumerTimes) -> Duration,
    slot: fn(&mut ConsumerTimes) -> &mut Duration,
    at_least: &'static str,
    at_most: &'static str,
}

impl Default for ConsumerBounds {
    fn default() -> ConsumerBounds {
        let times = |session, heartbeat, assignment| ConsumerTimes {
            session_timeout: Duration::from_secs(session),
            heartbeat_interval: Duration::from_secs(heartbeat),
            assignment_interval: Duration::from_secs(assignment),
        };
        ConsumerBounds { least: times(45, 5, 0), most: times(60, 15, 15) }
    }
}

impl ConsumerBounds {
    /// For a test: whatever can be written.
    pub(super) fn any() -> ConsumerBounds {
        let all = |time| ConsumerTimes {
            session_timeout: time,
            heartbeat_interval: time,
            assignment_interval: time,
        };
        let most = Duration::from_millis(i32::MAX.unsigned_abs().into());
        let least = ConsumerTimes { assignment_interval: Duration::ZERO, ..all(Duration::from_millis(1)) };
        ConsumerBounds { least, most: all(most) }
    }

    /// Whether the broker's own times lie within, and members come more often than they are taken
    /// for dead.
    pub(super) fn check(&self, times: &ConsumerTimes) -> Result<(), WrongSetting> {
        for time in TIMES {
            let (least, most) = ((time.get)(&self.least), (time.get)(&self.most));
            if most < least {
                return Err(wrong(time.most_key, most, time.at_least));
            }
        }
        TIMES.iter().try_for_each(|time| self.check_within(time, times, time.broker_key))?;
        check_together(times, TIMES[HEARTBEAT].broker_key, "less than group.consumer.session.timeout.ms")
    }

    fn check_within(&self, time: &Time, times: &ConsumerTimes, key: &str) -> Result<(), WrongSetting> {
        let value = (time.get)(times);
        if value < (time.get)(&self.least) {
            return Err(wrong(key, value, time.at_least));
        }
        if value > (time.get)(&self.most) {
            return Err(wrong(key, value, time.at_most));
        }
        Ok(())
    }
}

impl GroupSettings {
    /// All settings that a group can have.
    pub(crate) const TABLE: &[Setting] = TABLE;

    /// Those of a group that has none of its own.
    pub(crate) fn of(config: &BrokerConfig) -> GroupSettings {
        GroupSettings { times: config.groups.consumer.times, bounds: config.consumer_bounds }
    }

    pub(crate) fn row(key: &str) -> Option<&'static Setting> {
        TABLE.iter().find(|row| row.key == key)
    }

    /// The settings with a group's own over them.
    pub(crate) fn with(&self, own: &BTreeMap<String, String>) -> Result<GroupSettings, WrongSetting> {
        let mut settings = self.clone();
        set_all(&mut settings, own, TABLE)?;
        // The broker's own are not the group's fault.
        let mut named = TIMES.iter().filter(|time| own.contains_key(time.key));
        named.try_for_each(|time| self.bounds.check_within(time, &settings.times, time.key))?;
        check_together(&settings.times, TIMES[HEARTBEAT].key, "less than consumer.session.timeout.ms")?;
        Ok(settings)
    }

    /// The same of what was logged, when the bounds may have been others: what lies outside of them
    /// counts as the bound that is nearest. What cannot be read is passed over.
    pub(crate) fn within_bounds(&self, own: &BTreeMap<String, String>) -> GroupSettings {
        let mut settings = self.clone();
        for (row, time) in TABLE.iter().zip(TIMES) {
            let Some(value) = own.get(row.key) else { continue };
            let _ = (row.set)(&mut settings, value.trim());
            let (least, most) = ((time.get)(&self.bounds.least), (time.get)(&self.bounds.most));
            let slot = (time.slot)(&mut settings.times);
            *slot = (*slot).clamp(least, most.max(least));
        }
        settings
    }
}

fn check_together(times: &ConsumerTimes, key: &str, expected: &'static str) -> Result<(), WrongSetting> {
    match times.heartbeat_interval < times.session_timeout {
        true => Ok(()),
        false => Err(wrong(key, times.heartbeat_interval, expected)),
    }
}

fn wrong(key: &str, value: Duration, expected: &'static str) -> WrongSetting {
    WrongSetting { key: key.to_owned(), value: value.as_millis().to_string(), expected }
}

type Setting = Row<GroupSettings>;

const HEARTBEAT: usize = 0;

/// The times and the settings of a group, in the same order: field, name, what it can be, how it is
/// read, what it means.
macro_rules! times {
    ($(($field:ident, $name:literal, $expected:expr, $parse:expr, $meaning:expr)),+) => {
        const TIMES: &[Time] = &[$(Time {
            key: concat!("consumer.", $name),
            broker_key: concat!("group.consumer.", $name),
            most_key: concat!("group.consumer.max.", $name),
            get: |times| times.$field,
            slot: |times| &mut times.$field,
            at_least: concat!("at least group.consumer.min.", $name),
            at_most: concat!("at most group.consumer.max.", $name),
        }),+];

        const TABLE: &[Setting] = &[$(Setting::new(
            concat!("consumer.", $name),
            Kind::Int,
            $expected,
            at!(times.$field, $parse, in_millis),
            $meaning,
        )
        .inherits(&[concat!("group.consumer.", $name)])),+];
    };
}

times!(
    (heartbeat_interval, "heartbeat.interval.ms", MILLIS, int_millis, table::HEARTBEAT_INTERVAL),
    (session_timeout, "session.timeout.ms", MILLIS, int_millis, table::SESSION_TIMEOUT),
    (assignment_interval, "assignment.interval.ms", AGE, int_age, table::ASSIGNMENT_INTERVAL)
);

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> BTreeMap<String, String> {
        let named = text.split_whitespace().map(|word| word.split_once('=').unwrap());
        named.map(|(key, value)| (format!("consumer.{key}.ms"), value.to_owned())).collect()
    }

    #[test]
    fn a_groups_own_lie_within_the_brokers_bounds() {
        let settings = GroupSettings::of(&BrokerConfig::default());
        for (text, want) in [
            ("session.timeout=50000", Ok(())),
            ("session.timeout=+50001 heartbeat.interval=15000", Ok(())),
            (
                "session.timeout=44999",
                Err("consumer.session.timeout.ms 44999 at least group.consumer.min.session.timeout.ms"),
            ),
            (
                "session.timeout=60001",
                Err("consumer.session.timeout.ms 60001 at most group.consumer.max.session.timeout.ms"),
            ),
            (
                "heartbeat.interval=4999",
                Err("consumer.heartbeat.interval.ms 4999 at least group.consumer.min.heartbeat.interval.ms"),
            ),
            (
                "assignment.interval=15001",
                Err(
                    "consumer.assignment.interval.ms 15001 at most group.consumer.max.assignment.interval.ms",
                ),
            ),
            ("session.timeout=x", Err("consumer.session.timeout.ms x a number of milliseconds, at least 1")),
            ("session.timeout=0", Err("consumer.session.timeout.ms 0 a number of milliseconds, at least 1")),
            (
                "session.timeout=2147483648",
                Err("consumer.session.timeout.ms 2147483648 a number of milliseconds, at least 1"),
            ),
            ("offload=1", Err("consumer.offload.ms 1 a setting that this broker has")),
        ] {
            let got = settings.with(&own(text)).map(drop);
            let got = got.map_err(|wrong| format!("{} {} {}", wrong.key, wrong.value, wrong.expected));
            assert_eq!(got, want.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn members_come_more_often_than_they_are_taken_for_dead() {
        let bounds = ConsumerBounds::any();
        let settings = GroupSettings { times: ConsumerTimes::default(), bounds };
        assert!(settings.with(&own("session.timeout=5001")).is_ok());
        // Beside the broker's heartbeat.
        assert_eq!(
            settings.with(&own("session.timeout=5000")).unwrap_err().key,
            "consumer.heartbeat.interval.ms"
        );
        assert!(settings.with(&own("session.timeout=5000 heartbeat.interval=4999")).is_ok());
    }

    #[test]
    fn what_was_logged_under_other_bounds_is_cut() {
        let settings = GroupSettings::of(&BrokerConfig::default());
        let times = settings
            .within_bounds(&own("session.timeout=1000 heartbeat.interval=70000 assignment.interval=x"))
            .times;
        let millis = [times.session_timeout, times.heartbeat_interval, times.assignment_interval]
            .map(|time| time.as_millis());
        assert_eq!(millis, [45_000, 15_000, 1_000]);
    }

    #[test]
    fn bounds_that_exclude_each_other_are_none() {
        let mut bounds = ConsumerBounds::default();
        bounds.most.session_timeout = Duration::from_secs(44);
        let wrong = bounds.check(&ConsumerTimes::default()).unwrap_err();
        assert_eq!(
            (&*wrong.key, wrong.expected),
            ("group.consumer.max.session.timeout.ms", "at least group.consumer.min.session.timeout.ms")
        );
    }
}
