//! What a broker counts, under the names that Kafka's figures have in Prometheus.

mod groups;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use klamm_log::Log;
use klamm_protocol::ApiKey;
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::groups::{Groups, Tally};
use crate::handlers::is_served;
use crate::metadata::{Delta, Metadata, MetadataImage, Publisher};
use groups::GroupMetrics;

/// The figures of one broker.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: Gauge,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<ApiLabels, Histogram, fn() -> Histogram>,
    bytes_in: Family<TopicLabels, Counter>,
    bytes_out: Family<TopicLabels, Counter>,
    messages_in: Family<TopicLabels, Counter>,
    failed_produces: Family<TopicLabels, Counter>,
    partitions: Family<PartitionLabels, Gauge>,
    start_offsets: Family<PartitionLabels, Gauge>,
    end_offsets: Family<PartitionLabels, Gauge>,
    partition_count: Gauge,
    offline_folders: Gauge,
    offline_partitions: Gauge,
    failures: Family<TaskLabels, Counter>,
    deleted_segments: Counter,
    deleted_bytes: Counter,
    groups: GroupMetrics,
    /// Topics that have counters.
    topics: Mutex<BTreeSet<String>>,
    /// Held while the figures are read.
    reading: Mutex<()>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    request: &'static str,
    version: i32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ApiLabels {
    request: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct TaskLabels {
    task: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct TopicLabels {
    topic: String,
}

impl TopicLabels {
    fn of(topic: &str) -> TopicLabels {
        TopicLabels { topic: topic.to_owned() }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct PartitionLabels {
    topic: String,
    partition: u32,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::default(),
            connections: Gauge::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(request_seconds),
            bytes_in: Family::default(),
            bytes_out: Family::default(),
            messages_in: Family::default(),
            failed_produces: Family::default(),
            partitions: Family::default(),
            start_offsets: Family::default(),
            end_offsets: Family::default(),
            partition_count: Gauge::default(),
            offline_folders: Gauge::default(),
            offline_partitions: Gauge::default(),
            failures: Family::default(),
            deleted_segments: Counter::default(),
            deleted_bytes: Counter::default(),
            groups: GroupMetrics::default(),
            topics: Mutex::default(),
            reading: Mutex::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register(
            "kafka_server_socket_server_metrics_connection_count",
            "Connections of clients",
            self.connections.clone(),
        );
        r.register(
            "kafka_network_requestmetrics_requests",
            "Requests that were answered",
            self.requests.clone(),
        );
        r.register(
            "kafka_network_requestmetrics_totaltime_seconds",
            "Time from the request to the answer, waiting for records or quotas aside",
            self.request_seconds.clone(),
        );
        r.register(
            "kafka_server_brokertopicmetrics_bytesin",
            "Bytes of records that producers sent",
            self.bytes_in.clone(),
        );
        r.register(
            "kafka_server_brokertopicmetrics_bytesout",
            "Bytes of records that consumers read",
            self.bytes_out.clone(),
        );
        r.register(
            "kafka_server_brokertopicmetrics_messagesin",
            "Records that producers sent",
            self.messages_in.clone(),
        );
        r.register(
            "kafka_server_brokertopicmetrics_failedproducerequests",
            "Batches that were refused",
            self.failed_produces.clone(),
        );
        r.register("kafka_log_log_size", "Bytes of a partition", self.partitions.clone());
        r.register("kafka_log_log_logstartoffset", "Where a partition starts", self.start_offsets.clone());
        r.register("kafka_log_log_logendoffset", "Where a partition ends", self.end_offsets.clone());
        r.register(
            "kafka_server_replicamanager_partitioncount",
            "Partitions of this broker",
            self.partition_count.clone(),
        );
        r.register(
            "kafka_log_logmanager_offlinelogdirectorycount",
            "Folders that failed",
            self.offline_folders.clone(),
        );
        r.register(
            "kafka_server_replicamanager_offlinereplicacount",
            "Partitions whose folder failed",
            self.offline_partitions.clone(),
        );
        r.register(
            "klamm_background_failures",
            "Failures of background tasks, and of reads (task=\"read\")",
            self.failures.clone(),
        );
        r.register(
            "klamm_retention_deleted_segments",
            "Segments that retention deleted",
            self.deleted_segments.clone(),
        );
        r.register(
            "klamm_retention_deleted_bytes",
            "Bytes of segments that retention deleted",
            self.deleted_bytes.clone(),
        );
        self.groups.register(r);
    }

    /// Notes a request that was answered.
    pub(crate) fn answered(&self, api_key: i16, version: i16, took: Duration) {
        // Others would make a line each for whoever asks.
        let Some(api) = ApiKey::from_code(api_key).filter(|api| is_served(*api, version)) else { return };
        let request = api.name();
        self.requests.get_or_create(&RequestLabels { request, version: version.into() }).inc();
        self.request_seconds.get_or_create(&ApiLabels { request }).observe(took.as_secs_f64());
    }

    /// Notes records that were appended.
    pub(crate) fn appended(&self, topic: &str, bytes: usize, records: i64) {
        let labels = TopicLabels::of(topic);
        self.count(&self.bytes_in, &labels, bytes as u64);
        self.count(&self.messages_in, &labels, records.unsigned_abs());
    }

    /// Notes a batch that was refused.
    pub(crate) fn refused(&self, topic: &str) {
        self.count(&self.failed_produces, &TopicLabels::of(topic), 1);
    }

    /// Notes records that go out.
    pub(crate) fn read(&self, topic: &str, bytes: usize) {
        self.count(&self.bytes_out, &TopicLabels::of(topic), bytes as u64);
    }

    /// Adds to a counter of a topic. The topic is noted with its first counter, so that its
    /// counters are found when it is deleted.
    fn count(&self, family: &Family<TopicLabels, Counter>, labels: &TopicLabels, by: u64) {
        if let Some(counter) = family.get(labels) {
            counter.inc_by(by);
            return;
        }
        let mut topics = self.topics.lock();
        // It is there before the first failure, so that its increase is seen.
        drop(self.failed_produces.get_or_create(labels));
        family.get_or_create(labels).inc_by(by);
        topics.insert(labels.topic.clone());
    }

    /// What counts what becomes of groups.
    pub(crate) fn tally(&self) -> Tally {
        self.groups.tally.clone()
    }

    /// All figures as text, as Prometheus reads it; those of partitions and groups are looked up
    /// now.
    pub(crate) fn text(&self, metadata: &Metadata, groups: &Arc<Groups>) -> String {
        let _reading = self.reading.lock();
        self.forget_deleted(&metadata.image());
        self.look_up(metadata);
        self.groups.look_up(groups, metadata);
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Removes the counters of topics that are not in the image.
    fn forget_deleted(&self, image: &MetadataImage) {
        self.topics.lock().retain(|topic| {
            let is_there = image.topic(topic).is_some();
            if !is_there {
                let labels = TopicLabels::of(topic);
                let families = [&self.bytes_in, &self.bytes_out, &self.messages_in, &self.failed_produces];
                for family in families {
                    family.remove(&labels);
                }
            }
            is_there
        });
    }

    fn look_up(&self, metadata: &Metadata) {
        [&self.partitions, &self.start_offsets, &self.end_offsets].into_iter().for_each(Family::clear);
        let (image, storage) = (metadata.image(), metadata.storage());
        let (mut online, mut all) = (0, 0);
        for topic in image.topics() {
            all += i64::from(topic.count());
            for partition in topic.partitions() {
                let number = i32::try_from(partition.partition()).unwrap_or(i32::MAX);
                online += i64::from(metadata.is_online(topic, number));
                storage.log(&partition).iter().for_each(|log| self.note(log));
            }
        }
        self.partition_count.set(all);
        self.offline_partitions.set(all - online);
        for (task, count) in storage.failures().counts() {
            raise(&self.failures.get_or_create(&TaskLabels { task }), count);
        }
        let (segments, bytes) = storage.failures().deleted();
        raise(&self.deleted_segments, segments);
        raise(&self.deleted_bytes, bytes);
        let offline = storage.folders().iter().filter(|folder| folder.logs().is_none()).count();
        self.offline_folders.set(i64::try_from(offline).unwrap_or(i64::MAX));
    }

    fn note(&self, log: &Log) {
        let partition = log.partition();
        let labels =
            PartitionLabels { topic: partition.topic().to_string(), partition: partition.partition() };
        let bytes = log.bytes().unwrap_or_default();
        self.partitions.get_or_create(&labels).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.start_offsets.get_or_create(&labels).set(log.bounds().start().get());
        self.end_offsets.get_or_create(&labels).set(log.bounds().end().get());
    }
}

impl Publisher for Metrics {
    /// Removes the counters of deleted topics. A topic that is created again under the same name
    /// counts from 0.
    fn publish(&self, delta: &Delta, image: &MetadataImage) {
        if !delta.removed.is_empty() {
            self.forget_deleted(image);
        }
    }
}

/// Brings a counter to what was counted elsewhere.
fn raise(counter: &Counter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

/// From 50 microseconds on, each bound three times the one before.
fn request_seconds() -> Histogram {
    Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(50e-6, 3.0, 12))
}
