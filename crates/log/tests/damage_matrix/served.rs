//! What a directory of logs serves, and what it reports about its files.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};

use klamm_log::{
    AppendError, Depth, Durability, Log, LogDir, Offset, Position, ReadError, ReadLimit, Timestamp,
    TopicPartition, Visibility,
};
use klamm_record::{BatchHeader, RecordIter};
use klamm_sim::HeldClock;
use klamm_types::TopicId;

use crate::support::epoch;
use crate::world::{HOUR, Image, NOW, PRODUCER, World, batch, disk_of, open, partitions, time};

/// All that a client can see, a line for each answer, and all that is reported.
#[derive(Default)]
pub struct Seen {
    pub served: Vec<String>,
    /// What opening and reading report.
    pub reports: Vec<String>,
    /// What verifying reports.
    pub findings: Vec<String>,
}

impl Seen {
    fn answer(&mut self, what: &str, answer: impl Debug) {
        self.served.push(format!("{what}: {answer:?}"));
    }

    fn report(&mut self, found: impl IntoIterator<Item = impl Display>) {
        self.reports.extend(found.into_iter().map(|found| found.to_string()));
    }

    fn result<T: Debug>(&mut self, what: &str, result: Result<T, impl Display>) {
        match result {
            Ok(value) => self.answer(what, value),
            Err(error) => {
                self.report([error]);
                self.answer(what, "an error");
            }
        }
    }
}

/// Opens the directory and asks everything.
pub fn look(world: &World, image: &Image) -> Seen {
    let mut seen = Seen::default();
    match open(disk_of(image), &world.config, HeldClock::at(NOW)) {
        Ok(dir) => look_at(world, &dir, &mut seen),
        Err(error) => seen.report([error]),
    }
    seen
}

fn look_at(world: &World, dir: &LogDir, seen: &mut Seen) {
    seen.report(dir.inconsistencies());
    seen.report(dir.cuts());
    seen.report(dir.offline().into_iter().map(|log| log.error));
    seen.report(dir.missing().into_iter().map(|(name, point)| format!("/d/{name} is missing, {point}")));
    for (name, id) in partitions() {
        match dir.get(&name) {
            Some(log) => look_at_log(world, &log, seen),
            None => seen.answer("not open", &name),
        }
        look_at_id(world, dir, &name, id, seen);
    }
}

/// The id in the file, and whether the log opens for its topic.
fn look_at_id(world: &World, dir: &LogDir, name: &TopicPartition, id: TopicId, seen: &mut Seen) {
    seen.result("topic id", dir.topic_id(name));
    dir.release(name);
    seen.result("opens for its topic", dir.create(name, world.config.clone(), Some(id)).map(drop));
}

fn look_at_log(world: &World, log: &Log, seen: &mut Seen) {
    seen.answer("bounds", log.bounds());
    seen.answer("epochs", log.epochs());
    let records = log.records(Position::Start).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match records {
        Ok(records) => records.iter().for_each(|record| seen.answer("record", record)),
        Err(error) => seen.report([error]),
    }
    for n in (0..40).step_by(3) {
        let since = |millis: i64| log.offset_since(Timestamp::from_millis(time(n).as_millis() + millis));
        seen.result("since", since(0));
        seen.result("since, later", since(1));
    }
    seen.result("largest time", log.offset_of_max_timestamp());
    let (start, end) = (log.bounds().start().get(), log.bounds().end().get());
    // A damaged log may seem to have any end.
    for from in (start..end).step_by(5).take(8) {
        seen.result("committed", committed(log, Offset::new(from).unwrap()));
    }
    match log.verify(Depth::Records { limit: 1 << 20 }) {
        Ok(findings) => seen.findings.extend(findings.into_iter().map(|found| found.to_string())),
        Err(error) => seen.report([error]),
    }
    for hours in [0, 15] {
        let retired = log.enforce_retention(Timestamp::from_millis(NOW + hours * HOUR));
        seen.result("retention", retired);
        seen.answer("start", log.bounds().start());
    }
    if log.partition() == &partitions()[0].0 {
        look_at_producer(world, log, seen);
    }
}

/// The offsets of the records from `from` on that a consumer hands out which reads committed
/// transactions only.
fn committed(log: &Log, from: Offset) -> Result<Vec<i64>, ReadError> {
    let mut seen = Vec::new();
    let (mut next, mut before) = (from, None);
    while next < log.bounds().stable() && before.replace(next) != Some(next) {
        let slice = log.read(next, ReadLimit { max_bytes: 1 << 20, visibility: Visibility::Stable })?;
        let end = slice.offsets_before()?.unwrap_or(log.bounds().stable());
        let aborted = log.aborted_transactions(next, end)?;
        let (bytes, mut ended) = (slice.read()?, BTreeSet::new());
        let mut rest = &bytes[..];
        while let Ok(header) = BatchHeader::parse(rest) {
            let Some((batch, behind)) = rest.split_at_checked(header.size()) else { break };
            rest = behind;
            next = next.max(header.next_offset());
            let producer = header.producer().map(|producer| producer.id);
            let is_of = |at: usize| {
                let found = &aborted[at];
                Some(found.producer_id) == producer && found.first_offset <= header.last_offset()
            };
            let open = (0..aborted.len()).find(|at| is_of(*at) && !ended.contains(at));
            if header.is_control() {
                ended.extend(open);
            } else if open.is_none() || !header.is_transactional() {
                let records = RecordIter::new(&header, &batch[BatchHeader::SIZE..]).map_while(Result::ok);
                seen.extend(records.map(|record| record.offset.get()).filter(|at| *at >= from.get()));
            }
        }
    }
    Ok(seen)
}

/// A duplicate of the last batch, a batch that leaves one out, and the next one.
fn look_at_producer(world: &World, log: &Log, seen: &mut Seen) {
    for (what, sequence) in
        [("duplicate", world.sequence - 1), ("gap", world.sequence + 5), ("next", world.sequence)]
    {
        let mut bytes = batch(PRODUCER, sequence, &[38], false);
        match log.append_batches(&mut bytes, epoch(6), Depth::Header, Durability::Written) {
            Ok(appended) => seen.answer(what, (appended.base_offset, appended.is_duplicate)),
            Err(AppendError::Producer { fault, .. }) => seen.answer(what, fault),
            Err(error) => {
                seen.report([error]);
                seen.answer(what, "an error");
            }
        }
    }
}
