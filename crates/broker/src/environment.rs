//! The broker's surroundings: disk, clock and log levels.

use std::sync::Arc;

use klamm_log::disk::{Disk, OsDisk};
use klamm_log::{Clock, SystemClock};

use crate::log_levels::LogLevels;
use crate::probe::Probe;

/// What a broker takes from its surroundings, so that a test can hold it.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) probe: Probe,
    /// `None` where the levels of the log cannot be changed.
    pub(crate) log_levels: Option<LogLevels>,
}

impl Default for Environment {
    fn default() -> Environment {
        Environment {
            clock: Arc::new(SystemClock),
            disk: Arc::new(OsDisk),
            probe: Probe::default(),
            log_levels: None,
        }
    }
}
