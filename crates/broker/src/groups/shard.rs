//! One partition of `__consumer_offsets` and its groups.
//!
//! ```text
//! lock   decide -> append -> apply        as many requests as come
//! wait   sync, if `flush.messages` asks for it; those who wait share it
//! then   answer
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use klamm_coordinator::{
    Answer, CommittedOffset, Effects, GroupConfig, GroupCoordinator, GroupError, GroupRecord, Moment,
    Present, Waiter,
};
use klamm_log::{AppendError, Depth, Durability, Log};
use klamm_protocol::{ErrorCode, Uuid};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_types::{LeaderEpoch, Offset, Timestamp, TopicId, TopicPartition};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::PORTION;
use super::load::load;
use super::now::Now;
use super::tally::Tally;
use crate::error_code::{WireError, coordinator_error};
use crate::metadata::Topic;

#[derive(Debug)]
pub(super) struct Shard {
    /// `None` where the partition is offline.
    log: Option<Log>,
    state: Mutex<State>,
    tally: Tally,
}

#[derive(Debug)]
enum State {
    /// What was logged is being read. Topics that were deleted meanwhile take their offsets with
    /// them.
    Loading(Vec<Arc<Topic>>),
    Ready(Box<Ready>),
    /// It cannot be read.
    Failed,
    /// The topic is gone.
    Unloaded,
}

#[derive(Debug)]
struct Ready {
    coordinator: GroupCoordinator,
    waiters: HashMap<Waiter, oneshot::Sender<Answer>>,
    next: u64,
    /// Why what was decided last could not be logged.
    refusing: Option<String>,
}

/// What is to be told when a decision is durable.
#[derive(Default)]
struct Unsent {
    answers: Vec<Addressed>,
    /// Whether the decision has records.
    has_records: bool,
}

type Addressed = (oneshot::Sender<Answer>, Answer);

/// Whether the groups of a partition are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Loading,
    Active,
    Failed,
}

/// What came of something, and when something is due next.
pub(super) type Done<T> = (T, Option<Moment>);

impl Shard {
    /// One whose log is empty is ready at once.
    pub(super) fn new(log: Option<Log>, config: GroupConfig, tally: Tally) -> Shard {
        let is_empty = log.as_ref().is_some_and(|log| log.bounds().end() == Offset::ZERO);
        let state = match (&log, is_empty) {
            (None, _) => State::Failed,
            (_, true) => State::Ready(Box::new(Ready::new(GroupCoordinator::new(config)))),
            (_, false) => State::Loading(Vec::new()),
        };
        Shard { log, state: Mutex::new(state), tally }
    }

    pub(super) fn partition(&self) -> Option<&TopicPartition> {
        self.log.as_ref().map(Log::partition)
    }

    pub(super) fn is_loading(&self) -> bool {
        self.standing() == Some(Standing::Loading)
    }

    /// Whether its groups are served; `None` of a topic that is gone.
    pub(super) fn standing(&self) -> Option<Standing> {
        match *self.state.lock() {
            State::Loading(_) => Some(Standing::Loading),
            State::Ready(_) => Some(Standing::Active),
            State::Failed => Some(Standing::Failed),
            State::Unloaded => None,
        }
    }

    /// Why what its groups decide is not logged, while that lasts.
    #[cfg(feature = "http")]
    pub(super) fn refusing(&self) -> Option<(TopicPartition, String)> {
        match &*self.state.lock() {
            State::Ready(ready) => Some((self.partition()?.clone(), ready.refusing.clone()?)),
            _ => None,
        }
    }

    /// Reads what was logged, if that has not been done; how many groups there are then.
    pub(super) fn load(&self, now: impl Fn() -> Now, config: impl Fn() -> GroupConfig) -> Option<usize> {
        let log = self.log.as_ref().filter(|_| self.is_loading())?;
        // Not under the lock: whoever comes meanwhile is told to come again.
        let began = std::time::Instant::now();
        let loaded = load(log, config());
        // Sessions begin when it is done, however long it has taken.
        let now = now();
        let mut state = self.state.lock();
        let State::Loading(deleted) = &mut *state else { return None };
        let deleted = std::mem::take(deleted);
        *state = match loaded {
            Ok(replay) => {
                let mut ready = Ready::new(replay.finish(now.present()));
                ready.forget(&deleted, log, &now, &self.tally);
                State::Ready(Box::new(ready))
            }
            Err(error) => {
                tracing::error!(partition = %log.partition(), %error, "groups were not loaded: those of this partition are not served until its log is repaired (verify_log --repair), and the broker started again");
                State::Failed
            }
        };
        drop(state);
        // They may have changed meanwhile.
        self.configure(config);
        let groups = self.read(|coordinator| coordinator.list().count()).ok()?;
        tracing::debug!(partition = %log.partition(), groups, took = ?began.elapsed(), "groups were loaded");
        Some(groups)
    }

