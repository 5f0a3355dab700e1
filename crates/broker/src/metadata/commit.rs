//! One command: plan, log, apply. Commands plan one after the other and wait for the disk together;
//! what they have opened or removed on the disk is done beside each other, topic by topic.
//!
//! ```text
//! lock   plan -> records -> written to the log      behind the one before, which need not be durable
//! wait   sync, shared with others
//! lock   applied, visible
//! ```

use std::collections::BTreeSet;

use klamm_types::{Offset, TopicName};
use parking_lot::MutexGuard;

use super::delta::Delta;
use super::features::{LATEST, METADATA_VERSION};
use super::publish::Logged;
use super::record::MetadataRecord;
use super::{Metadata, MetadataImage, TopicError};

/// What was logged, durable or not: what the next command is planned upon.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) image: MetadataImage,
    /// Topics whose logs are being opened or removed. Commands that touch them wait.
    busy: BTreeSet<TopicName>,
}

/// The topics that a command touches.
#[derive(Clone, Debug)]
pub(super) enum Touches {
    Topics(BTreeSet<TopicName>),
    /// Settings of brokers are those of every topic.
    All,
}

/// The records of a command, as they are planned item by item.
#[derive(Debug)]
pub(super) struct Plan {
    /// What there will be after the items so far.
    pub(super) image: MetadataImage,
    records: Vec<MetadataRecord>,
    /// The number of records before the end of each item.
    ends: Vec<usize>,
}

/// A command that was logged and applied.
pub(super) struct Committed<'a> {
    pub(super) delta: Delta,
    /// Keeps other commands from its topics until its effects are there.
    busy: Option<Busy<'a>>,
}

struct Busy<'a> {
    metadata: &'a Metadata,
    names: BTreeSet<TopicName>,
}

impl Committed<'_> {
    /// Leaves its topics busy: they are those of a command under way, which ends later.
    pub(super) fn leave_busy(&mut self) {
        if let Some(busy) = &mut self.busy {
            busy.names.clear();
        }
    }
}

impl Decided {
    pub(super) fn new(image: MetadataImage) -> Decided {
        Decided { image, ..Decided::default() }
    }

    #[cfg(test)]
    pub(super) fn is_busy(&self, topic: &str) -> bool {
        self.busy.iter().any(|busy| busy.as_str() == topic)
    }
}

impl Touches {
    /// No topic.
    pub(super) fn nothing() -> Touches {
        Touches::Topics(BTreeSet::new())
    }

    /// The topics of these names; a name that cannot be one touches nothing.
    pub(super) fn topics<'a>(names: impl IntoIterator<Item = &'a str>) -> Touches {
        Touches::Topics(names.into_iter().filter_map(|name| TopicName::new(name).ok()).collect())
    }

    fn any(&self, busy: &BTreeSet<TopicName>) -> bool {
        match self {
            Touches::All => !busy.is_empty(),
            // The smaller set is looked through.
            Touches::Topics(names) if names.len() < busy.len() => {
                names.iter().any(|name| busy.contains(name))
            }
            Touches::Topics(names) => busy.iter().any(|name| names.contains(name)),
        }
    }
}

impl Plan {
    fn new(image: &MetadataImage) -> Plan {
        Plan { image: image.clone(), records: Vec::new(), ends: Vec::new() }
    }

    /// Adds the records of an item.
    pub(super) fn add(&mut self, records: impl IntoIterator<Item = MetadataRecord>) {
        for record in records {
            self.image.apply(&record);
            self.records.push(record);
        }
        self.ends.push(self.records.len());
    }
}

impl Metadata {
    /// Plans a command, logs its records durably as one, and applies them; returns what the plan
    /// returned beside. The effects are the caller's to have, by [`Metadata::publish`].
    pub(super) fn submit<T>(
        &self,
        touches: &Touches,
        plan: impl FnOnce(&mut Plan) -> T,
    ) -> (T, Result<Committed<'_>, TopicError>) {
        let mut decided = self.wait_for(touches);
        // The same image as before, which shares its entries with what clients see.
        let applied = self.publishing.lock().settled();
        decided.image = applied.unwrap_or_else(|| std::mem::take(&mut decided.image));
        let mut planned = Plan::new(&decided.image);
        let outcome = plan(&mut planned);
        if planned.records.is_empty() {
            // What it leaves as it is may be another command's, and not durable yet.
            let logged = self.publishing.lock().logged_to();
            drop(decided);
            let settled = logged.map_or(Ok(()), |end| self.make_durable(end));
            return (outcome, settled.map(|()| Committed { delta: Delta::default(), busy: None }));
        }
        let logged = self.write(&mut decided, planned);
        drop(decided);
        let committed = logged.and_then(|(committed, end)| self.make_durable(end).map(|()| committed));
        (outcome, committed)
    }

    /// Makes durable what was logged before `end`, and applies it.
    fn make_durable(&self, end: Offset) -> Result<(), TopicError> {
        self.log.sync()?;
        self.apply_to(end);
        Ok(())
    }

    /// Plans a command that is not carried out.
    pub(super) fn only_plan<T>(&self, plan: impl FnOnce(&mut Plan) -> T) -> T {
        let mut planned = Plan::new(&self.decided.lock().image);
        plan(&mut planned)
    }

    fn wait_for(&self, touches: &Touches) -> MutexGuard<'_, Decided> {
        let mut decided = self.decided.lock();
        while touches.any(&decided.busy) {
            self.settled.wait(&mut decided);
        }
        decided
    }

    /// Writes the records of a plan to the log, behind those of the command before.
    fn write(&self, decided: &mut Decided, plan: Plan) -> Result<(Committed<'_>, Offset), TopicError> {
        let level = decided.image.feature(METADATA_VERSION).unwrap_or(LATEST);
        let end = self.log.append(&self.log.batches(&plan.records, &plan.ends, level)?)?;
        let delta = Delta::of(&plan.records, &decided.image, &plan.image);
        let opened = delta.opened.iter().map(|opened| opened.topic.id.into()).collect();
        self.publishing.lock().push(Logged { end, records: plan.records, opened });
        decided.image = plan.image;
        let names: BTreeSet<_> = delta.names().collect();
        decided.busy.extend(names.iter().cloned());
        Ok((Committed { delta, busy: Some(Busy { metadata: self, names }) }, end))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if !self.names.is_empty() {
            let mut decided = self.metadata.decided.lock();
            decided.busy.retain(|name| !self.names.contains(name));
            drop(decided);
            self.metadata.settled.notify_all();
        }
    }
}
