//! Whatever a broker has acknowledged survives a power loss at any moment, as far as it was
//! promised to.
//!
//! A script of requests is run against a broker on a simulated disk, once for each operation on the
//! disk, which is then the last before the power is lost. A broker is started on each disk that the
//! machine could find then, and held against what was acknowledged.
//!
//! A run of the tests takes every fifth operation, `POWER_LOSS_EVERY=1` takes all of them.
//! `POWER_LOSS_AT=N cargo test -p klamm-tests --test broker_power_loss -- --nocapture` runs one
//! point.

use std::collections::HashSet;
use std::path::Path;

use klamm_broker::BrokerConfig;
use klamm_sim::{Fault, SimDisk};
use klamm_tests::power_loss::{Run, Step};

use Step::*;

/// All kinds of requests; `t` rolls a segment, `u` promises every third record.
const SCRIPT: &[Step] = &[
    Create {
        topic: "t",
        flush: 1,
        configs: &[("flush.messages", "1"), ("segment.ms", "60000"), ("retention.ms", "-1")],
    },
    Produce { topic: "t", minutes: 0 },
    Quota(1000.0),
    Create { topic: "u", flush: 3, configs: &[("flush.messages", "3")] },
    Produce { topic: "u", minutes: 0 },
    Produce { topic: "u", minutes: 0 },
    Produce { topic: "t", minutes: 5 },
    Produce { topic: "u", minutes: 0 },
    Alter { topic: "t", key: "retention.ms", value: "86400000" },
    ProducerId,
    Coordinator { flush: 0 },
    Alter { topic: "__consumer_offsets", key: "flush.messages", value: "1" },
    Grow { topic: "u", partitions: 2 },
    Produce { topic: "t", minutes: 5 },
    Restart,
    Produce { topic: "t", minutes: 5 },
    Produce { topic: "u", minutes: 0 },
    Delete { topic: "u" },
    ProducerId,
    Create { topic: "u", flush: 1, configs: &[("flush.messages", "1")] },
    Produce { topic: "u", minutes: 0 },
    Quota(2000.0),
];

/// Where the broker's settings ask for the syncs, of the topic of offsets too.
const COMMITS: &[Step] = &[
    Create { topic: "t", flush: 1, configs: &[] },
    Coordinator { flush: 1 },
    Commit { topic: "t", offset: 1 },
    Produce { topic: "t", minutes: 0 },
    Commit { topic: "t", offset: 2 },
    Restart,
    Commit { topic: "t", offset: 3 },
    Produce { topic: "t", minutes: 0 },
];

fn config() -> BrokerConfig {
    BrokerConfig { log_dirs: vec!["/data".into()], ..BrokerConfig::for_test() }
}

/// `log.flush.interval.messages=1`.
fn flushing() -> BrokerConfig {
    let mut config = config();
    config.topic.log.flush_messages = Some(1);
    config
}

/// A number from the environment.
fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs the script with each operation as the crash point; says how many points and disks there
/// were.
fn enumerate(config: &BrokerConfig, script: &[Step]) -> (usize, usize) {
    let whole = Run::of(SimDisk::default(), config, script);
    assert_eq!(whole.promises.answers, script.len());
    let every = number("POWER_LOSS_EVERY").unwrap_or(5);
    let points = number("POWER_LOSS_AT").map_or(0..whole.operations, |at| at..at + 1);
    let (mut seen, mut count) = (HashSet::new(), 0);
    for at in points.step_by(every) {
        count += 1;
        let run = Run::of(SimDisk::with_fault(Some(Fault::Crash { at })), config, script);
        for found in run.disk.crash(at as u64) {
            if !seen.insert((found.fingerprint(), run.promises.answers)) {
                continue;
            }
            if let Err(broken) = run.promises.check(&found, config) {
                panic!("POWER_LOSS_AT={at}, {}: {broken}\n{:?}", found.how, run.promises);
            }
        }
    }
    (count, seen.len())
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_at_any_moment() {
    let (points, disks) = enumerate(&config(), SCRIPT);
    println!("| requests of all kinds | {points} crash points | {disks} disks |");
}

#[test]
fn commits_survive_where_the_broker_asks_for_syncs() {
    let (points, disks) = enumerate(&flushing(), COMMITS);
    println!("| commits | {points} crash points | {disks} disks |");
}

/// What the check says of the disk after the whole script, with all lost that was not synced.
fn after(disk: SimDisk, config: &BrokerConfig, script: &[Step]) -> Result<(), String> {
    let run = Run::of(disk, config, script);
    assert_eq!(run.promises.answers, script.len());
    run.promises.check(&run.disk.crash(0)[0], config)
}

fn is_log_in(path: &Path, directory: &str) -> bool {
    path.starts_with(Path::new("/data").join(directory)) && path.extension().is_some_and(|kind| kind == "log")
}

/// The check would see a sync that is missing: wherever the disk only claims to have synced,
/// something acknowledged is lost.
#[test]
fn the_check_sees_every_sync_that_is_missing() {
    // Without a clean stop, which would sync all once more.
    let script: Vec<Step> = SCRIPT.iter().take_while(|step| !matches!(step, Restart)).copied().collect();
    let commits: Vec<Step> = COMMITS.iter().take_while(|step| !matches!(step, Restart)).copied().collect();
    assert_eq!(after(SimDisk::default(), &config(), &script), Ok(()));
    for lie in ["t-0", "u-0", "__cluster_metadata-0"] {
        let disk = SimDisk::default().lying(move |path| is_log_in(path, lie));
        let seen = after(disk, &config(), &script);
        assert!(seen.is_err(), "a missing sync of {lie} is not seen");
    }
    let disk = SimDisk::default().lying(|path| path == Path::new("/data"));
    assert!(after(disk, &config(), &script).is_err(), "a missing sync of the directory is not seen");
    assert_eq!(after(SimDisk::default(), &flushing(), &commits), Ok(()));
    let disk = SimDisk::default().lying(|path| is_log_in(path, "__consumer_offsets-0"));
    assert!(after(disk, &flushing(), &commits).is_err(), "a missing sync of the offsets is not seen");
}

/// The same broker without the setting loses what it has acknowledged, as Kafka does.
#[test]
fn without_flush_messages_an_acknowledged_record_can_be_lost() {
    let script = [Create { topic: "t", flush: 1, configs: &[] }, Produce { topic: "t", minutes: 0 }];
    let lost = after(SimDisk::default(), &config(), &script);
    assert_eq!(lost, Err("topic t: of 1 promised records 0 are there".to_owned()));
}
