use std::sync::Arc;

use klamm_log::disk::{Disk, OsDisk};
use klamm_log::{Clock, SystemClock};

use crate::probe::Probe;

/// What a broker takes from its surroundings, so that a test can hold it.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) probe: Probe,
}

impl Default for Environment {
    fn default() -> Environment {
        Environment { clock: Arc::new(SystemClock), disk: Arc::new(OsDisk), probe: Probe::default() }
    }
}
