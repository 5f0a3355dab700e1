//! The settings of Kafka 4.3.1 that have no effect on this broker.
//!
//! A file written for Kafka may name them: the broker starts and lists them once in its log. Those
//! that Kafka changes while it runs can be changed here too; they are stored in the metadata log
//! and returned, so that nothing is lost when Kafka takes the data directory over again.

use super::row::Kind;

/// A setting of Kafka that this broker knows by name only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithoutEffect {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// Kafka's default, empty for none.
    pub(crate) default: &'static str,
    update: Update,
}

/// How Kafka lets a setting of a broker be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Update {
    /// Not while the broker runs.
    AtStart,
    /// For one broker.
    Broker,
    /// For one broker, or for all of them.
    Cluster,
}

/// The description of all of these settings.
pub(crate) const MEANING: &str = "A setting of Kafka that has no effect on this broker.";

impl WithoutEffect {
    /// The setting with this name. Kafka also takes names that begin with `listener.name.NAME.`.
    pub(crate) fn find(key: &str) -> Option<&'static WithoutEffect> {
        let own = match key.strip_prefix("listener.name.") {
            Some(rest) => rest.split_once('.')?.1,
            None => key,
        };
        TABLE.binary_search_by(|row| row.key.cmp(own)).ok().map(|at| &TABLE[at])
    }

    /// The setting with exactly this name.
    pub(crate) fn named(key: &str) -> Option<&'static WithoutEffect> {
        WithoutEffect::find(key).filter(|row| row.key == key)
    }

    /// Whether Kafka changes it while the broker runs: for one broker, or for all brokers.
    pub(crate) fn is_dynamic(&self, for_all_brokers: bool) -> bool {
        match self.update {
            Update::AtStart => false,
            Update::Broker => !for_all_brokers,
            Update::Cluster => true,
        }
    }

    /// Whether its value is a secret, which is never returned.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// What a value has to be, if `value` is none.
    pub(crate) fn check(&self, value: &str) -> Result<(), &'static str> {
        self.kind.check(value.trim())
    }
}

const fn row(key: &'static str, kind: Kind, default: &'static str, update: Update) -> WithoutEffect {
    WithoutEffect { key, kind, default, update }
}

