//! `docs/operating.md` promises nothing without a test: `tests/promises.txt` names one for each
//! sentence, and the tables and defaults of the document are those of the broker.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_broker::testing::TestBroker;
use klamm_broker::{BrokerConfig, SettingInfo, Settings};
use klamm_protocol::Records;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_tests::admin::{TOPIC, create, describe};
use klamm_tests::client::Client;
use klamm_tests::document::{cells, root, sections, text};
use klamm_tests::groups::Member;
use klamm_tests::requests::{batch_of, produce, topic};

const DOCUMENT: &str = "docs/operating.md";
const PROMISES: &str = "tests/promises.txt";

/// A quote of the document, and what shows that it is kept.
struct Promise {
    section: String,
    quote: String,
    evidence: Vec<String>,
}

fn promises() -> Vec<Promise> {
    let (mut section, mut promises) = (String::new(), Vec::new());
    for line in text(PROMISES).lines().filter(|line| !line.is_empty()) {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
        if line.starts_with('#') {
            continue;
        }
        let (quote, evidence) =
            line.split_once(" | ").unwrap_or_else(|| panic!("no `quote | evidence`: {line}"));
        let evidence = evidence.split(';').map(|one| one.trim().to_owned()).collect();
        promises.push(Promise { section: section.clone(), quote: quote.to_owned(), evidence });
    }
    promises
}

fn known() -> BTreeMap<&'static str, SettingInfo> {
    Settings::known().map(|setting| (setting.key, setting)).collect()
}

#[test]
fn every_sentence_has_its_evidence() {
    let (sections, promises) = (sections(&text(DOCUMENT)), promises());
    for (section, parts) in &sections {
        let own: Vec<_> = promises.iter().filter(|promise| promise.section == *section).collect();
        for part in parts {
            let is_covered = own.iter().any(|promise| part.contains(&promise.quote));
            assert!(is_covered, "{DOCUMENT}, {section}: no line of {PROMISES} quotes: {part}");
        }
    }
    for Promise { section, quote, .. } in &promises {
        let parts = sections.get(section).unwrap_or_else(|| panic!("{PROMISES}: no section {section:?}"));
        assert!(
            parts.iter().any(|part| part.contains(quote)),
            "{PROMISES}, {section}: nothing says {quote:?}"
        );
    }
}

#[test]
fn every_evidence_exists() {
    for Promise { section, quote, evidence } in promises() {
        for one in evidence {
            let wrong = |what: &str| panic!("{section}, {quote:?}: {one:?} {what}");
            if let Some(reason) = one.strip_prefix('-') {
                assert!(reason.len() > 5, "{section}, {quote:?}: a reason is missing");
                continue;
            }
            let (path, name) = one.split_once("::").unwrap_or((&one, ""));
            if !root().join(path).is_file() {
                wrong("is no file");
            }
            let source = text(path);
            let is_there = name.is_empty() || source.contains(&format!("fn {name}("));
            if !is_there || (!name.is_empty() && !source.contains("#[test]")) {
                wrong("is no test");
            }
        }
    }
}

/// A number with a unit, as the document writes it: milliseconds or bytes.
fn value(cell: &str) -> String {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("no number: {cell}"));
    let factor = match unit {
        "" => 1,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "seconds" => 1000,
        "minutes" => 60_000,
        unit => panic!("no unit: {unit}"),
    };
    (number * factor).to_string()
}

#[test]
fn limits_have_the_defaults_that_the_document_states() {
    let (sections, known) = (sections(&text(DOCUMENT)), known());
    let rows = sections["Limits"].iter().filter(|part| part.starts_with('|'));
    let mut count = 0;
    for row in rows {
        let cells = cells(row);
        let setting = known.get(cells[0]).unwrap_or_else(|| panic!("no setting {}", cells[0]));
        assert_eq!(value(cells[1]), setting.default, "the default of {}", cells[0]);
        count += 1;
    }
    assert!(count > 20, "{count} rows were read");
}

#[test]
fn every_setting_that_kafka_does_not_have_is_in_the_document() {
    let document = text(DOCUMENT);
    let own = Settings::known().filter(|setting| setting.meaning.contains("Not a setting of Kafka"));
    let missing: Vec<_> =
        own.map(|setting| setting.key).filter(|key| !document.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "{DOCUMENT} does not name {missing:?}");
}

#[test]
fn every_setting_of_the_document_exists() {
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    let of_topics: BTreeSet<String> =
        describe(&mut client, TOPIC, "t", None).iter().map(|config| config.name.to_string()).collect();
    let known = known();
    let document = text(DOCUMENT);
    let names = document.split('`').skip(1).step_by(2).filter_map(|code| code.split('=').next());
    let is_setting = |name: &&str| {
        let words: Vec<_> = name.split('.').collect();
        let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
        words.len() > 1 && words.iter().all(is_word)
    };
    for name in names.filter(is_setting) {
        // Settings of Kafka without effect resolve; others are errors.
        let resolves = |value| Settings::default().flag(name, value).resolve().is_ok();
        let is_known = known.contains_key(name) || of_topics.contains(name) || OTHERS.contains(&name);
        assert!(is_known || resolves("1") || resolves("text"), "{DOCUMENT} names {name}, which nothing has");
    }
}