    /// Notes topics that were deleted while what was logged is being read.
    pub(super) fn note_deleted(&self, topics: &[Arc<Topic>]) {
        if let State::Loading(deleted) = &mut *self.state.lock() {
            deleted.extend_from_slice(topics);
        }
    }

    /// Nobody looks after these groups any more.
    pub(super) fn unload(&self) {
        if let State::Ready(mut ready) = std::mem::replace(&mut *self.state.lock(), State::Unloaded) {
            let coordinator = std::mem::take(&mut ready.coordinator);
            let answers = ready.addressed(coordinator.unload().answers);
            answers.into_iter().for_each(|(tell, answer)| _ = tell.send(answer));
        }
    }

    /// Settings were changed. One that is being loaded sees them when it is.
    pub(super) fn configure(&self, config: impl FnOnce() -> GroupConfig) {
        if let Ok(ready) = self.state.lock().ready() {
            ready.coordinator.configure(config());
        }
    }

    /// Decides, and carries out what comes of it, portion by portion, until one cannot be logged.
    pub(super) fn decide<T, P: IntoIterator<Item = Effects>>(
        &self,
        now: impl FnOnce() -> Now,
        event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> Result<(P, T), GroupError>,
    ) -> Result<Done<Result<T, ErrorCode>>, ErrorCode> {
        let (state, log) = self.ready()?;
        self.decide_under(state, log, now, event)
    }

    /// The same where it is done at once: `None` where somebody else decides, or something may have
    /// to wait for the disk.
    pub(super) fn try_decide<T, P: IntoIterator<Item = Effects>>(
        &self,
        now: impl FnOnce() -> Now,
        event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> Result<(P, T), GroupError>,
    ) -> Option<Result<Done<Result<T, ErrorCode>>, ErrorCode>> {
        let log = self.log.as_ref().filter(|log| !log.append_may_wait(LeaderEpoch::ZERO))?;
        let state = self.state.try_lock().filter(|state| matches!(**state, State::Ready(_)))?;
        Some(self.decide_under(state, log, now, event))
    }

    fn decide_under<T, P: IntoIterator<Item = Effects>>(
        &self,
        mut state: MutexGuard<'_, State>,
        log: &Log,
        now: impl FnOnce() -> Now,
        event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> Result<(P, T), GroupError>,
    ) -> Result<Done<Result<T, ErrorCode>>, ErrorCode> {
        let ready = state.ready()?;
        // Under the lock: what is decided later knows all that is known before.
        let (now, mut unsent) = (&now(), Unsent::default());
        let decided = event(&mut ready.coordinator, now.present()).map_err(|error| error.wire());
        let done = decided.and_then(|(portions, value)| {
            let mut portions = portions.into_iter();
            let mut carry_out = |effects| ready.carry_out(effects, log, now, &self.tally, &mut unsent);
            portions.try_for_each(&mut carry_out).map(|()| value)
        });
        let (deadline, end) = (ready.coordinator.next_deadline(), log.bounds().end());
        drop(state);
        let sent = unsent.send(log, end).map_err(|error| error.wire());
        Ok((done.and_then(|value| sent.map(|()| value)), deadline))
    }

    pub(super) fn wait(
        &self,
        now: impl FnOnce() -> Now,
        event: impl FnOnce(&mut GroupCoordinator, Waiter, Present<'_>) -> Effects,
    ) -> Result<Done<oneshot::Receiver<Answer>>, ErrorCode> {
        let (mut state, log) = self.ready()?;
        let ready = state.ready()?;
        let (waiter, answer) = ready.waiter();
        let (now, mut unsent) = (&now(), Unsent::default());
        let effects = event(&mut ready.coordinator, waiter, now.present());
        // Whoever waits is told by an answer.
        let _ = ready.carry_out(effects, log, now, &self.tally, &mut unsent);
        let (deadline, end) = (ready.coordinator.next_deadline(), log.bounds().end());
        drop(state);
        let _ = unsent.send(log, end);
        Ok((answer, deadline))
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&GroupCoordinator) -> T) -> Result<T, ErrorCode> {
        let (mut state, log) = self.ready()?;
        let (found, end) = (look(&state.ready()?.coordinator), log.bounds().end());
        drop(state);
        // What is being synced is not told before; where that fails, what was decided is there all
        // the same.
        let _ = log.sync_if_due(end);
        Ok(found)
    }

