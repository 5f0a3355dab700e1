//! Levels of the broker's log, which Kafka's tools change while it runs (the resource
//! `BROKER_LOGGER`, KIP-412).
//!
//! A logger is a module of this workspace, with dots in its name, such as `klamm_broker.groups`:
//! Kafka's tools accept no colons. `root` is all of them. A logger without a level has that of the
//! nearest one above it. As in Kafka, changes are not kept over a restart.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;
use tracing::level_filters::LevelFilter;

/// The levels of loggers, and how they are put into effect.
///
/// The program that runs a broker makes one and hands it to
/// [`Broker::start_with_log_levels`](crate::Broker::start_with_log_levels).
///
/// ```
/// use klamm_broker::LogLevels;
/// use tracing::level_filters::LevelFilter;
///
/// let levels = LogLevels::new(LevelFilter::INFO, |levels| {
///     // Hand them to the filter of the log, `tracing_subscriber::reload` for example.
///     assert!(levels.contains_key("root"));
/// });
/// # drop(levels);
/// ```
#[derive(Clone)]
pub struct LogLevels {
    levels: Arc<Mutex<BTreeMap<String, LevelFilter>>>,
    apply: Arc<Apply>,
}

/// Puts levels into effect.
type Apply = dyn Fn(&BTreeMap<String, LevelFilter>) + Send + Sync;

/// A change of the level of a logger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LevelChange {
    Set {
        logger: String,
        level: String,
    },
    /// Back to the level of the logger above it.
    Delete {
        logger: String,
    },
    /// An operation on lists.
    List {
        operation: &'static str,
    },
}

/// Why levels were not changed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum LevelError {
    #[error("Logger {logger} does not exist!")]
    UnknownLogger { logger: String },
    #[error(
        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are TRACE, DEBUG, INFO, WARN, ERROR, FATAL"
    )]
    UnknownLevel { logger: String, level: String },
    #[error("Removing the log level of the root logger is not allowed")]
    Root,
    #[error("{operation} operation is not allowed for the BROKER_LOGGER resource")]
    List { operation: &'static str },
}

impl LogLevels {
    /// Levels that begin with `root` for all loggers. `apply` is called with the levels after each
    /// change: those of loggers that have one of their own, by module path
    /// (`klamm_broker::groups`), and that of `root`.
    pub fn new(
        root: LevelFilter,
        apply: impl Fn(&BTreeMap<String, LevelFilter>) + Send + Sync + 'static,
    ) -> LogLevels {
        let levels = BTreeMap::from([(ROOT.to_owned(), root)]);
        LogLevels { levels: Arc::new(Mutex::new(levels)), apply: Arc::new(apply) }
    }

    /// The level of each logger.
    pub(crate) fn effective(&self) -> Vec<(&'static str, LevelFilter)> {
        let levels = self.levels.lock();
        LOGGERS.iter().map(|logger| (*logger, level_of(&levels, logger))).collect()
    }

    /// Makes all changes, or only checks them; none is made if one cannot be.
    pub(crate) fn change(&self, changes: &[LevelChange], check_only: bool) -> Result<(), LevelError> {
        let mut levels = self.levels.lock();
        let mut changed = levels.clone();
        changes.iter().try_for_each(|change| apply_to(&mut changed, change))?;
        if !check_only {
            *levels = changed;
            (self.apply)(&by_module(&levels));
        }
        Ok(())
    }
}

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLevels").field("levels", &*self.levels.lock()).finish_non_exhaustive()
    }
}

/// The levels by the path of the module instead of the name of the logger.
fn by_module(levels: &BTreeMap<String, LevelFilter>) -> BTreeMap<String, LevelFilter> {
    levels.iter().map(|(logger, level)| (logger.replace('.', "::"), *level)).collect()
}

fn apply_to(levels: &mut BTreeMap<String, LevelFilter>, change: &LevelChange) -> Result<(), LevelError> {
    match change {
        LevelChange::Set { logger, level } => {
            let wrong = || LevelError::UnknownLevel { logger: logger.clone(), level: level.clone() };
            levels.insert(known(logger)?.to_owned(), level_named(level).ok_or_else(wrong)?);
        }
        LevelChange::Delete { logger } if logger == ROOT => return Err(LevelError::Root),
        LevelChange::Delete { logger } => drop(levels.remove(known(logger)?)),
        LevelChange::List { operation } => return Err(LevelError::List { operation }),
    }
    Ok(())
}

