//! How the repository reads: each file says at its top what it is for, comments fit a page, files
//! stay small, identifiers of invariants are listed, and dependencies point down.
//!
//! `tests/tidy.txt` lists the files that do not keep a rule yet. It only becomes shorter: a file
//! that is not on the list, or that keeps the rule by now, fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use klamm_tests::document::{root, text};

const ALLOWED: &str = "tests/tidy.txt";
/// Columns of a comment line.
const COMMENT: usize = 100;
/// Lines of a file.
const LINES: usize = 400;
/// Tables, whose length is the number of their rows.
const TABLES: [&str; 1] = ["crates/broker/src/config/table.rs"];
/// Each crate depends on crates before it alone.
const LAYERS: [&str; 7] = ["types", "record", "protocol", "log", "sim", "coordinator", "broker"];

/// A source file: its path from the root of the workspace, and its text.
struct Source {
    path: String,
    text: String,
}

/// All source files that were written by hand.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["crates", "examples", "tests", "benches", "fuzz", "xtask"] {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 300, "{} files", found.len());
    found
}

fn collect(directory: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "generated"].contains(&&*name) {
            collect(&path, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let path = path.strip_prefix(root()).expect("under the root").to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

/// The files that the list allows not to keep a rule.
fn allowed(rule: &str) -> BTreeSet<String> {
    let list = text(ALLOWED);
    let of_rule = list.split("## ").find_map(|section| section.strip_prefix(&format!("{rule}\n")));
    of_rule.unwrap_or_default().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Compares the files that do not keep a rule with those that are allowed not to.
fn check(rule: &str, is_kept: impl Fn(&Source) -> bool) {
    let sources = sources();
    let broken: BTreeSet<_> =
        sources.iter().filter(|source| !is_kept(source)).map(|source| source.path.clone()).collect();
    let allowed = allowed(rule);
    let new: Vec<_> = broken.difference(&allowed).collect();
    let kept: Vec<_> = allowed.difference(&broken).collect();
    assert!(new.is_empty(), "{rule}: not kept by {new:#?}");
    assert!(kept.is_empty(), "{rule}: kept by now, take them off {ALLOWED}: {kept:#?}");
}

#[test]
fn each_file_begins_with_a_header() {
    // The header of a library is its README.
    let has_header = |text: &str| text.starts_with("//!") || text.starts_with("#![");
    check("header", |source| has_header(&source.text));
}

#[test]
fn comments_fit_in_their_columns() {
    check("comments", |source| long_comments(&source.text).is_empty());
}

/// Lines of comments that are too long. Code, rows of tables and commands are as long as they are.
fn long_comments(text: &str) -> Vec<&str> {
    let (mut is_code, mut found) = (false, Vec::new());
    for line in text.lines() {
        let comment = line.trim_start().trim_start_matches(['/', '!']).trim_start();
        let is_comment = line.trim_start().starts_with("//");
        is_code = is_comment && (is_code != comment.starts_with("```"));
        if is_comment && !is_code && !comment.starts_with(['|', '`']) && line.chars().count() > COMMENT {
            found.push(line);
        }
    }
    found
}

#[test]
fn long_comments_are_found_outside_of_code_and_tables() {
    let long = "x ".repeat(60);
    let text = format!(
        "/// {long}\n/// ```\n/// {long}\n/// ```\n//! | {long}\nlet x = 1; // {long}\n    // {long}"
    );
    assert_eq!(long_comments(&text), [format!("/// {long}"), format!("    // {long}")]);
}

#[test]
fn files_are_small() {
    check("lines", |source| TABLES.contains(&&*source.path) || source.text.lines().count() <= LINES);
}

/// Identifiers such as `LOG-2` at the beginning of a message.
fn identifiers(text: &str) -> BTreeSet<String> {
    let is_identifier = |word: &str| {
        let (name, number) = word.split_once('-').unwrap_or_default();
        name.len() > 1
            && name.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let messages = text.split('"').filter_map(|part| part.split_once(": ").map(|(first, _)| first));
    messages.filter(|first| is_identifier(first)).map(str::to_owned).collect()
}

/// The identifiers that INVARIANTS.md lists, in the first column of its tables.
fn listed() -> Vec<String> {
    let document = text("INVARIANTS.md");
    let first = |line: &str| Some(line.strip_prefix("| ")?.split(" |").next()?.to_owned());
    let cells = document.lines().filter_map(first);
    cells.flat_map(|cell| cell.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn invariants_that_assertions_name_are_listed_once() {
    let mut counts = BTreeMap::new();
    listed().into_iter().for_each(|name| *counts.entry(name).or_insert(0) += 1);
    for source in sources() {
        for name in identifiers(&source.text) {
            assert_eq!(counts.get(&name), Some(&1), "{name}, of {}, in INVARIANTS.md", source.path);
        }
    }
}

#[test]
fn the_search_for_identifiers_finds_them() {
    let found = identifiers(r#"assert!(true, "SEG-2: a log has a segment"); expect("no: such") // "LOG: 1""#);
    assert_eq!(found, BTreeSet::from(["SEG-2".to_owned()]));
}

/// The crates of the workspace that a crate depends on, without those of its tests.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = text(&format!("crates/{name}/Cargo.toml"));
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]"));
    let names = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("klamm-"));
    names.map(|line| line.split(['.', ' ']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn dependencies_point_down() {
    for (layer, name) in LAYERS.iter().enumerate() {
        for other in dependencies(name) {
            let below = LAYERS.iter().position(|layer| *layer == other);
            assert!(below.is_some_and(|below| below < layer), "{name} depends on {other}");
        }
    }
    let crates = fs::read_dir(root().join("crates")).expect("crates").count();
    assert_eq!(crates, LAYERS.len(), "each crate has its layer");
}
