//! The groups of consumers: the driver of [`klamm_coordinator`]. Each partition of
//! `__consumer_offsets` is a shard of its own, so that groups of different ones do not wait for
//! each other. What is decided is appended to the partition, then applied, then answered.

mod alarm;
mod figures;
mod load;
mod now;
mod shard;
mod table;
mod tally;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use klamm_coordinator::{
    Answer, Effects, GroupConfig, GroupCoordinator, GroupError, GroupId, GroupListing, Moment, Present,
    Waiter,
};
use klamm_log::Clock;
use klamm_protocol::{ErrorCode, Uuid};
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use crate::error_code::WireError;
use crate::metadata::internal_topics::automatic;
use crate::metadata::{Delta, Metadata, MetadataImage, Publisher, Topic, TopicError};
use crate::purgatory::Purgatory;

pub(crate) use crate::metadata::internal_topics::OFFSETS;
use alarm::Alarm;
pub(crate) use alarm::GroupThread;
pub(crate) use figures::GroupFigures;
use now::{Now, Topics};
pub(crate) use shard::Standing;
use shard::{Done, Shard, of_deleted};
use table::Table;
pub(crate) use tally::{KindLabels, Tally};

/// Records that are logged together where they need not be: a name has 32 KiB at most, a segment 1
/// MiB at least.
pub(crate) const PORTION: usize = 24;

/// All groups of the broker.
#[derive(Debug)]
pub(crate) struct Groups {
    own: Weak<Groups>,
    metadata: Arc<Metadata>,
    purgatory: Arc<Purgatory>,
    clock: Arc<dyn Clock>,
    /// Timers count from here: the clock that a test holds, or an administrator sets, must not end
    /// a session.
    began: Instant,
    alarm: Arc<Alarm>,
    /// `None` before there is a topic.
    table: RwLock<Option<Arc<Table>>>,
    tally: Tally,
    /// Held while shards are given their settings, so that the latest are last.
    configuring: Mutex<()>,
}

impl Groups {
    /// Those that there are begin to be loaded.
    pub(crate) fn new(
        metadata: Arc<Metadata>,
        purgatory: Arc<Purgatory>,
        clock: Arc<dyn Clock>,
        tally: Tally,
    ) -> Arc<Groups> {
        let (began, alarm, table) = (Instant::now(), Arc::default(), RwLock::default());
        let groups = Arc::new_cyclic(|own| Groups {
            own: Weak::clone(own),
            metadata,
            purgatory,
            clock,
            began,
            alarm,
            table,
            tally,
            configuring: Mutex::default(),
        });
        let _ = groups.table();
        groups
    }

    /// Makes the topic, unless it is there.
    pub(crate) fn ensure_topic(self: &Arc<Self>) -> Result<(), ErrorCode> {
        if self.metadata.image().topic(OFFSETS).is_none() {
            match self.metadata.create_topic(&automatic(OFFSETS, &self.metadata.config())) {
                Ok(_) | Err(TopicError::Exists { .. }) => {}
                Err(error) => {
                    tracing::error!(%error, "{OFFSETS} was not created");
                    return Err(ErrorCode::CoordinatorNotAvailable);
                }
            }
        }
        self.table().map(drop)
    }