    /// Does what is due; when something is due next.
    pub(super) fn on_time(
        &self,
        now: impl FnOnce() -> Now,
        grown: impl FnOnce(&TopicPartition),
    ) -> Option<Moment> {
        let (mut state, log) = self.ready().ok()?;
        let ready = state.ready().ok()?;
        let (before, now, mut unsent) = (log.bounds().end(), &now(), Unsent::default());
        while let Some(effects) = ready.coordinator.on_time(now.present()) {
            // Who waits is told by an answer, and the error is in the log.
            let _ = ready.carry_out(effects, log, now, &self.tally, &mut unsent);
        }
        let (deadline, end) = (ready.coordinator.next_deadline(), log.bounds().end());
        drop(state);
        let _ = unsent.send(log, end);
        if end > before {
            grown(log.partition());
        }
        deadline
    }

    fn ready(&self) -> Result<(MutexGuard<'_, State>, &Log), ErrorCode> {
        Ok((self.state.lock(), self.log.as_ref().ok_or(ErrorCode::CoordinatorNotAvailable)?))
    }
}

impl Standing {
    pub(crate) const ALL: [Standing; 3] = [Standing::Loading, Standing::Active, Standing::Failed];

    /// As Kafka calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Standing::Loading => "loading",
            Standing::Active => "active",
            Standing::Failed => "failed",
        }
    }
}

impl State {
    fn ready(&mut self) -> Result<&mut Ready, ErrorCode> {
        match self {
            State::Ready(ready) => Ok(ready),
            State::Loading(_) => Err(ErrorCode::CoordinatorLoadInProgress),
            State::Failed => Err(ErrorCode::CoordinatorNotAvailable),
            State::Unloaded => Err(ErrorCode::NotCoordinator),
        }
    }
}

impl Ready {
    fn new(coordinator: GroupCoordinator) -> Ready {
        Ready { coordinator, waiters: HashMap::new(), next: 0, refusing: None }
    }

    fn waiter(&mut self) -> (Waiter, oneshot::Receiver<Answer>) {
        let (tell, told) = oneshot::channel();
        self.next += 1;
        self.waiters.insert(Waiter(self.next), tell);
        (Waiter(self.next), told)
    }

    /// The offsets of deleted topics go. What cannot be logged is told in the log, and stays.
    fn forget(&mut self, deleted: &[Arc<Topic>], log: &Log, now: &Now, tally: &Tally) {
        if deleted.is_empty() {
            return;
        }
        let effects = self.coordinator.forget(of_deleted(deleted));
        let (portions, mut unsent) = (effects.in_portions(PORTION), Unsent::default());
        let mut carry_out = |effects| self.carry_out(effects, log, now, tally, &mut unsent);
        // There are no members yet who could wait.
        let _ = portions.into_iter().try_for_each(&mut carry_out);
    }

    /// Appends, applies, and leaves the answers to be sent.
    fn carry_out(
        &mut self,
        effects: Effects,
        log: &Log,
        now: &Now,
        tally: &Tally,
        unsent: &mut Unsent,
    ) -> Result<(), ErrorCode> {
        let logged = append(log, &effects.records, now.time);
        if let Err(error) = &logged {
            self.note_stuck(log, &effects.records, error);
            let error = coordinator_error(error);
            let instead = self.coordinator.not_logged(effects, error, now.present());
            unsent.answers.extend(self.addressed(instead.answers));
            return Err(error.wire());
        }
        if !effects.records.is_empty() && self.refusing.take().is_some() {
            tracing::info!(partition = %log.partition(), "what groups decide is logged again");
        }
        effects.records.iter().for_each(|record| self.coordinator.apply(record));
        tally.note(&effects);
        unsent.has_records |= !effects.records.is_empty();
        unsent.answers.extend(self.addressed(effects.answers));
        Ok(())
    }

    /// Once, until it goes on: a full disk has every commit refused.
    fn note_stuck(&mut self, log: &Log, records: &[GroupRecord], error: &AppendError) {
        if self.refusing.replace(error.to_string()).is_none() {
            let (partition, group) = (log.partition(), records.first().map(GroupRecord::group));
            tracing::error!(%partition, ?group, %error, "what groups decide is not logged, and so refused, until it can be");
        }
    }