fn known(logger: &str) -> Result<&str, LevelError> {
    match LOGGERS.contains(&logger) {
        true => Ok(logger),
        false => Err(LevelError::UnknownLogger { logger: logger.to_owned() }),
    }
}

/// The level of a logger, or of the nearest one above it.
fn level_of(levels: &BTreeMap<String, LevelFilter>, logger: &str) -> LevelFilter {
    let above = logger.rsplit_once('.').map_or(ROOT, |(above, _)| above);
    match levels.get(logger) {
        Some(level) => *level,
        None if logger == ROOT => LevelFilter::INFO,
        None => level_of(levels, above),
    }
}

/// Kafka's name of a level. There is no FATAL here: errors are the gravest.
fn level_named(name: &str) -> Option<LevelFilter> {
    Some(match name {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => return None,
    })
}

const ROOT: &str = "root";
/// All loggers, `root` first.
const LOGGERS: &[&str] = &[
    ROOT,
    "klamm_broker",
    "klamm_broker.broker",
    "klamm_broker.groups",
    "klamm_broker.handlers",
    "klamm_broker.http",
    "klamm_broker.metadata",
    "klamm_broker.net",
    "klamm_broker.storage",
    "klamm_coordinator",
    "klamm_log",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn set(logger: &str, level: &str) -> LevelChange {
        LevelChange::Set { logger: logger.to_owned(), level: level.to_owned() }
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_of_the_one_above() {
        let applied = Arc::new(Mutex::new(0));
        let count = Arc::clone(&applied);
        let levels = LogLevels::new(LevelFilter::INFO, move |_| *count.lock() += 1);
        let level = |name| levels.effective().into_iter().find(|(logger, _)| *logger == name).unwrap().1;
        levels.change(&[set("klamm_broker", "DEBUG"), set("klamm_broker.net", "ERROR")], false).unwrap();
        assert_eq!(level("klamm_broker.groups"), LevelFilter::DEBUG);
        assert_eq!(level("klamm_broker.net"), LevelFilter::ERROR);
        assert_eq!(level("klamm_log"), LevelFilter::INFO);
        levels.change(&[set("root", "TRACE")], true).unwrap();
        assert_eq!((level("klamm_log"), *applied.lock()), (LevelFilter::INFO, 1), "only checked");
        levels.change(&[LevelChange::Delete { logger: "klamm_broker.net".to_owned() }], false).unwrap();
        assert_eq!(level("klamm_broker.net"), LevelFilter::DEBUG);
    }

    #[test]
    fn names_are_those_that_kafkas_tools_accept_and_levels_are_applied_by_module() {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(LOGGERS.iter().all(|logger| logger.chars().all(legal)));
        let applied = Arc::new(Mutex::new(BTreeMap::new()));
        let seen = Arc::clone(&applied);
        let levels = LogLevels::new(LevelFilter::INFO, move |levels| *seen.lock() = levels.clone());
        levels.change(&[set("klamm_broker.groups", "DEBUG")], false).unwrap();
        assert_eq!(applied.lock().get("klamm_broker::groups"), Some(&LevelFilter::DEBUG));
    }

    #[test]
    fn changes_are_refused_in_kafkas_words_and_none_is_made() {
        let levels = LogLevels::new(LevelFilter::INFO, |_| panic!("nothing was changed"));
        for (change, want) in [
            (set("kafka.server", "INFO"), "Logger kafka.server does not exist!"),
            (
                set("root", "LOUD"),
                "Cannot set the log level of root to LOUD as it is not a supported log level. Valid log levels are TRACE, DEBUG, INFO, WARN, ERROR, FATAL",
            ),
            (
                LevelChange::Delete { logger: "root".to_owned() },
                "Removing the log level of the root logger is not allowed",
            ),
            (
                LevelChange::List { operation: "APPEND" },
                "APPEND operation is not allowed for the BROKER_LOGGER resource",
            ),
        ] {
            let refused = levels.change(&[set("klamm_log", "WARN"), change], false).unwrap_err();
            assert_eq!(refused.to_string(), want);
        }
    }
}
