//! The six assignors, beside Kafka's own in the same run, in turn: 1,000 members, 10 topics of
//! 1,000 partitions; then one member leaves; then half of them want one topic alone. Wall time
//! after warm-up, medians. Then ours with up to 100,000 partitions. Both sides begin with what they
//! are given in use: names where clients assign, numbers or ids where a broker does (each its
//! `GroupSpec`, made beforehand), and end with the partitions of each member, by topic and number.
//! `KAFKA_LIB=FOLDER cargo bench -p klamm-benches --bench assignors`, where the folder has the jars
//! of Kafka 4.3.1.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use klamm_benches::rounds::median;
use klamm_coordinator::assignor::{
    Assignment, Assignor, CooperativeSticky, GroupSpec, NamedAssignment, Range, RoundRobin, ServerRange,
    Sticky, Subscriber, Topics, Uniform,
};
use klamm_coordinator::consumer_protocol::Subscription;
use klamm_coordinator::{MemberId, Topic};
use klamm_protocol::Uuid;

const WARM_UP: usize = 15;
const ROUNDS: usize = 15;

/// Names as Kafka's program has them.
const KINDS: [(&str, &dyn Assignor); 6] = [
    ("range", &Range),
    ("roundrobin", &RoundRobin),
    ("sticky", &Sticky),
    ("coop", &CooperativeSticky),
    ("srange", &ServerRange),
    ("suniform", &Uniform),
];
const CASES: [(&str, &str); 3] =
    [("fresh", "new"), ("leave", "one leaves"), ("mixed", "half want one topic alone")];

/// Milliseconds by assignor and case.
type Times = BTreeMap<(String, String), Vec<f64>>;

fn main() {
    let mut kafka = std::env::var("KAFKA_LIB").ok().map(|lib| Kafka::start(&lib));
    let (mut ours, mut theirs, mut buffer) = (Times::new(), Times::new(), Vec::new());
    for round in 0..WARM_UP + ROUNDS {
        let (own, kafkas) =
            (own_round(1_000, &mut buffer), kafka.as_mut().map(Kafka::round).unwrap_or_default());
        if round >= WARM_UP {
            own.into_iter().for_each(|(key, took)| ours.entry(key).or_default().push(took));
            kafkas.into_iter().for_each(|(key, took)| theirs.entry(key).or_default().push(took));
        }
    }
    println!(
        "| assignor, 1,000 members, 10,000 partitions | ours | Kafka 4.3.1 | ratio |\n|---|---|---|---|"
    );
    for (kind, assignor) in KINDS {
        for (case, words) in CASES {
            let key = (kind.to_owned(), case.to_owned());
            let own = median(ours[&key].clone());
            let kafkas = theirs.get(&key).map(|times| median(times.clone()));
            let beside =
                kafkas.map_or("| |".to_owned(), |time| format!("{time:.2} ms | {:.1} |", time / own));
            println!("| {} ({}), {words} | {own:.2} ms | {beside}", assignor.name(), side(kind));
        }
    }
    println!("\n| assignor, 1,000 members | 10,000 | 30,000 | 100,000 partitions |\n|---|---|---|---|");
    let grown: Vec<_> = [1_000, 3_000, 10_000].into_iter().map(|each| own_round(each, &mut buffer)).collect();
    for (kind, assignor) in KINDS {
        for (case, words) in CASES {
            let key = (kind.to_owned(), case.to_owned());
            let times: Vec<_> = grown.iter().map(|times| format!("{:.1} ms", times[&key])).collect();
            println!("| {} ({}), {words} | {} |", assignor.name(), side(kind), times.join(" | "));
        }
    }
}

fn side(kind: &str) -> &'static str {
    if kind.starts_with('s') && kind != "sticky" { "broker" } else { "client" }
}

/// All assignors, once, with so many partitions a topic. The memory of `members` is used again:
/// that of Java's objects is warm too.
fn own_round(each: usize, members: &mut Vec<Subscriber>) -> BTreeMap<(String, String), f64> {
    let names: Vec<String> = (0..10).map(|topic| format!("topic-{topic}")).collect();
    let topics = names
        .iter()
        .zip(1_u128..)
        .fold(Topics::default(), |topics, (name, id)| topics.with_id(name, Uuid(id.to_be_bytes()), each));
    let wanted: Vec<Topic> = names.iter().map(|name| name.as_str().into()).collect();
    let mut times = BTreeMap::new();
    for (kind, assignor) in KINDS {
        let mut timed = |case: &str, said: &[Said]| -> NamedAssignment {
            let said = said.to_vec();
            members.clear();
            let began = Instant::now();
            members.extend(said.into_iter().map(|(id, said)| assignor.subscriber(said, id, None)));
            let group = GroupSpec::new(&topics, members);
            let began = if side(kind) == "broker" { Instant::now() } else { began };
            let given = assignor.assign(&group);
            walk(&group, &given, side(kind));
            times.insert((kind.to_owned(), case.to_owned()), began.elapsed().as_secs_f64() * 1e3);
            group.named(&given)
        };
        let mut members: Vec<Said> = (0..1_000).map(|number| member(number, &wanted)).collect();
        let given = timed("fresh", &members);
        for (id, said) in &mut members {
            (said.user_data, said.generation) = (assignor.user_data(&given[id], 1), Some(1));
            // A sticky member has given all up when it joins, and says what it had in its words
            // alone.
            said.owned = if kind == "sticky" { Vec::new() } else { given[id].clone() };
        }
        timed("leave", &members[..999]);
        members.iter_mut().skip(1).step_by(2).for_each(|(_, said)| said.topics.truncate(1));
        timed("mixed", &members);
    }
    times
}

/// What each member has: numbers for a broker, topics by name and numbers for a client.
fn walk(group: &GroupSpec<'_>, given: &Assignment, side: &str) {
    let shares = given.by_member();
    if side == "client" {
        let name = |own: usize| (group.topics()[group.topic(own)], group.number(own));
        shares.iter().flatten().for_each(|own| {
            black_box(name(own));
        });
    }
    black_box(shares);
}

/// A member and what it says.
type Said = (MemberId, Subscription);

fn member(number: usize, topics: &[Topic]) -> Said {
    (
        format!("member-{number:05}").as_str().into(),
        Subscription { topics: topics.to_vec(), ..Subscription::default() },
    )
}

/// Kafka's classes, in a process of their own that waits between rounds.
struct Kafka {
    process: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Kafka {
    fn start(lib: &str) -> Kafka {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kafka/oracle/AssignorOracle.java");
        let mut process = Command::new("java")
            .args([
                "-Dorg.apache.logging.log4j.level=OFF",
                "-Xmx1g",
                "-cp",
                &format!("{lib}/*"),
                program,
                "time",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java is there");
        let (ask, told) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        Kafka { process, ask, told: BufReader::new(told) }
    }

    fn round(&mut self) -> BTreeMap<(String, String), f64> {
        writeln!(self.ask, "ROUND").expect("it listens");
        let mut line = String::new();
        self.told.read_line(&mut line).expect("it answers");
        let words: Vec<&str> = line.split_whitespace().collect();
        let timed =
            |of: &[&str]| ((of[0].to_owned(), of[1].to_owned()), of[2].parse().expect("milliseconds"));
        words.chunks_exact(3).map(timed).collect()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