/// What looks like a setting of the broker and is one of clients, of groups, a feature, or a file.
const OTHERS: &[&str] = &[
    "transactional.id",
    "group.protocol",
    "group.instance.id",
    "auto.offset.reset",
    "max.poll.interval.ms",
    "max.poll.records",
    "consumer.session.timeout.ms",
    "consumer.heartbeat.interval.ms",
    "consumer.assignment.interval.ms",
    "metadata.version",
    "group.version",
    "transaction.version",
    "share.version",
    "streams.version",
    "eligible.leader.replicas.version",
    "kraft.version",
    "server.properties",
    // Refused, as the document says.
    "authorizer.class.name",
    "remote.log.storage.system.enable",
];

#[test]
fn defaults_in_the_text_are_those_of_the_settings() {
    let known = known();
    for (key, want) in [
        ("group.consumer.heartbeat.interval.ms", "5000"),
        ("group.consumer.session.timeout.ms", "45000"),
        ("group.consumer.assignment.interval.ms", "1000"),
        ("group.consumer.min.session.timeout.ms", "45000"),
        ("group.consumer.max.session.timeout.ms", "60000"),
        ("group.consumer.min.heartbeat.interval.ms", "5000"),
        ("group.consumer.max.heartbeat.interval.ms", "15000"),
        ("group.consumer.min.assignment.interval.ms", "0"),
        ("group.consumer.max.assignment.interval.ms", "15000"),
        ("group.consumer.assignors", "uniform,range"),
        ("group.consumer.migration.policy", "bidirectional"),
    ] {
        assert_eq!(known[key].default, want, "{key}");
    }
}

#[test]
fn settings_that_the_document_calls_dynamic_are() {
    let known = known();
    let cleaner = known.keys().filter(|key| key.starts_with("log.cleaner.") && **key != "log.cleaner.enable");
    let fixed: Vec<_> = cleaner
        .chain([&"num.io.threads", &"num.network.threads"])
        .filter(|key| !known[**key].is_dynamic)
        .collect();
    assert!(fixed.is_empty(), "{fixed:?}");
}

/// `a_{b,c}_d` as `a_b_d` and `a_c_d`; a group behind the name holds labels.
fn expanded(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let (inside, after) = rest.split_once('}').unwrap();
    let is_labels = !before.ends_with('_');
    if is_labels {
        return vec![before.to_owned()];
    }
    inside.split(',').flat_map(|one| expanded(&format!("{before}{one}{after}"))).collect()
}

/// Does a bit of everything that is counted by name.
fn have_figures(broker: &TestBroker, client: &mut Client) {
    let id = topic(client, "t");
    assert_eq!(produce(client, "t", id, batch_of(&["value"]), -1, 13).error_code, 0);
    assert_ne!(produce(client, "t", id, Records::Bytes("no batch".into()), -1, 13).error_code, 0);
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    client.call(&FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() }, 13);
    let mut member = Member::new(Client::connect(broker.running()), "g");
    assert_eq!(member.join(&["t"]).error_code, 0);
    assert_eq!(member.sync(&[]).error_code, 0);
    assert_eq!(member.commit("t", 1), 0);
    broker.fill_disk();
    let _ = broker.advance(Duration::from_secs(1000));
    broker.free_disk();
}

#[test]
fn every_metric_of_the_document_is_there() {
    let broker = TestBroker::start_with(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    have_figures(&broker, &mut client);
    let metrics = broker.running().metrics();
    let sections = sections(&text(DOCUMENT));
    let rows = sections["Monitoring"].iter().filter(|row| row.contains("kafka_") || row.contains("klamm_"));
    let names: Vec<_> = rows.flat_map(|row| expanded(cells(row)[0])).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        // A counter is declared without the suffix of its samples.
        let declared = format!("# TYPE {} ", name.trim_end_matches("_total"));
        assert!(metrics.contains(&declared), "/metrics has no {name}");
    }
}

#[test]
fn the_unit_and_the_container_use_settings_that_exist() {
    let known = known();
    for (path, line) in [("docs/klamm.service", "ExecStart="), ("docs/Containerfile", "ENTRYPOINT")] {
        let text = text(path);
        let command = text.lines().find(|one| one.starts_with(line)).unwrap();
        let flags: Vec<_> = command
            .split([' ', '"', ',', '['])
            .filter_map(|word| word.strip_prefix("--"))
            .map(|flag| flag.replace('-', "."))
            .collect();
        assert!(
            !flags.is_empty() && flags.iter().all(|key| known.contains_key(key.as_str())),
            "{path}: {flags:?}"
        );
    }
    let program = std::fs::metadata(root().join("examples/broker.rs"));
    assert!(program.is_ok(), "both run the example `broker`");
}
