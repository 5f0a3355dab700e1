//! Files that tell what happens and what comes of it: lines that begin with a word are done, lines
//! that are indented are what was said.

use std::path::{Path, PathBuf};

/// Runs each file of a folder beside the tests. With `UPDATE=1` what is said now is written.
pub fn check_folder(name: &str, least: usize, run: impl Fn(&str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= least, "{} scenarios", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let told = run(&text);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &told).unwrap();
            continue;
        }
        assert!(told == text, "{}:\n{}", file.display(), difference(&text, &told));
    }
}

/// Does each line, and writes what is said behind it.
pub fn tell(text: &str, mut act: impl FnMut(&[&str]) -> Vec<String>) -> String {
    let mut told = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        told += &format!("{line}\n");
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with('#') && !words.is_empty() {
            told.extend(act(&words).into_iter().map(|said| format!("  {said}\n")));
        }
    }
    told
}

fn difference(want: &str, got: &str) -> String {
    let (want, got): (Vec<_>, Vec<_>) = (want.lines().collect(), got.lines().collect());
    let at = want.iter().zip(&got).take_while(|(want, got)| want == got).count();
    let from =
        |lines: &[&str]| lines.iter().skip(at).take(8).map(|line| format!("{line}\n")).collect::<String>();
    format!("line {}, expected\n{}got\n{}", at + 1, from(&want), from(&got))
}
