//! `docs/operating.md` as its promises: sections, and in each its sentences and table rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The text of a file of the repository.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sentences and table rows of a document in Markdown, by section. Code blocks, and the heads
/// of tables, are not among them.
#[must_use]
pub fn sections(document: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut section, mut paragraph, mut is_code) = (String::new(), String::new(), false);
    for line in document.lines().chain([""]) {
        is_code ^= line.starts_with("```");
        let is_text =
            !is_code && !line.starts_with("```") && !line.starts_with(['|', '#']) && !line.is_empty();
        if is_text {
            paragraph = format!("{paragraph} {}", line.trim());
            continue;
        }
        sections.entry(section.clone()).or_default().extend(sentences(&paragraph));
        paragraph.clear();
        if let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) {
            heading.trim_start_matches('#').trim().clone_into(&mut section);
        } else if let Some(row) = row(line).filter(|_| !is_code) {
            sections.entry(section.clone()).or_default().push(row);
        }
    }
    rows_without_heads(sections, document)
}

/// A line of a table, as it stands.
fn row(line: &str) -> Option<String> {
    (line.starts_with('|') && !line.starts_with("|---")).then(|| line.to_owned())
}

/// The head of a table is the line above its rule.
fn rows_without_heads(
    mut sections: BTreeMap<String, Vec<String>>,
    document: &str,
) -> BTreeMap<String, Vec<String>> {
    let lines: Vec<_> = document.lines().collect();
    let heads: Vec<_> =
        lines.windows(2).filter(|pair| pair[1].starts_with("|---")).map(|pair| pair[0]).collect();
    for parts in sections.values_mut() {
        parts.retain(|part| !heads.contains(&part.as_str()));
    }
    sections.retain(|_, parts| !parts.is_empty());
    sections
}

/// Sentences end with a full stop before a space and a word that can begin a sentence.
fn sentences(paragraph: &str) -> Vec<String> {
    let (mut sentences, mut rest) = (Vec::new(), paragraph.trim());
    while let Some(end) = end_of_sentence(rest) {
        sentences.push(rest[..=end].to_owned());
        rest = rest[end + 1..].trim_start();
    }
    if !rest.is_empty() {
        sentences.push(rest.to_owned());
    }
    sentences
}

fn end_of_sentence(text: &str) -> Option<usize> {
    text.match_indices(". ").map(|(at, _)| at).find(|at| {
        text[at + 2..].chars().next().is_some_and(|next| next.is_uppercase() || matches!(next, '`' | '['))
    })
}

/// The cells of a table row, without the code marks around the first.
#[must_use]
pub fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
}
