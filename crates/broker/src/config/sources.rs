//! Where settings come from: a file in Kafka's format, the environment, flags; the later wins.

use super::properties::{self, Malformed, Property};
use super::row::{Row, WrongSetting};
use super::table::TABLE;
use super::without_effect::WithoutEffect;
use super::{BrokerConfig, SettingError, TopicConfig};

/// Settings from one or more sources, as texts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Each with its key, its value and where it was given; a later one wins.
    given: Vec<(String, String, String)>,
}

/// A setting of the broker, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SettingInfo {
    /// Kafka's name.
    pub key: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What it can be.
    pub expected: &'static str,
    /// What it is when it is not given.
    pub default: String,
    /// Whether it can be changed while the broker runs, by `kafka-configs` and the like.
    pub is_dynamic: bool,
}

impl Settings {
    /// All settings.
    pub fn known() -> impl Iterator<Item = SettingInfo> {
        let defaults = BrokerConfig::default();
        TABLE.iter().map(move |row| SettingInfo {
            key: row.key,
            meaning: row.meaning,
            expected: row.expected,
            default: (row.get)(&defaults),
            is_dynamic: row.is_dynamic,
        })
    }

    /// Adds those of a file of properties, in the syntax of `java.util.Properties`.
    ///
    /// # Errors
    /// [`SettingError`] when it cannot be read, or names the line with a `\\u` that is malformed.
    pub fn file(mut self, path: &str) -> Result<Settings, SettingError> {
        let failed =
            |error: std::io::Error| SettingError::File { path: path.to_owned(), reason: error.to_string() };
        let origin = |line: usize| format!("{path}, line {line}");
        let read = properties::parse(&std::fs::read(path).map_err(failed)?);
        let read =
            read.map_err(|Malformed { text, line }| SettingError::Line { origin: origin(line), line: text })?;
        self.given.extend(read.into_iter().map(|Property { key, value, line }| (key, value, origin(line))));
        Ok(self)
    }

    /// Adds those of the environment: `KLAMM_LOG_DIRS` is `log.dirs`. Other variables are passed
    /// over.
    #[must_use]
    pub fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Settings {
        let ours = variables
            .filter_map(|(name, value)| Some((name.strip_prefix("KLAMM_")?.to_owned(), name, value)));
        let keyed = ours.map(|(key, name, value)| {
            (key.to_lowercase().replace('_', "."), value, format!("environment, {name}"))
        });
        self.given.extend(keyed);
        self
    }

    /// Adds one that was given as a flag: `--log-dirs` is `log.dirs`.
    #[must_use]
    pub fn flag(mut self, key: &str, value: &str) -> Settings {
        let flag = format!("flag --{}", key.replace('.', "-"));
        self.given.push((key.to_owned(), value.to_owned(), flag));
        self
    }

    /// What they make of the defaults.
    ///
    /// # Errors
    /// [`SettingError`] names a key that does not exist, or a value that cannot be and what it can
    /// be.
    pub fn resolve(&self) -> Result<BrokerConfig, SettingError> {
        self.check_keys()?;
        let mut config = BrokerConfig::default();
        for row in TABLE {
            for (_, value, origin) in self.given.iter().filter(|(key, ..)| key == row.key) {
                (row.set)(&mut config, value).ok_or_else(|| wrong_value(row, value, origin))?;
            }
        }
        self.note_without_effect(&mut config)?;
        check_together(&config)?;
        check_bounds(&config)?;
        Ok(config)
    }

