//! Reading in order and at random, with one segment and with a thousand.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;

use klamm_benches::rounds::{Contestant, Round, run as rounds};
use klamm_log::{Log, Offset, Position};

use crate::common::{discard, filled, show};

pub(crate) fn run(root: &Path) {
    for segments in [1, 1000] {
        let (dir, log) = filled(root, COUNT, segments);
        println!(
            "reads, {} segments (targets: 20 million decoded a second; a random read at most 3 preads)",
            log.segments().expect("readable").len()
        );
        let in_order: Contestant<'_> = ("decoded 100-byte records in order", Box::new(|| in_order(&log)));
        show("records", &rounds(5, vec![in_order]));
        random(&log);
        discard(&dir, &log);
    }
}

fn in_order<'a>(log: &Log) -> Round<'a> {
    let mut reader = log.reader(Position::Start).expect("readable");
    let (mut count, mut sum) = (0u64, 0u64);
    while let Some(record) = reader.next().expect("readable") {
        count += 1;
        sum += u64::from(record.value.expect("has a value")[7]);
    }
    assert_eq!((count, sum), (COUNT, COUNT * u64::from(b'v')));
    Round::of(count)
}

fn random(log: &Log) {
    let path = |base: Offset| log.path().join(format!("{:020}.log", base.get()));
    let segments = log.segments().expect("readable");
    let files: Vec<File> = segments.iter().map(|s| File::open(path(s.base_offset)).expect("there")).collect();
    let size = files[0].metadata().expect("readable").len();
    let (mut numbers, mut others, mut buffer) = (Numbers(1), Numbers(1), vec![0; BETWEEN_ENTRIES]);
    let pread = || {
        for _ in 0..READS {
            let at = others.next();
            let from = at * 4096 % size.saturating_sub(BETWEEN_ENTRIES as u64).max(1);
            black_box(files[at as usize % files.len()].read_at(&mut buffer, from).expect("readable"));
        }
        Round::of(READS)
    };
    let by_offset = || {
        let mut reader = log.reader(Position::Start).expect("readable");
        for _ in 0..READS {
            let offset = Offset::from((numbers.next() % COUNT) as u32);
            reader.seek(offset).expect("in range");
            assert_eq!(reader.next().expect("readable").expect("there").offset, offset);
        }
        Round::of(READS)
    };
    let contestants: Vec<Contestant<'_>> = vec![
        ("pread between two entries", Box::new(pread)),
        ("record at a random offset", Box::new(by_offset)),
        ("the same, looked up in 16 MiB", Box::new(looked_up(log, 16 << 20))),
        ("the same, looked up in 1 GiB", Box::new(looked_up(log, 1 << 30))),
    ];
    show("reads", &rounds(5, contestants));
}

/// By a [`Lookup`](klamm_log::Lookup) that keeps so many bytes.
fn looked_up<'a>(log: &Log, memory: usize) -> impl FnMut() -> Round<'a> + use<'a> {
    let (mut lookup, mut numbers) = (log.lookup(memory), Numbers(1));
    move || {
        for _ in 0..READS {
            let offset = Offset::from((numbers.next() % COUNT) as u32);
            assert_eq!(lookup.get(offset).expect("readable").expect("there").offset, offset);
        }
        Round::of(READS)
    }
}

/// The same numbers for all.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

const COUNT: u64 = 4_000_000;
const READS: u64 = 50_000;
/// A batch of 16 KiB is behind each index entry.
const BETWEEN_ENTRIES: usize = 16_474;