    /// Answers with where they go.
    fn addressed(&mut self, answers: Vec<(Waiter, Answer)>) -> Vec<Addressed> {
        let address = |(waiter, answer)| Some((self.waiters.remove(&waiter)?, answer));
        answers.into_iter().filter_map(address).collect()
    }
}

impl Unsent {
    /// Sends the answers once all before `end` is durable, as far as `flush.messages` asks for it.
    /// If that fails, the answers of a decision with records are errors.
    fn send(self, log: &Log, end: Offset) -> Result<(), GroupError> {
        let synced = log.sync_if_due(end);
        let failed = synced.err().filter(|_| self.has_records).map(|error| {
            tracing::error!(partition = %log.partition(), %error, "what groups decided is not durable, and so refused");
            coordinator_error(&AppendError::Log(error))
        });
        for (tell, answer) in self.answers {
            let answer = match failed {
                Some(error) => answer.failed(error),
                None => answer,
            };
            // One whose client has closed its connection hears nothing.
            let _ = tell.send(answer);
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Whether an offset is of one of the topics that were deleted, and not of another that has its
/// name since. An old record does not say which topic it was.
pub(super) fn of_deleted(
    topics: &[Arc<Topic>],
) -> impl Fn(&klamm_coordinator::Topic, &CommittedOffset) -> bool {
    let ids: HashMap<String, TopicId> =
        topics.iter().map(|topic| (topic.name.as_str().to_owned(), topic.id)).collect();
    move |name, committed| {
        let gone = ids.get(name.as_str()).map(|id| Uuid::from(*id));
        gone.is_some_and(|gone| committed.topic_id.is_none_or(|id| id == gone))
    }
}

/// Appends records, as many batches as they need, all or none.
fn append(log: &Log, records: &[GroupRecord], time: Timestamp) -> Result<(), AppendError> {
    if records.is_empty() {
        return Ok(());
    }
    let most = log.config().max_message_bytes as usize;
    let (mut bytes, mut builder) = (Vec::new(), BatchBuilder::new(Vec::new(), BatchOptions::default()));
    for record in records {
        let (key, value) = record.encode().map_err(too_long)?;
        let tombstone = NewRecord::tombstone(&key).at(time);
        let record = value.as_ref().map_or(tombstone, |value| NewRecord::new(value).key(&key).at(time));
        if !builder.is_empty() && builder.size_with(&record) > most {
            let full =
                std::mem::replace(&mut builder, BatchBuilder::new(Vec::new(), BatchOptions::default()));
            bytes.extend(full.finish()?.buffer);
        }
        builder.append(&record)?;
    }
    bytes.extend(builder.finish()?.buffer);
    let epoch = log.epochs().latest().map_or(LeaderEpoch::ZERO, |latest| latest.epoch);
    log.append_batches(&mut bytes, epoch, Depth::Header, Durability::Deferred).map(drop)
}

/// A name that is longer than a record can have it.
fn too_long(_: klamm_protocol::EncodeError) -> AppendError {
    let most = i16::MAX as usize;
    AppendError::TooLarge {
        what: "a name in a group",
        got: most + 1,
        max: most,
        setting: "max.message.bytes",
    }
}

#[cfg(test)]
mod tests {
    use klamm_log::LogDir;

    use super::*;
    use crate::groups::now::Topics;

    fn now() -> Now {
        let topics = Topics { image: std::sync::Arc::default(), rack: None };
        Now { moment: Moment::default(), time: Timestamp::from_millis(0), topics }
    }

    /// While one decides, the other does too.
    #[test]
    fn shards_do_not_wait_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let dir = LogDir::open(folder.path()).unwrap();
        let shards = [0, 1].map(|partition| {
            let log = dir.log("__consumer_offsets", partition).unwrap();
            Shard::new(Some(log), GroupConfig::default(), Tally::default())
        });
        let nothing = |_: &mut GroupCoordinator, _: Present<'_>| Ok((None::<Effects>, ()));
        let (done, _) = shards[0]
            .decide(now, |_, _| {
                // A lock that both had would stop here for ever.
                let other = shards[1].decide(now, nothing);
                Ok((None::<Effects>, other.is_ok_and(|(done, _)| done.is_ok())))
            })
            .unwrap();
        assert_eq!(done, Ok(true));
    }
}