/// Sorted by name.
#[rustfmt::skip]
const TABLE: &[WithoutEffect] = &[
    row("add.partitions.to.txn.retry.backoff.max.ms", Kind::Int, "100", Update::AtStart),
    row("add.partitions.to.txn.retry.backoff.ms", Kind::Int, "20", Update::AtStart),
    row("alter.config.policy.class.name", Kind::Class, "", Update::AtStart),
    row("alter.log.dirs.replication.quota.window.num", Kind::Int, "11", Update::AtStart),
    row("alter.log.dirs.replication.quota.window.size.seconds", Kind::Int, "1", Update::AtStart),
    row("auto.leader.rebalance.enable", Kind::Boolean, "true", Update::AtStart),
    row("background.threads", Kind::Int, "10", Update::Cluster),
    row("broker.heartbeat.interval.ms", Kind::Int, "2000", Update::AtStart),
    row("broker.session.timeout.ms", Kind::Int, "9000", Update::AtStart),
    row("client.quota.callback.class", Kind::Class, "", Update::AtStart),
    row("config.providers", Kind::List, "", Update::Cluster),
    row("connection.failed.authentication.delay.ms", Kind::Int, "100", Update::AtStart),
    row("connections.max.reauth.ms", Kind::Long, "0", Update::AtStart),
    row("controlled.shutdown.enable", Kind::Boolean, "true", Update::AtStart),
    row("controller.performance.always.log.threshold.ms", Kind::Long, "2000", Update::AtStart),
    row("controller.performance.sample.period.ms", Kind::Long, "60000", Update::AtStart),
    row("controller.quorum.append.linger.ms", Kind::Int, "25", Update::AtStart),
    row("controller.quorum.auto.join.enable", Kind::Boolean, "false", Update::AtStart),
    row("controller.quorum.bootstrap.servers", Kind::List, "", Update::AtStart),
    row("controller.quorum.election.backoff.max.ms", Kind::Int, "1000", Update::AtStart),
    row("controller.quorum.election.timeout.ms", Kind::Int, "1000", Update::AtStart),
    row("controller.quorum.fetch.max.bytes", Kind::Int, "1048576", Update::AtStart),
    row("controller.quorum.fetch.snapshot.max.bytes", Kind::Int, "1048576", Update::AtStart),
    row("controller.quorum.fetch.timeout.ms", Kind::Int, "2000", Update::AtStart),
    row("controller.quorum.request.timeout.ms", Kind::Int, "2000", Update::AtStart),
    row("controller.quorum.retry.backoff.ms", Kind::Int, "20", Update::AtStart),
    row("controller.quorum.voters", Kind::List, "", Update::AtStart),
    row("controller.quota.window.num", Kind::Int, "11", Update::AtStart),
    row("controller.quota.window.size.seconds", Kind::Int, "1", Update::AtStart),
    row("controller.socket.timeout.ms", Kind::Int, "30000", Update::AtStart),
    row("cordoned.log.dirs", Kind::List, "", Update::Broker),
    row("create.topic.policy.class.name", Kind::Class, "", Update::AtStart),
    row("delegation.token.expiry.check.interval.ms", Kind::Long, "3600000", Update::AtStart),
    row("delegation.token.expiry.time.ms", Kind::Long, "86400000", Update::AtStart),
    row("delegation.token.max.lifetime.ms", Kind::Long, "604800000", Update::AtStart),
    row("delegation.token.secret.key", Kind::Password, "", Update::AtStart),
    row("delete.records.purgatory.purge.interval.requests", Kind::Int, "1", Update::AtStart),
    row("early.start.listeners", Kind::List, "", Update::AtStart),
    row("fetch.purgatory.purge.interval.requests", Kind::Int, "1000", Update::AtStart),
    row("follower.fetch.last.tiered.offset.enable", Kind::Boolean, "false", Update::Cluster),
    row("group.consumer.regex.refresh.interval.ms", Kind::Int, "600000", Update::AtStart),
    row("group.coordinator.append.linger.ms", Kind::Int, "-1", Update::AtStart),
    row("group.coordinator.background.threads", Kind::Int, "2", Update::AtStart),
    row("group.coordinator.cached.buffer.max.bytes", Kind::Int, "1048588", Update::Cluster),
    row("group.coordinator.threads", Kind::Int, "4", Update::AtStart),
    row("group.share.assignment.interval.ms", Kind::Int, "1000", Update::Cluster),
    row("group.share.assignors", Kind::List, "simple", Update::AtStart),
    row("group.share.delivery.count.limit", Kind::Int, "5", Update::AtStart),
    row("group.share.heartbeat.interval.ms", Kind::Int, "5000", Update::AtStart),
    row("group.share.initialize.retry.interval.ms", Kind::Int, "30000", Update::AtStart),
    row("group.share.max.assignment.interval.ms", Kind::Int, "15000", Update::AtStart),
    row("group.share.max.delivery.count.limit", Kind::Int, "10", Update::AtStart),
    row("group.share.max.heartbeat.interval.ms", Kind::Int, "15000", Update::AtStart),
    row("group.share.max.partition.max.record.locks", Kind::Int, "4000", Update::AtStart),
    row("group.share.max.record.lock.duration.ms", Kind::Int, "60000", Update::AtStart),
    row("group.share.max.session.timeout.ms", Kind::Int, "60000", Update::AtStart),
    row("group.share.max.share.sessions", Kind::Int, "2000", Update::AtStart),
    row("group.share.max.size", Kind::Int, "200", Update::AtStart),
    row("group.share.min.assignment.interval.ms", Kind::Int, "0", Update::AtStart),
    row("group.share.min.delivery.count.limit", Kind::Int, "2", Update::AtStart),
    row("group.share.min.heartbeat.interval.ms", Kind::Int, "5000", Update::AtStart),
    row("group.share.min.partition.max.record.locks", Kind::Int, "100", Update::AtStart),
    row("group.share.min.record.lock.duration.ms", Kind::Int, "15000", Update::AtStart),
    row("group.share.min.session.timeout.ms", Kind::Int, "45000", Update::AtStart),
    row("group.share.partition.max.record.locks", Kind::Int, "2000", Update::AtStart),
    row("group.share.persister.class.name", Kind::String, "org.apache.kafka.server.share.persister.DefaultStatePersister", Update::AtStart),
    row("group.share.record.lock.duration.ms", Kind::Int, "30000", Update::AtStart),
    row("group.share.session.timeout.ms", Kind::Int, "45000", Update::AtStart),
    row("group.streams.assignment.interval.ms", Kind::Int, "1000", Update::Cluster),
    row("group.streams.heartbeat.interval.ms", Kind::Int, "5000", Update::AtStart),
    row("group.streams.initial.rebalance.delay.ms", Kind::Int, "3000", Update::AtStart),
    row("group.streams.max.assignment.interval.ms", Kind::Int, "15000", Update::AtStart),
    row("group.streams.max.heartbeat.interval.ms", Kind::Int, "15000", Update::AtStart),
    row("group.streams.max.session.timeout.ms", Kind::Int, "60000", Update::AtStart),
    row("group.streams.max.size", Kind::Int, "2147483647", Update::AtStart),
    row("group.streams.max.standby.replicas", Kind::Int, "2", Update::AtStart),
    row("group.streams.min.assignment.interval.ms", Kind::Int, "0", Update::AtStart),
    row("group.streams.min.heartbeat.interval.ms", Kind::Int, "5000", Update::AtStart),
    row("group.streams.min.session.timeout.ms", Kind::Int, "45000", Update::AtStart),
    row("group.streams.num.standby.replicas", Kind::Int, "0", Update::AtStart),
    row("group.streams.session.timeout.ms", Kind::Int, "45000", Update::AtStart),
    row("initial.broker.registration.timeout.ms", Kind::Int, "60000", Update::AtStart),
    row("inter.broker.listener.name", Kind::String, "", Update::AtStart),
    row("internal.metadata.delete.delay.millis", Kind::Long, "60000", Update::AtStart),
    row("internal.metadata.log.segment.bytes", Kind::Int, "", Update::AtStart),
    row("internal.metadata.max.batch.size.in.bytes", Kind::Int, "8388608", Update::AtStart),
    row("kafka.metrics.polling.interval.secs", Kind::Int, "10", Update::AtStart),
    row("kafka.metrics.reporters", Kind::List, "", Update::AtStart),
    row("leader.imbalance.check.interval.seconds", Kind::Long, "300", Update::AtStart),
    row("log.dir.failure.timeout.ms", Kind::Long, "30000", Update::AtStart),
    row("log.flush.scheduler.interval.ms", Kind::Long, "9223372036854775807", Update::AtStart),
    row("log.flush.start.offset.checkpoint.interval.ms", Kind::Int, "60000", Update::AtStart),
    row("log.initial.task.delay.ms", Kind::Long, "30000", Update::AtStart),
    row("max.connections.per.ip.overrides", Kind::String, "", Update::Cluster),
    row("max.request.partition.size.limit", Kind::Int, "2000", Update::AtStart),
    row("metadata.log.dir", Kind::String, "", Update::AtStart),
    row("metadata.log.max.record.bytes.between.snapshots", Kind::Long, "20971520", Update::AtStart),
    row("metadata.log.max.snapshot.interval.ms", Kind::Long, "3600000", Update::AtStart),
    row("metadata.log.segment.bytes", Kind::Int, "1073741824", Update::AtStart),
    row("metadata.log.segment.ms", Kind::Long, "604800000", Update::AtStart),
    row("metadata.max.idle.interval.ms", Kind::Int, "500", Update::AtStart),
    row("metadata.max.retention.bytes", Kind::Long, "104857600", Update::AtStart),
    row("metadata.max.retention.ms", Kind::Long, "604800000", Update::AtStart),
    row("metric.reporters", Kind::List, "org.apache.kafka.common.metrics.JmxReporter", Update::Cluster),
    row("metrics.num.samples", Kind::Int, "2", Update::AtStart),
    row("metrics.recording.level", Kind::String, "INFO", Update::AtStart),
    row("metrics.sample.window.ms", Kind::Long, "30000", Update::AtStart),
    row("num.replica.alter.log.dirs.threads", Kind::Int, "", Update::AtStart),
    row("num.replica.fetchers", Kind::Int, "1", Update::Cluster),
    row("offsets.commit.timeout.ms", Kind::Int, "5000", Update::AtStart),
    row("offsets.load.buffer.size", Kind::Int, "5242880", Update::AtStart),
    row("offsets.topic.compression.codec", Kind::Int, "0", Update::AtStart),
    row("principal.builder.class", Kind::Class, "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", Update::Broker),
    row("producer.id.expiration.check.interval.ms", Kind::Int, "600000", Update::AtStart),
    row("producer.id.expiration.ms", Kind::Int, "86400000", Update::Cluster),
    row("producer.purgatory.purge.interval.requests", Kind::Int, "1000", Update::AtStart),
    row("quota.window.num", Kind::Int, "11", Update::AtStart),
    row("quota.window.size.seconds", Kind::Int, "1", Update::AtStart),
    row("remote.fetch.max.wait.ms", Kind::Int, "500", Update::Cluster),
    row("remote.list.offsets.request.timeout.ms", Kind::Long, "30000", Update::Cluster),
    row("remote.log.index.file.cache.total.size.bytes", Kind::Long, "1073741824", Update::Cluster),
    row("remote.log.index.file.cache.ttl.ms", Kind::Long, "900000", Update::AtStart),
    row("remote.log.manager.copier.thread.pool.size", Kind::Int, "10", Update::Cluster),
    row("remote.log.manager.copy.max.bytes.per.second", Kind::Long, "9223372036854775807", Update::Cluster),
    row("remote.log.manager.copy.quota.window.num", Kind::Int, "11", Update::AtStart),
    row("remote.log.manager.copy.quota.window.size.seconds", Kind::Int, "1", Update::AtStart),
    row("remote.log.manager.expiration.thread.pool.size", Kind::Int, "10", Update::Cluster),
    row("remote.log.manager.fetch.max.bytes.per.second", Kind::Long, "9223372036854775807", Update::Cluster),
    row("remote.log.manager.fetch.quota.window.num", Kind::Int, "11", Update::AtStart),
    row("remote.log.manager.fetch.quota.window.size.seconds", Kind::Int, "1", Update::AtStart),
    row("remote.log.manager.follower.thread.pool.size", Kind::Int, "2", Update::Cluster),
    row("remote.log.manager.task.interval.ms", Kind::Long, "30000", Update::AtStart),
    row("remote.log.manager.task.retry.backoff.max.ms", Kind::Long, "30000", Update::AtStart),
    row("remote.log.manager.task.retry.backoff.ms", Kind::Long, "500", Update::AtStart),
    row("remote.log.manager.task.retry.jitter", Kind::Double, "0.2", Update::AtStart),
    row("remote.log.manager.thread.pool.size", Kind::Int, "2", Update::AtStart),
    row("remote.log.metadata.custom.metadata.max.bytes", Kind::Int, "128", Update::AtStart),
    row("remote.log.metadata.manager.class.name", Kind::String, "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", Update::AtStart),
    row("remote.log.metadata.manager.class.path", Kind::String, "", Update::AtStart),
    row("remote.log.metadata.manager.impl.prefix", Kind::String, "rlmm.config.", Update::AtStart),
    row("remote.log.metadata.manager.listener.name", Kind::String, "", Update::AtStart),
    row("remote.log.reader.max.pending.tasks", Kind::Int, "100", Update::AtStart),
    row("remote.log.reader.threads", Kind::Int, "10", Update::Cluster),
    row("remote.log.storage.manager.class.name", Kind::String, "", Update::AtStart),
    row("remote.log.storage.manager.class.path", Kind::String, "", Update::AtStart),
    row("remote.log.storage.manager.impl.prefix", Kind::String, "rsm.config.", Update::AtStart),
    row("replica.fetch.backoff.ms", Kind::Int, "1000", Update::AtStart),
    row("replica.fetch.max.bytes", Kind::Int, "1048576", Update::AtStart),
    row("replica.fetch.min.bytes", Kind::Int, "1", Update::AtStart),
    row("replica.fetch.response.max.bytes", Kind::Int, "10485760", Update::AtStart),
    row("replica.fetch.wait.max.ms", Kind::Int, "500", Update::AtStart),
    row("replica.high.watermark.checkpoint.interval.ms", Kind::Long, "5000", Update::AtStart),
    row("replica.lag.time.max.ms", Kind::Long, "30000", Update::AtStart),
    row("replica.selector.class", Kind::String, "", Update::AtStart),
    row("replica.socket.receive.buffer.bytes", Kind::Int, "65536", Update::AtStart),
    row("replica.socket.timeout.ms", Kind::Int, "30000", Update::AtStart),
    row("replication.quota.window.num", Kind::Int, "11", Update::AtStart),
    row("replication.quota.window.size.seconds", Kind::Int, "1", Update::AtStart),
    row("request.timeout.ms", Kind::Int, "30000", Update::AtStart),
    row("sasl.client.callback.handler.class", Kind::Class, "", Update::AtStart),
    row("sasl.enabled.mechanisms", Kind::List, "GSSAPI", Update::Broker),
    row("sasl.jaas.config", Kind::Password, "", Update::Broker),
    row("sasl.kerberos.kinit.cmd", Kind::String, "/usr/bin/kinit", Update::Broker),
    row("sasl.kerberos.min.time.before.relogin", Kind::Long, "60000", Update::Broker),
    row("sasl.kerberos.principal.to.local.rules", Kind::List, "DEFAULT", Update::Broker),
    row("sasl.kerberos.service.name", Kind::String, "", Update::Broker),
    row("sasl.kerberos.ticket.renew.jitter", Kind::Double, "0.05", Update::Broker),
    row("sasl.kerberos.ticket.renew.window.factor", Kind::Double, "0.8", Update::Broker),
    row("sasl.login.callback.handler.class", Kind::Class, "", Update::AtStart),
    row("sasl.login.class", Kind::Class, "", Update::AtStart),
    row("sasl.login.connect.timeout.ms", Kind::Int, "", Update::AtStart),
    row("sasl.login.read.timeout.ms", Kind::Int, "", Update::AtStart),
    row("sasl.login.refresh.buffer.seconds", Kind::Short, "300", Update::Broker),
    row("sasl.login.refresh.min.period.seconds", Kind::Short, "60", Update::Broker),
    row("sasl.login.refresh.window.factor", Kind::Double, "0.8", Update::Broker),
    row("sasl.login.refresh.window.jitter", Kind::Double, "0.05", Update::Broker),
    row("sasl.login.retry.backoff.max.ms", Kind::Long, "10000", Update::AtStart),
    row("sasl.login.retry.backoff.ms", Kind::Long, "100", Update::AtStart),
    row("sasl.mechanism.controller.protocol", Kind::String, "GSSAPI", Update::AtStart),
    row("sasl.mechanism.inter.broker.protocol", Kind::String, "GSSAPI", Update::Broker),
    row("sasl.oauthbearer.assertion.algorithm", Kind::String, "RS256", Update::AtStart),
    row("sasl.oauthbearer.assertion.claim.aud", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.assertion.claim.exp.seconds", Kind::Int, "300", Update::AtStart),
    row("sasl.oauthbearer.assertion.claim.iss", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.assertion.claim.jti.include", Kind::Boolean, "false", Update::AtStart),
    row("sasl.oauthbearer.assertion.claim.nbf.seconds", Kind::Int, "60", Update::AtStart),
    row("sasl.oauthbearer.assertion.claim.sub", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.assertion.file", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.assertion.private.key.file", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.assertion.private.key.passphrase", Kind::Password, "", Update::AtStart),
    row("sasl.oauthbearer.assertion.template.file", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.client.credentials.client.id", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.client.credentials.client.secret", Kind::Password, "", Update::AtStart),
    row("sasl.oauthbearer.clock.skew.seconds", Kind::Int, "30", Update::AtStart),
    row("sasl.oauthbearer.expected.audience", Kind::List, "", Update::AtStart),
    row("sasl.oauthbearer.expected.issuer", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.jwks.endpoint.refresh.ms", Kind::Long, "3600000", Update::AtStart),
    row("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Kind::Long, "10000", Update::AtStart),
    row("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Kind::Long, "100", Update::AtStart),
    row("sasl.oauthbearer.jwks.endpoint.url", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.jwt.retriever.class", Kind::Class, "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Update::AtStart),
    row("sasl.oauthbearer.jwt.validator.class", Kind::Class, "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Update::AtStart),
    row("sasl.oauthbearer.scope", Kind::String, "", Update::AtStart),
    row("sasl.oauthbearer.scope.claim.name", Kind::String, "scope", Update::AtStart),
    row("sasl.oauthbearer.sub.claim.name", Kind::String, "sub", Update::AtStart),
    row("sasl.oauthbearer.token.endpoint.url", Kind::String, "", Update::AtStart),
    row("sasl.server.callback.handler.class", Kind::Class, "", Update::AtStart),
    row("sasl.server.max.receive.size", Kind::Int, "524288", Update::AtStart),
    row("security.inter.broker.protocol", Kind::String, "PLAINTEXT", Update::AtStart),
    row("security.providers", Kind::String, "", Update::AtStart),
    row("server.max.startup.time.ms", Kind::Long, "9223372036854775807", Update::AtStart),
    row("share.coordinator.append.linger.ms", Kind::Int, "-1", Update::AtStart),
    row("share.coordinator.cached.buffer.max.bytes", Kind::Int, "1048588", Update::Cluster),
    row("share.coordinator.cold.partition.snapshot.interval.ms", Kind::Int, "300000", Update::AtStart),
    row("share.coordinator.load.buffer.size", Kind::Int, "5242880", Update::AtStart),
    row("share.coordinator.snapshot.update.records.per.snapshot", Kind::Int, "500", Update::AtStart),
    row("share.coordinator.state.topic.compression.codec", Kind::Int, "0", Update::AtStart),
    row("share.coordinator.state.topic.min.isr", Kind::Short, "2", Update::AtStart),
    row("share.coordinator.state.topic.prune.interval.ms", Kind::Int, "300000", Update::AtStart),
    row("share.coordinator.state.topic.replication.factor", Kind::Short, "3", Update::AtStart),
    row("share.coordinator.threads", Kind::Int, "1", Update::AtStart),
    row("share.coordinator.write.timeout.ms", Kind::Int, "5000", Update::AtStart),
    row("share.fetch.purgatory.purge.interval.requests", Kind::Int, "1000", Update::AtStart),
    row("socket.connection.setup.timeout.max.ms", Kind::Long, "30000", Update::AtStart),
    row("socket.connection.setup.timeout.ms", Kind::Long, "10000", Update::AtStart),
    row("socket.listen.backlog.size", Kind::Int, "50", Update::AtStart),
    row("socket.receive.buffer.bytes", Kind::Int, "102400", Update::AtStart),
    row("socket.send.buffer.bytes", Kind::Int, "102400", Update::AtStart),
    row("ssl.allow.dn.changes", Kind::Boolean, "false", Update::AtStart),
    row("ssl.allow.san.changes", Kind::Boolean, "false", Update::AtStart),
    row("ssl.cipher.suites", Kind::List, "", Update::Broker),
    row("ssl.client.auth", Kind::String, "none", Update::Broker),
    row("ssl.enabled.protocols", Kind::List, "TLSv1.2,TLSv1.3", Update::Broker),
    row("ssl.endpoint.identification.algorithm", Kind::String, "https", Update::Broker),
    row("ssl.engine.factory.class", Kind::Class, "", Update::Broker),
    row("ssl.key.password", Kind::Password, "", Update::Broker),
    row("ssl.keymanager.algorithm", Kind::String, "SunX509", Update::Broker),
    row("ssl.keystore.certificate.chain", Kind::Password, "", Update::Broker),
    row("ssl.keystore.key", Kind::Password, "", Update::Broker),
    row("ssl.keystore.location", Kind::String, "", Update::Broker),
    row("ssl.keystore.password", Kind::Password, "", Update::Broker),
    row("ssl.keystore.type", Kind::String, "JKS", Update::Broker),
    row("ssl.principal.mapping.rules", Kind::String, "DEFAULT", Update::AtStart),
    row("ssl.protocol", Kind::String, "TLSv1.3", Update::Broker),
    row("ssl.provider", Kind::String, "", Update::Broker),
    row("ssl.secure.random.implementation", Kind::String, "", Update::Broker),
    row("ssl.trustmanager.algorithm", Kind::String, "PKIX", Update::Broker),
    row("ssl.truststore.certificates", Kind::Password, "", Update::Broker),
    row("ssl.truststore.location", Kind::String, "", Update::Broker),
    row("ssl.truststore.password", Kind::Password, "", Update::Broker),
    row("ssl.truststore.type", Kind::String, "JKS", Update::Broker),
    row("telemetry.max.bytes", Kind::Int, "1048576", Update::AtStart),
    row("transaction.abort.timed.out.transaction.cleanup.interval.ms", Kind::Int, "10000", Update::AtStart),
    row("transaction.max.timeout.ms", Kind::Int, "900000", Update::AtStart),
    row("transaction.partition.verification.enable", Kind::Boolean, "true", Update::Cluster),
    row("transaction.remove.expired.transaction.cleanup.interval.ms", Kind::Int, "3600000", Update::AtStart),
    row("transaction.state.log.load.buffer.size", Kind::Int, "5242880", Update::AtStart),
    row("transaction.state.log.min.isr", Kind::Int, "2", Update::AtStart),
    row("transaction.state.log.replication.factor", Kind::Short, "3", Update::AtStart),
    row("transaction.two.phase.commit.enable", Kind::Boolean, "false", Update::AtStart),
    row("transactional.id.expiration.ms", Kind::Int, "604800000", Update::AtStart),
    row("unclean.leader.election.interval.ms", Kind::Long, "300000", Update::AtStart),
    row("unstable.api.versions.enable", Kind::Boolean, "false", Update::AtStart),
    row("unstable.feature.versions.enable", Kind::Boolean, "false", Update::AtStart),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BrokerConfig;

    #[test]
    fn the_table_is_sorted_and_names_no_setting_that_has_an_effect() {
        assert!(TABLE.is_sorted_by(|a, b| a.key < b.key));
        for row in TABLE {
            assert!(BrokerConfig::row(row.key).is_none(), "{} has an effect", row.key);
            assert!(row.default.is_empty() || row.check(row.default).is_ok(), "{}", row.key);
        }
    }

    #[test]
    fn a_setting_of_one_listener_is_found_by_its_own_name() {
        let found = |key| WithoutEffect::find(key).map(|row| row.key);
        assert_eq!(found("ssl.key.password"), Some("ssl.key.password"));
        assert_eq!(found("listener.name.internal.ssl.key.password"), Some("ssl.key.password"));
        assert_eq!(found("listener.name.internal"), None);
        assert_eq!(found("ssl.key"), None);
    }
}
