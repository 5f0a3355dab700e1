//! The damage matrix: every small file and every batch header is damaged in every way, after a
//! clean stop and after a kill, in a log with retention and in a compacted one. Each case either
//! serves exactly what was acknowledged, or the damaged file or its log is named. What cannot be
//! detected is listed with its reason.
//!
//! One of 61 bits is flipped; with `KLAMM_DAMAGE=all` each is. All other cases are in both forms.
#![allow(unreachable_pub)]

mod copies;
mod damages;
mod served;
#[path = "../support/mod.rs"]
mod support;
mod undetected;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};

use damages::{Damage, damages, file_kind};
use klamm_log::CleanupPolicy;
use served::{Seen, look};
use undetected::undetected;
use world::{World, world};

/// Cases of one kind of file and damage.
#[derive(Default)]
struct Count {
    cases: usize,
    served: usize,
    /// Opening or reading names the file or its log.
    named: usize,
    /// Verifying alone names it.
    found: usize,
    undetected: BTreeMap<&'static str, usize>,
}

#[derive(Default)]
struct Matrix {
    rows: BTreeMap<(String, &'static str), Count>,
    silent: Vec<String>,
}

impl Matrix {
    fn note(&mut self, world: &World, path: &str, damage: &Damage, sound: &Seen, seen: &Seen) {
        let count = self.rows.entry((file_kind(path).to_owned(), damage.kind)).or_default();
        count.cases += 1;
        if seen.served == sound.served {
            count.served += 1;
        } else if is_named(path, &sound.reports, &seen.reports) {
            count.named += 1;
        } else if is_named(path, &sound.findings, &seen.findings) {
            count.found += 1;
        } else if let Some(reason) = undetected(world, path, damage, &different_answers(sound, seen)) {
            *count.undetected.entry(reason).or_default() += 1;
        } else {
            let difference = first_difference(sound, seen);
            self.silent
                .push(format!("{}: {path} {} {}: {difference}", world.name, damage.kind, damage.detail));
        }
    }

    fn print(&self) {
        println!("| file | damage | cases | served exactly | named | named by verify | undetected |");
        println!("|---|---|---|---|---|---|---|");
        for ((file, kind), count) in &self.rows {
            println!("| `{file}` | {kind} | {count} |");
        }
        let total = self.rows.values().fold(Count::default(), Count::plus);
        println!("| all | | {total} |");
        println!("{} silent", self.silent.len());
    }
}

impl Count {
    fn plus(mut self, other: &Count) -> Count {
        self.cases += other.cases;
        self.served += other.served;
        self.named += other.named;
        self.found += other.found;
        for (reason, count) in &other.undetected {
            *self.undetected.entry(reason).or_default() += count;
        }
        self
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let undetected: Vec<_> = self.undetected.iter().map(|(why, n)| format!("{n} {why}")).collect();
        let Count { cases, served, named, found, .. } = self;
        write!(f, "{cases} | {served} | {named} | {found} | {}", undetected.join(", "))
    }
}

/// Whether a report that a sound directory does not have names the file, or the directory of its
/// log.
fn is_named(path: &str, sound: &[String], seen: &[String]) -> bool {
    let (log, name) = path.rsplit_once('/').unwrap_or(("t-0", path));
    let log = format!("/d/{log}");
    let mut new = seen.iter().filter(|report| !sound.contains(report));
    new.any(|report| report.contains(name) || report.contains(&log))
}

/// The kinds of answers that only one of the two has.
fn different_answers<'a>(sound: &'a Seen, seen: &'a Seen) -> Vec<&'a str> {
    let kind = |answer: &'a String| answer.split(':').next().unwrap_or_default();
    let only =
        |a: &'a Seen, b: &Seen| a.served.iter().filter(|one| !b.served.contains(one)).map(kind).collect();
    let kinds: [BTreeSet<&str>; 2] = [only(sound, seen), only(seen, sound)];
    kinds.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

fn first_difference(sound: &Seen, seen: &Seen) -> String {
    let pairs = sound.served.iter().zip(seen.served.iter().map(Some).chain(std::iter::repeat(None)));
    let mut different = pairs.filter(|(want, got)| Some(*want) != *got);
    let found = different.next().map(|(want, got)| format!("want {want:.160}, got {got:.160?}"));
    format!("{}; reports {:.200?}", found.unwrap_or_default(), seen.reports)
}

#[test]
fn damage_is_harmless_or_named() {
    let pace = if std::env::var_os("KLAMM_DAMAGE").is_some_and(|form| form == "all") { 1 } else { 61 };
    let mut matrix = Matrix::default();
    for policy in [CleanupPolicy::Delete, CleanupPolicy::Compact] {
        for killed in [false, true] {
            let world = world(policy, killed);
            let sound = look(&world, &world.image);
            assert_eq!(sound.served, look(&world, &world.image).served, "{}", world.name);
            for (path, bytes) in &world.image {
                let all = damages(path, bytes, &world.older, pace);
                for damage in &all {
                    let mut image = world.image.clone();
                    match &damage.content {
                        Some(content) => drop(image.insert(path.clone(), content.clone())),
                        None => drop(image.remove(path)),
                    }
                    matrix.note(&world, path, damage, &sound, &look(&world, &image));
                }
            }
        }
    }
    matrix.print();
    assert!(matrix.silent.is_empty(), "{}", matrix.silent.join("\n"));
}