    /// The shards of the topic that there is now. One that was deleted takes its groups with it.
    fn table(self: &Arc<Self>) -> Result<Arc<Table>, ErrorCode> {
        let image = self.metadata.image();
        let topic = image.topic(OFFSETS).ok_or(ErrorCode::NotCoordinator)?;
        let is_current = |table: &&Arc<Table>| table.is_of(topic);
        if let Some(table) = self.table.read().as_ref().filter(is_current) {
            return Ok(Arc::clone(table));
        }
        let mut current = self.table.write();
        let image = self.metadata.image();
        let topic = image.topic(OFFSETS).ok_or(ErrorCode::NotCoordinator)?;
        let is_current = |table: &&Arc<Table>| table.is_of(topic);
        if let Some(table) = current.as_ref().filter(is_current) {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(self.open(topic).map_err(|error| error.wire())?);
        let before = current.replace(Arc::clone(&table));
        drop(current);
        before.iter().for_each(|table| table.unload());
        Ok(table)
    }

    fn open(self: &Arc<Self>, topic: &Topic) -> Result<Table, TopicError> {
        let logs = (0..topic.count())
            .map(|number| self.metadata.log(topic, i32::try_from(number).unwrap_or(i32::MAX)));
        let table = Table::new(topic, logs.map(Result::ok).collect(), &self.config(), &self.tally);
        if table.is_anything_to_load() {
            let (groups, id) = (Arc::clone(self), table.id());
            let load = move || groups.load(id);
            // Without a thread it is loaded now.
            if let Err(error) = std::thread::Builder::new().name("klamm-load-groups".into()).spawn(load) {
                tracing::warn!(%error, "no thread to load groups with");
                table.load_all(|| self.now(), || self.config());
            }
        }
        Ok(table)
    }

    fn load(self: &Arc<Self>, id: Uuid) {
        // Taken out of the lock that whoever began this holds.
        let table = self.table.read().as_ref().filter(|table| table.id() == id).map(Arc::clone);
        if let Some(table) = table {
            table.load_all(|| self.now(), || self.config());
            // Topics may have gone meanwhile, or before what this says of them could be logged.
            self.forget_gone();
            self.alarm.ring();
        }
    }

    fn config(&self) -> GroupConfig {
        let mut config = self.metadata.config().groups.clone();
        config.consumer.own = Arc::new(self.metadata.consumer_times());
        config
    }

    /// Settings of groups, or of the broker, were changed.
    fn configure(&self) {
        let _turn = self.configuring.lock();
        let (table, config) = (self.table.read().as_ref().map(Arc::clone), self.config());
        let shards = table.iter().flat_map(|table| table.shards());
        shards.for_each(|shard| shard.configure(|| config.clone()));
    }

    fn now(&self) -> Now {
        let rack = self.metadata.config().rack.as_deref().map(Arc::from);
        Now {
            moment: Moment::after(self.began.elapsed()),
            time: self.clock.now(),
            topics: Topics { image: self.metadata.image(), rack },
        }
    }

    /// Decides, logs, applies and answers; each portion of what was decided is logged together.
    /// What `event` returns beside is given back once they are logged.
    pub(crate) fn decide<T, P: IntoIterator<Item = Effects>>(
        self: &Arc<Self>,
        group: &GroupId,
        event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> Result<(P, T), GroupError>,
    ) -> Result<T, ErrorCode> {
        let table = self.table()?;
        let shard = table.shard(group);
        let done = shard.decide(|| self.now(), event);
        self.done(group, shard, done)
    }

    /// The same where nothing has to be waited for: `None` where the group is not loaded, or
    /// somebody decides something about it or its neighbours, and nothing was done.
    pub(crate) fn try_decide<T, P: IntoIterator<Item = Effects>>(
        self: &Arc<Self>,
        group: &GroupId,
        event: impl FnOnce(&mut GroupCoordinator, Present<'_>) -> Result<(P, T), GroupError>,
    ) -> Option<Result<T, ErrorCode>> {
        let image = self.metadata.image();
        let table = self.table.try_read()?.as_ref().map(Arc::clone)?;
        let shard = table.is_of(image.topic(OFFSETS)?).then(|| table.shard(group))?;
        let done = shard.try_decide(|| self.now(), event)?;
        Some(self.done(group, shard, done))
    }

    fn done<T>(
        &self,
        group: &GroupId,
        shard: &Shard,
        done: Result<Done<Result<T, ErrorCode>>, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        let (done, deadline) = done?;
        self.after(shard, deadline);
        done.inspect_err(|error| tracing::debug!(?group, ?error, "a request to a group was refused"))
    }

    /// The same for one who may have to wait for the answer.
    pub(crate) fn wait(
        self: &Arc<Self>,
        group: &GroupId,
        event: impl FnOnce(&mut GroupCoordinator, Waiter, Present<'_>) -> Effects,
    ) -> Result<oneshot::Receiver<Answer>, ErrorCode> {
        let table = self.table()?;
        let shard = table.shard(group);
        let (answer, deadline) = shard.wait(|| self.now(), event)?;
        self.after(shard, deadline);
        Ok(answer)
    }

    /// Looks at a group.
    pub(crate) fn read<T>(
        self: &Arc<Self>,
        group: &GroupId,
        look: impl FnOnce(&GroupCoordinator) -> T,
    ) -> Result<T, ErrorCode> {
        self.table()?.shard(group).read(look)
    }

    /// All groups there are.
    pub(crate) fn list(self: &Arc<Self>) -> Result<Vec<GroupListing>, ErrorCode> {
        let Ok(table) = self.table() else { return Ok(Vec::new()) };
        let of = |shard: &Shard| match shard.read(|coordinator| coordinator.list().collect::<Vec<_>>()) {
            Err(ErrorCode::CoordinatorLoadInProgress) => Err(ErrorCode::CoordinatorLoadInProgress),
            // Those of a partition that cannot be read are not there; others are.
            listed => Ok(listed.unwrap_or_default()),
        };
        Ok(table.shards().map(of).collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// The sum of `figure` over all groups that are served.
    pub(crate) fn sum(self: &Arc<Self>, figure: impl Fn(&GroupListing) -> usize) -> usize {
        let Ok(table) = self.table() else { return 0 };
        let of = |shard: &Shard| {
            let sum = shard.read(|coordinator| coordinator.list().map(|group| figure(&group)).sum());
            sum.unwrap_or(0_usize)
        };
        table.shards().map(of).sum()
    }

    /// All groups in figures; those that are still being loaded are not there yet.
    pub(crate) fn figures(self: &Arc<Self>) -> Vec<GroupFigures> {
        let Ok(table) = self.table() else { return Vec::new() };
        let of = |shard: &Shard| shard.read(GroupFigures::all).unwrap_or_default();
        table.shards().flat_map(of).collect()
    }

    /// Of each partition of the topic, in their order, whether its groups are served.
    pub(crate) fn standings(self: &Arc<Self>) -> Vec<Standing> {
        self.table().map_or(Vec::new(), |table| table.shards().filter_map(Shard::standing).collect())
    }

    /// The partitions of the topic that cannot be written to, and why.
    #[cfg(feature = "http")]
    pub(crate) fn refusing(self: &Arc<Self>) -> Vec<(klamm_log::TopicPartition, String)> {
        self.table().map_or(Vec::new(), |table| table.shards().filter_map(Shard::refusing).collect())
    }

    /// The offsets of topics go with them, but not those of others that have their names since;
    /// with that of offsets go all groups.
    fn topics_deleted(self: &Arc<Self>, topics: &[Arc<Topic>]) {
        if let Some(offsets) = topics.iter().find(|topic| topic.name.as_str() == OFFSETS) {
            return self.unload(offsets.id.into());
        }
        let Ok(table) = self.table() else { return };
        table.shards().for_each(|shard| shard.note_deleted(topics));
        self.in_all_shards(|coordinator, _| coordinator.forget(of_deleted(topics)));
    }

    /// Who waits for groups of this topic is told that nobody looks after them.
    fn unload(&self, id: Uuid) {
        let gone = self.table.write().take_if(|table| table.id() == id);
        gone.iter().for_each(|table| table.unload());
    }

    /// The offsets of topics that are not there go, and those of others that have the name now:
    /// what is there is asked under the shard's lock, for whoever commits does so too.
    fn forget_gone(self: &Arc<Self>) {
        self.in_all_shards(|coordinator, present| {
            coordinator.forget(|name, committed| match present.topics.find(name) {
                Some(topic) => committed.topic_id.is_some_and(|id| id != topic.id),
                None => true,
            })
        });
    }

    /// What has expired goes.
    pub(crate) fn expire(self: &Arc<Self>) {
        self.in_all_shards(|coordinator, present| coordinator.expire(present.time));
    }

    fn in_all_shards(self: &Arc<Self>, event: impl Fn(&mut GroupCoordinator, Present<'_>) -> Effects) {
        let Ok(table) = self.table() else { return };
        for shard in table.shards() {
            if let Ok((Err(error), _)) = shard.decide(
                || self.now(),
                |groups, present| Ok((event(groups, present).in_portions(PORTION), ())),
            ) {
                tracing::warn!(%error, "{OFFSETS} was not written to");
            }
        }
    }

    /// Does what is due in all shards; when something is due next.
    fn on_time(self: &Arc<Self>) -> Option<Moment> {
        let table = self.table().ok()?;
        table.shards().filter_map(|shard| shard.on_time(|| self.now(), |log| self.purgatory.grown(log))).min()
    }

    /// Wakes who reads the topic, and the thread that watches the time.
    fn after(&self, shard: &Shard, deadline: Option<Moment>) {
        if let Some(partition) = shard.partition() {
            self.purgatory.grown(partition);
        }
        if let Some(deadline) = deadline {
            self.alarm.set(self.began + deadline.passed());
        }
    }

    fn retention_interval(&self) -> Duration {
        self.metadata.config().groups.offsets_retention_check_interval
    }
}

impl Publisher for Groups {
    fn publish(&self, delta: &Delta, _: &MetadataImage) {
        if delta.brokers || delta.groups {
            self.configure();
        }
        if let Some(groups) = self.own.upgrade().filter(|_| !delta.removed.is_empty()) {
            groups.topics_deleted(&delta.removed);
        }
    }
}
