//! Creating and deleting many partitions with one request each.
//!
//! Each round has brokers of its own, whose data directories lie apart from those before. On ext4 a
//! new file passes over the inodes that were freed near it within the last minutes, one by one:
//! what an earlier round has deleted would decide the figures.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::load::Client;
use crate::node::{Node, Which};
use crate::{ROUNDS, print_row};

/// Partitions of a request; Kafka takes the first alone: it answers soon, and creates the
/// directories for minutes then.
const COUNTS: [usize; 3] = [1_000, 5_000, 10_000];
/// Partitions of a topic.
const A_TOPIC: usize = 100;
/// Longest time until all directories are there or gone.
const LONGEST: Duration = Duration::from_secs(300);

pub(crate) fn run(which: &[Which], kafka: &Path) {
    println!(
        "\n| topics of 100 partitions in one request | Klamm, answered | Kafka | ratio | Klamm, done on the disk | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    for count in COUNTS {
        let which = if count == COUNTS[0] { which } else { &which[..1] };
        let (mut created, mut deleted) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let figures = which.iter().map(|which| measure(&Node::start(*which, kafka), count));
            let (create, delete): (Vec<_>, Vec<_>) = figures.unzip();
            created.push(create);
            deleted.push(delete);
        }
        print_row(&format!("{count} partitions, created"), ["ms", "ms"], &created);
        print_row(&format!("{count} partitions, deleted"), ["ms", "ms"], &deleted);
    }
}

/// Milliseconds until topics were created, and deleted: until the response, and until their
/// directories have the names that they are to have.
fn measure(node: &Node, count: usize) -> ([f64; 2], [f64; 2]) {
    let names: Vec<String> = (0..count / A_TOPIC).map(|topic| format!("many-{topic}")).collect();
    let mut client = Client::connect(node.address);
    let created = timed(node, count, || client.create_all(&names, A_TOPIC as i32));
    (created, timed(node, 0, || client.delete_all(&names)))
}

fn timed(node: &Node, logs: usize, request: impl FnOnce()) -> [f64; 2] {
    let begun = Instant::now();
    request();
    let answered = begun.elapsed();
    while logs_of(node) != logs {
        assert!(begun.elapsed() < LONGEST, "{:?} has {} of {logs} directories", node.which, logs_of(node));
        std::thread::sleep(Duration::from_millis(2));
    }
    [answered, begun.elapsed()].map(|time| time.as_secs_f64() * 1e3)
}

/// The number of partitions of the topics that have a directory.
fn logs_of(node: &Node) -> usize {
    let is_log = |name: &str| name.starts_with("many-") && !name.ends_with("-delete");
    node.directories().iter().filter(|name| is_log(name)).count()
}