    fn note_without_effect(&self, config: &mut BrokerConfig) -> Result<(), SettingError> {
        for (key, value, origin) in &self.given {
            let Some(row) = WithoutEffect::find(key) else { continue };
            let wrong = |expected| SettingError::Value {
                origin: origin.clone(),
                key: row.key,
                value: value.clone(),
                expected,
            };
            row.check(value).map_err(wrong)?;
            config.without_effect.insert(key.clone(), value.clone());
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), SettingError> {
        let is_known =
            |key: &str| TABLE.iter().any(|row| row.key == key) || WithoutEffect::find(key).is_some();
        match self.given.iter().find(|(key, ..)| !is_known(key)) {
            None => Ok(()),
            Some((key, _, origin)) => {
                Err(SettingError::Unknown { origin: origin.clone(), key: key.clone(), similar: similar(key) })
            }
        }
    }
}

fn wrong_value(row: &Row<BrokerConfig>, value: &str, origin: &str) -> SettingError {
    let (key, expected) = (row.key, row.expected);
    SettingError::Value { origin: origin.to_owned(), key, value: value.to_owned(), expected }
}

/// The bounds of what administrators set. A program may set other times.
fn check_bounds(config: &BrokerConfig) -> Result<(), SettingError> {
    let checked = config.consumer_bounds.check(&config.groups.consumer.times);
    checked.or_else(|WrongSetting { key, value, expected }| {
        wrong_together(BrokerConfig::row(&key).map_or("", |row| row.key), value, expected)
    })
}

fn wrong_together(key: &'static str, value: String, expected: &'static str) -> Result<(), SettingError> {
    Err(SettingError::Value { origin: "settings together".to_owned(), key, value, expected })
}

/// Settings that depend on each other.
pub(crate) fn check_together(config: &BrokerConfig) -> Result<(), SettingError> {
    let is_twice = |at: &usize| config.log_dirs[..*at].contains(&config.log_dirs[*at]);
    if let Some(twice) = (0..config.log_dirs.len()).find(is_twice) {
        return wrong_together(
            "log.dirs",
            config.log_dirs[twice].display().to_string(),
            "each directory once",
        );
    }
    let (queued, groups) = (config.max_queued_bytes, &config.groups);
    if queued < config.max_request_bytes {
        return wrong_together(
            "queued.max.request.bytes",
            queued.to_string(),
            "at least socket.request.max.bytes",
        );
    }
    if groups.max_session_timeout < groups.min_session_timeout {
        let most = groups.max_session_timeout.as_millis().to_string();
        return wrong_together("group.max.session.timeout.ms", most, "at least group.min.session.timeout.ms");
    }
    config.topic.log.validate().and_then(|()| config.cleaner.validate()).or_else(|error| {
        let inherited = TopicConfig::row(error.setting).and_then(|row| row.inherits.first());
        wrong_together(inherited.unwrap_or(&error.setting), error.got, error.expected)
    })
}

/// The setting whose name has most letters in common with `key` in the same places from either end.
fn similar(key: &str) -> Option<&'static str> {
    let common = |a: &str, b: &str| {
        let front = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
        front + back
    };
    let best = TABLE.iter().max_by_key(|row| common(row.key, key))?;
    (common(best.key, key) * 3 >= key.len() * 2).then_some(best.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> Result<BrokerConfig, SettingError> {
        pairs.iter().fold(Settings::default(), |all, (key, value)| all.flag(key, value)).resolve()
    }

    #[test]
    fn the_later_source_wins() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "# a comment\n\nlog.dirs = /a\nnum.partitions=3\nnode.id=7\n").unwrap();
        let environment = [("KLAMM_LOG_DIRS", "/b"), ("KLAMM_NUM_PARTITIONS", "4"), ("PATH", "/bin")];
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let settings =
            Settings::default().file(file.path().to_str().unwrap()).unwrap().environment(environment);
        let config = settings.flag("log.dirs", "/c").resolve().unwrap();
        assert_eq!((config.node_id, config.num_partitions), (7, 4));
        assert_eq!(config.log_dirs, [std::path::PathBuf::from("/c")]);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_it_can_be() {
        for (key, value, want) in [
            (
                "log.dir",
                "",
                "flag --log-dir: log.dir is \"\", expected one or more folders, with commas between them",
            ),
            ("log.dirss", "x", "flag --log-dirss: no setting has the name \"log.dirss\"; is log.dirs meant?"),
            ("zookeeper", "x", "flag --zookeeper: no setting has the name \"zookeeper\""),
            (
                "num.partitions",
                "0",
                "flag --num-partitions: num.partitions is \"0\", expected a number from 1 to 10,000",
            ),
            (
                "listeners",
                "9092",
                "flag --listeners: listeners is \"9092\", expected one listener for clients such as PLAINTEXT://127.0.0.1:9092, with a port up to 65535 and the protocol PLAINTEXT; others only of a controller (controller.listener.names)",
            ),
            (
                "log.segment.bytes",
                "12",
                "flag --log-segment-bytes: log.segment.bytes is \"12\", expected a number of bytes from 1,048,576 to 2,147,483,647",
            ),
            (
                "log.retention.ms",
                "soon",
                "flag --log-retention-ms: log.retention.ms is \"soon\", expected a number, or -1 for none",
            ),
            (
                "queued.max.request.bytes",
                "1",
                "settings together: queued.max.request.bytes is \"1\", expected at least socket.request.max.bytes",
            ),
        ] {
            assert_eq!(flags(&[(key, value)]).unwrap_err().to_string(), want);
        }
        let missing = Settings::default().file("/no/such/file").unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /no/such/file: "), "{missing}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "log.dirs=\\u00e\n").unwrap();
        let line = Settings::default().file(file.path().to_str().unwrap()).unwrap_err().to_string();
        let end = r#", line 1: expected four hexadecimal digits behind \u, got "log.dirs=\\u00e""#;
        assert!(line.ends_with(end), "{line}");
        let twice = flags(&[("log.dirs", "/a,/b,/a")]).unwrap_err().to_string();
        assert_eq!(twice, "settings together: log.dirs is \"/a\", expected each directory once");
    }

    /// The settings of the file `config/server.properties` that Kafka 4.3.1 ships.
    const SHIPPED: &str = "process.roles=broker,controller\nnode.id=1\n\
        controller.quorum.bootstrap.servers=localhost:9093\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
        inter.broker.listener.name=PLAINTEXT\n\
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
        controller.listener.names=CONTROLLER\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
        num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n\
        socket.request.max.bytes=104857600\nlog.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\n\
        num.recovery.threads.per.data.dir=2\noffsets.topic.replication.factor=1\n\
        share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
        transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\nlog.retention.hours=168\n\
        log.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n";

    #[test]
    fn the_file_that_kafka_ships_is_taken() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, SHIPPED).unwrap();
        let config = Settings::default().file(file.path().to_str().unwrap()).unwrap().resolve().unwrap();
        assert_eq!(config.listener.to_string(), "PLAINTEXT://0.0.0.0:9092");
        assert_eq!(config.advertised.unwrap().to_string(), "PLAINTEXT://localhost:9092");
        assert_eq!(config.controller_listeners, ["CONTROLLER://0.0.0.0:9093"]);
        assert!(config.without_effect.contains_key("controller.quorum.bootstrap.servers"));
        assert!(!config.without_effect.contains_key("num.partitions"));
    }

    #[test]
    fn a_setting_without_effect_is_noted_and_one_that_would_protect_is_refused() {
        let noted = flags(&[("replica.fetch.max.bytes", "1"), ("listener.name.x.ssl.key.password", "s")]);
        assert_eq!(noted.unwrap().without_effect.len(), 2);
        for (key, value) in [
            ("replica.fetch.max.bytes", "x"),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("remote.log.storage.system.enable", "true"),
            ("process.roles", "controller"),
            ("listeners", "SASL_SSL://:9092"),
        ] {
            assert!(matches!(flags(&[(key, value)]), Err(SettingError::Value { .. })), "{key}={value}");
        }
    }

    #[test]
    fn members_are_to_come_more_often_than_they_are_taken_for_dead() {
        let own = |session: &str| {
            let keys = ["group.consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms"];
            flags(&keys.map(|key| (key, session)))
        };
        assert!(own("5001").is_ok());
        assert_eq!(
            flags(&[("group.consumer.session.timeout.ms", "6000")]).unwrap_err().to_string(),
            "settings together: group.consumer.session.timeout.ms is \"6000\", expected at least group.consumer.min.session.timeout.ms"
        );
        assert_eq!(
            own("5000").unwrap_err().to_string(),
            "settings together: group.consumer.heartbeat.interval.ms is \"5000\", expected less than group.consumer.session.timeout.ms"
        );
    }

    #[test]
    fn finer_settings_win_over_coarser_ones_in_any_order() {
        let config = flags(&[("log.retention.ms", "5"), ("log.retention.hours", "1")]).unwrap();
        assert_eq!(config.topic.log.retention_time, Some(std::time::Duration::from_millis(5)));
        assert_eq!(flags(&[("log.retention.hours", "-1")]).unwrap().topic.log.retention_time, None);
        assert_eq!(
            flags(&[]).unwrap().topic.log.retention_time,
            Some(std::time::Duration::from_secs(604_800))
        );
    }
}
