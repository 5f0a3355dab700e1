//! A script of requests against a broker, what each answer promises, and whether a broker on a disk
//! that was found after a power loss keeps the promises.
//!
//! | answered | promise |
//! |---|---|
//! | Produce | the record is there, once `flush.messages` records were acknowledged |
//! | CreateTopics, CreatePartitions, DeleteTopics | the topic is there with its id and partitions, or not there |
//! | IncrementalAlterConfigs, AlterClientQuotas | the value |
//! | InitProducerId | no later producer gets this id |
//! | OffsetCommit | the offset, where `__consumer_offsets` has `flush.messages=1` |
//!
//! A request without an answer may have had its effect or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_broker::BrokerConfig;
use klamm_broker::testing::TestBroker;
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::{Records, Uuid};
use klamm_record::{BatchBuilder, BatchOptions, Batches, NewRecord};
use klamm_sim::{Found, SimDisk};
use klamm_types::Timestamp;

use crate::admin::{TOPIC, create, set, value};
use crate::client::Client;
use crate::groups::{committed, wait_until_loaded};
use crate::requests::produce;

/// One request of a script; fields are named as in the requests.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Creates a topic with these settings; `flush` is the value of `flush.messages` that it has,
    /// whoever gave it.
    Create { topic: &'static str, flush: usize, configs: &'static [(&'static str, &'static str)] },
    /// Gives a topic so many partitions in all.
    Grow { topic: &'static str, partitions: i32 },
    /// Deletes a topic.
    Delete { topic: &'static str },
    /// Sets a setting of a topic.
    Alter { topic: &'static str, key: &'static str, value: &'static str },
    /// Produces a record to partition 0 of a topic; so many minutes after the first.
    Produce { topic: &'static str, minutes: i64 },
    /// Sets the `producer_byte_rate` of the user `u`.
    Quota(f64),
    /// Asks for a producer id.
    ProducerId,
    /// Has the topic of offsets created; `flush` as for [`Step::Create`].
    Coordinator { flush: usize },
    /// Commits an offset for the topic.
    Commit { topic: &'static str, offset: i64 },
    /// Stops the broker, which makes all durable, and starts it again.
    Restart,
}

/// What was promised of a topic.
#[derive(Clone, Debug, Default)]
struct Topic {
    id: Uuid,
    partitions: i32,
    flush: usize,
    values: Vec<String>,
    /// How many of `values` are promised to be durable.
    durable: usize,
    configs: BTreeMap<&'static str, &'static str>,
}

/// What was promised in all.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    topics: BTreeMap<&'static str, Topic>,
    deleted: BTreeSet<&'static str>,
    quota: Option<f64>,
    last_producer: Option<i64>,
    committed: BTreeMap<&'static str, i64>,
    /// How many requests were answered.
    pub answers: usize,
    /// The request without an answer.
    open: Option<Step>,
}

/// A broker on a simulated disk, and what it has promised.
pub struct Run {
    /// The disk.
    pub disk: SimDisk,
    /// What was answered.
    pub promises: Promises,
    /// The number of operations on the disk.
    pub operations: usize,
    config: BrokerConfig,
    broker: Option<TestBroker>,
}

const OFFSETS: &str = "__consumer_offsets";
const GROUP: &str = "g";

impl Run {
    /// Runs `script` on `disk` until it ends or the power is lost.
    ///
    /// # Panics
    /// When a request fails although there is power.
    #[must_use]
    pub fn of(disk: SimDisk, config: &BrokerConfig, script: &[Step]) -> Run {
        let (promises, config) = (Promises::default(), config.clone());
        let mut run = Run { disk, promises, operations: 0, config, broker: None };
        if run.start() {
            script.iter().all(|step| run.answered(*step));
        }
        run.operations = run.disk.operations();
        // A stop would sync everything.
        run.disk.cut_power();
        run.broker.take();
        run
    }

    /// Sends a request; whether it was answered, as it always is with power.
    fn answered(&mut self, step: Step) -> bool {
        self.promises.open = Some(step);
        if let Err(error) = self.step(step) {
            assert!(self.disk.is_down(), "with power, {step:?} failed: {error}");
            return false;
        }
        self.promises.open = None;
        self.promises.answers += 1;
        true
    }

    fn start(&mut self) -> bool {
        match TestBroker::start_on(Arc::new(self.disk.clone()), self.config.clone()) {
            Ok(broker) => self.broker = Some(broker),
            Err(error) => assert!(self.disk.is_down(), "with power, it does not start: {error}"),
        }
        self.broker.is_some()
    }

    fn client(&self) -> Client {
        Client::connect(self.broker.as_ref().expect("it runs").running())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        if let Step::Restart = step {
            return self.restart();
        }
        let mut client = self.client();
        let promised = &mut self.promises;
        match step {
            Step::Create { topic, flush, configs } => {
                told(create(&mut client, topic, 1, configs))?;
                let configs = configs.iter().copied().collect();
                promised.create(&mut client, topic, flush, configs)
            }
            Step::Coordinator { flush } => {
                let request = FindCoordinatorRequest { key: GROUP.into(), ..Default::default() };
                code(client.call(&request, 3).error_code)?;
                promised.create(&mut client, OFFSETS, flush, BTreeMap::new())
            }
            Step::Grow { topic, partitions } => {
                grow(&mut client, topic, partitions)?;
                promised.topic(topic).partitions = partitions;
                Ok(())
            }
            Step::Delete { topic } => {
                delete(&mut client, topic)?;
                promised.topics.remove(topic);
                promised.committed.remove(topic);
                promised.deleted.insert(topic);
                Ok(())
            }
            Step::Alter { topic, key, value } => {
                told(set(&mut client, TOPIC, topic, key, Some(value)))?;
                promised.topic(topic).configs.insert(key, value);
                Ok(())
            }
            Step::Produce { topic, minutes } => {
                let topic_state = promised.topic(topic);
                let text = format!("{topic} {}", topic_state.values.len());
                let records = record(&text, minutes);
                let answer = produce(&mut client, topic, Uuid::ZERO, records, -1, 9);
                code(answer.error_code)?;
                topic_state.produced(text);
                Ok(())
            }
            Step::Quota(rate) => {
                set_quota(&mut client, rate)?;
                promised.quota = Some(rate);
                Ok(())
            }
            Step::ProducerId => {
                promised.last_producer = Some(producer_id(&mut client)?);
                Ok(())
            }
            Step::Commit { topic, offset } => {
                wait_until_loaded(&mut client);
                commit(&mut client, topic, offset)?;
                if promised.topic(OFFSETS).flush == 1 {
                    promised.committed.insert(topic, offset);
                }
                Ok(())
            }
            Step::Restart => Ok(()),
        }
    }

    fn restart(&mut self) -> Result<(), String> {
        let stopped = self.broker.take().map_or(Ok(()), |mut broker| broker.stop());
        stopped.map_err(|error| error.to_string())?;
        self.promises.topics.values_mut().for_each(|topic| topic.durable = topic.values.len());
        if self.start() { Ok(()) } else { Err("it does not start".to_owned()) }
    }
}

impl Topic {
    /// Notes an acknowledged record.
    fn produced(&mut self, value: String) {
        self.values.push(value);
        if self.values.len() - self.durable >= self.flush {
            self.durable = self.values.len();
        }
    }
}

impl Promises {
    fn topic(&mut self, name: &'static str) -> &mut Topic {
        self.topics.get_mut(name).expect("the script has created it")
    }

    fn create(
        &mut self,
        client: &mut Client,
        name: &'static str,
        flush: usize,
        configs: BTreeMap<&'static str, &'static str>,
    ) -> Result<(), String> {
        let (id, partitions) = find(client, name)?.ok_or("a created topic is not there")?;
        let topic = Topic { id, partitions, flush, configs, ..Topic::default() };
        self.deleted.remove(name);
        self.topics.insert(name, topic);
        Ok(())
    }

    /// Starts a broker on a disk that was found, and holds what it says against the promises.
    ///
    /// # Errors
    /// The promise that is broken, in words.
    ///
    /// # Panics
    /// When the broker answers something that it never should.
    pub fn check(&self, found: &Found, config: &BrokerConfig) -> Result<(), String> {
        let broker = TestBroker::start_on(Arc::new(found.disk.clone()), config.clone());
        let broker = broker.map_err(|error| format!("it does not start: {error}"))?;
        let mut client = Client::connect(broker.running());
        for (name, topic) in &self.topics {
            self.check_topic(&mut client, name, topic).map_err(|words| format!("topic {name}: {words}"))?;
        }
        for name in &self.deleted {
            let is_open = matches!(self.open, Some(Step::Create { topic, .. }) if topic == *name);
            if !is_open && find(&mut client, name)?.is_some() {
                return Err(format!("topic {name} was deleted, and is there"));
            }
        }
        self.check_offsets(&mut client)?;
        self.check_quota(&mut client)?;
        let id = producer_id(&mut client)?;
        if self.last_producer.is_some_and(|last| id <= last) {
            return Err(format!("producer id {id} was given out before, up to {:?}", self.last_producer));
        }
        Ok(())
    }

    fn check_topic(&self, client: &mut Client, name: &'static str, topic: &Topic) -> Result<(), String> {
        let may_be = |step: &dyn Fn(&Step) -> bool| self.open.as_ref().is_some_and(step);
        let Some((id, partitions)) = find(client, name)? else {
            let is_deleted = may_be(&|step| matches!(step, Step::Delete { topic } if *topic == name));
            return if is_deleted { Ok(()) } else { Err("it is not there".to_owned()) };
        };
        let grown = |step: &Step| matches!(step, Step::Grow { topic, partitions: to } if *topic == name && *to == partitions);
        if id != topic.id || (partitions != topic.partitions && !may_be(&grown)) {
            return Err(format!(
                "it has the id {id:?} and {partitions} partitions, promised {:?} and {}",
                topic.id, topic.partitions
            ));
        }
        for (key, promised) in &topic.configs {
            let (got, _) = value(client, TOPIC, name, key);
            let is_new = |step: &Step| matches!(step, Step::Alter { topic, key: k, value } if (*topic, k, *value) == (name, key, got.as_str()));
            if got != *promised && !may_be(&is_new) {
                return Err(format!("{key} is {got}, promised {promised}"));
            }
        }
        if name == OFFSETS {
            return Ok(());
        }
        self.check_records(client, name, topic)
    }

    /// What was promised is there, nothing that was never sent is, and it takes another record.
    fn check_records(&self, client: &mut Client, name: &'static str, topic: &Topic) -> Result<(), String> {
        let found = fetch(client, name)?;
        let is_sent = |(at, value): (usize, &String)| match topic.values.get(at) {
            Some(sent) => sent == value,
            None => at == topic.values.len() && *value == format!("{name} {at}"),
        };
        if found.len() < topic.durable {
            return Err(format!("of {} promised records {} are there", topic.durable, found.len()));
        }
        if let Some(other) = found.iter().enumerate().find(|found| !is_sent(*found)) {
            return Err(format!("{other:?} was not sent, expected of {:?}", topic.values));
        }
        code(produce(client, name, Uuid::ZERO, record("after", 0), -1, 9).error_code)
    }

    fn check_offsets(&self, client: &mut Client) -> Result<(), String> {
        if !self.topics.contains_key(OFFSETS) {
            return Ok(());
        }
        wait_until_loaded(client);
        for (topic, promised) in &self.committed {
            let got = committed(client, GROUP, topic);
            let is_open = matches!(self.open, Some(Step::Commit { topic: of, offset }) if of == *topic && offset == got)
                || matches!(self.open, Some(Step::Delete { topic: of }) if of == *topic && got == -1);
            if got != *promised && !is_open {
                return Err(format!("the offset committed for {topic} is {got}, promised {promised}"));
            }
        }
        Ok(())
    }

    fn check_quota(&self, client: &mut Client) -> Result<(), String> {
        let got = quota(client)?;
        let is_open = matches!(self.open, Some(Step::Quota(rate)) if got == Some(rate));
        if got == self.quota || is_open {
            Ok(())
        } else {
            Err(format!("the quota is {got:?}, promised {:?}", self.quota))
        }
    }
}

fn code(error: i16) -> Result<(), String> {
    if error == 0 { Ok(()) } else { Err(format!("error {error}")) }
}

fn told((error, words): (i16, String)) -> Result<(), String> {
    code(error).map_err(|error| format!("{error}: {words}"))
}

/// A batch of one record.
fn record(value: &str, minutes: i64) -> Records {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    let now = i64::try_from(since.as_millis()).expect("before the year 292 million");
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    let time = Timestamp::from_millis(now + minutes * 60_000);
    builder.append(&NewRecord::new(value).at(time)).expect("fits");
    Records::Bytes(builder.finish().expect("has a record").buffer.into())
}

/// The id of a topic and the number of its partitions; an error where one has no leader.
fn find(client: &mut Client, name: &str) -> Result<Option<(Uuid, i32)>, String> {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    let found = client.call(&request, 12).topics[0].clone();
    match found.error_code {
        UNKNOWN_TOPIC => Ok(None),
        0 => {
            found.partitions.iter().try_for_each(|partition| code(partition.error_code))?;
            Ok(Some((found.topic_id, i32::try_from(found.partitions.len()).unwrap_or(i32::MAX))))
        }
        error => Err(format!("error {error}")),
    }
}

/// The values in partition 0 of a topic.
fn fetch(client: &mut Client, name: &str) -> Result<Vec<String>, String> {
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic: name.into(), partitions: vec![partition], ..Default::default() }];
    let mut request = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
    let mut values = Vec::new();
    // A fetch ends where a segment does.
    loop {
        request.topics[0].partitions[0].fetch_offset = i64::try_from(values.len()).unwrap_or(i64::MAX);
        let answer = client.call(&request, 4).responses[0].partitions[0].clone();
        code(answer.error_code)?;
        let before = values.len();
        let bytes = answer.records.as_ref().and_then(|records| records.as_bytes()).cloned();
        for batch in Batches::new(bytes.unwrap_or_default()) {
            let batch = batch.map_err(|error| error.to_string())?;
            let records = batch.records(1 << 20).map_err(|error| error.to_string())?;
            for record in records.iter() {
                let value = record.map_err(|error| error.to_string())?.value.unwrap_or_default();
                values.push(String::from_utf8_lossy(value).into_owned());
            }
        }
        if values.len() == before {
            return Ok(values);
        }
    }
}

fn grow(client: &mut Client, topic: &str, count: i32) -> Result<(), String> {
    let topics = vec![CreatePartitionsTopic { name: topic.into(), count, assignments: None }];
    let request = CreatePartitionsRequest { topics, timeout_ms: 1000, validate_only: false };
    code(client.call(&request, 3).results[0].error_code)
}

fn delete(client: &mut Client, topic: &str) -> Result<(), String> {
    let topics = vec![DeleteTopicState { name: Some(topic.into()), ..DeleteTopicState::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 1000, ..DeleteTopicsRequest::default() };
    code(client.call(&request, 6).responses[0].error_code)
}

fn producer_id(client: &mut Client) -> Result<i64, String> {
    let answer = client.call(
        &InitProducerIdRequest {
            transactional_id: None,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        },
        4,
    );
    code(answer.error_code).map(|()| answer.producer_id)
}

fn commit(client: &mut Client, topic: &str, committed_offset: i64) -> Result<(), String> {
    let partition = OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topics = vec![OffsetCommitRequestTopic {
        name: topic.into(),
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    }];
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics,
        ..OffsetCommitRequest::default()
    };
    code(client.call(&request, 8).topics[0].partitions[0].error_code)
}

fn set_quota(client: &mut Client, rate: f64) -> Result<(), String> {
    let entity = vec![EntityData { entity_type: "user".into(), entity_name: Some("u".into()) }];
    let ops = vec![OpData { key: RATE.into(), value: rate, remove: false }];
    let request = AlterClientQuotasRequest { entries: vec![EntryData { entity, ops }], validate_only: false };
    code(client.call(&request, 1).entries[0].error_code)
}

fn quota(client: &mut Client) -> Result<Option<f64>, String> {
    let component = ComponentData { entity_type: "user".into(), match_type: 0, r#match: Some("u".into()) };
    let request = DescribeClientQuotasRequest { components: vec![component], strict: false };
    let answer = client.call(&request, 1);
    code(answer.error_code)?;
    let values = answer.entries.unwrap_or_default().into_iter().flat_map(|entry| entry.values);
    Ok(values.into_iter().find(|value| &*value.key == RATE).map(|value| value.value))
}

const RATE: &str = "producer_byte_rate";
const UNKNOWN_TOPIC: i16 = 3;
