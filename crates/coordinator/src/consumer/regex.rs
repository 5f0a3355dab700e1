//! Expressions for topics, matched by the coordinator. The engine takes time that is linear in what is matched, and an expression that needs
//! more room than there is for one is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use super::draft::Draft;
use super::group::ConsumerGroup;
use super::re2::for_the_engine;
use super::record::{ConsumerRecord, Resolved};
use crate::{GroupError, Topic};

/// Whether an expression can be used. What the group has is known to be good.
pub(super) fn check(group: &ConsumerGroup, regex: &Arc<str>) -> Result<(), GroupError> {
    if regex.is_empty() || group.wanted.users(regex) > 0 || compile(regex).is_some() {
        return Ok(());
    }
    Err(GroupError::InvalidRegularExpression)
}

/// Matches what has not been, or has been with other topics. Whether any matches other topics than before.
pub(super) fn resolve(draft: &mut Draft<'_>) -> bool {
    let (group, catalog) = (draft.group, draft.catalog);
    let is_old = draft.are_topics_others();
    let used: BTreeSet<Arc<str>> = draft.used_regexes().cloned().collect();
    let is_due = |regex: &Arc<str>| !regex.is_empty() && (is_old || !group.regexes.contains_key(regex));
    let due: Vec<_> = used.into_iter().filter(is_due).collect();
    let names = if due.is_empty() { Vec::new() } else { catalog.names() };
    let before = draft.regexes.len();
    for regex in due {
        let topics = matched(&regex, &names);
        if group.regexes.get(&regex).is_some_and(|known| known.topics == topics) {
            continue;
        }
        let version = i64::try_from(catalog.version()).unwrap_or(i64::MAX);
        let resolved = Resolved { topics, version, at: draft.time };
        draft.records.push(ConsumerRecord::Regex(Arc::clone(&regex), Some(resolved.clone())));
        draft.regexes.insert(regex, Some(resolved));
    }
    draft.regexes.len() > before
}

/// One that cannot be read, of a later version perhaps, matches nothing.
fn matched(regex: &str, names: &[Topic]) -> BTreeSet<Topic> {
    let Some(regex) = compile(regex) else { return BTreeSet::new() };
    names.iter().filter(|name| regex.is_match(name.as_str().as_bytes())).cloned().collect()
}

/// Of the whole name. Names are ASCII, so that its classes are, unless it names others.
fn compile(regex: &str) -> Option<Regex> {
    let build = |text: &str, unicode: bool| {
        let mut builder = RegexBuilder::new(text);
        builder
            .unicode(unicode)
            .size_limit(SIZE_LIMIT)
            .dfa_size_limit(DFA_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .ok()
    };
    let either = |text: &str| build(text, false).or_else(|| build(text, true));
    let regex = &for_the_engine(regex)?;
    // By itself first: what is no expression may be one with something around it.
    either(regex)?;
    either(&format!(r"\A(?:{regex})\z"))
}

/// Bytes of a compiled expression, at most.
const SIZE_LIMIT: usize = 1 << 20;
/// Bytes of what the engine makes of it while it matches.
const DFA_LIMIT: usize = 1 << 20;
/// Groups in groups.
const NEST_LIMIT: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(regex: &str, name: &str) -> Option<bool> {
        compile(regex).map(|regex| regex.is_match(name.as_bytes()))
    }

    #[test]
    fn whole_names_are_matched() {
        for (regex, name, want) in [
            ("t.*", "topic", true),
            ("t", "topic", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            (r"\w+-\d{1,3}", "orders-17", true),
            (r"(?i)ORDERS", "orders", true),
            (r"[\p{Greek}a-z]+", "orders", true),
            ("", "orders", false),
            (r"\Qa.b\E.*", "a.bc", true),
            (r"\Qa.b", "axb", false),
            (r"\\Q", "Q", false),
            ("[a-z&&[^x]]+", "a", false),
            ("[a-z&&x]+", "orders", true),
            ("[+--o]+rders", "orders", true),
        ] {
            assert_eq!(matches(regex, name), Some(want), "{regex} {name}");
        }
    }

    /// `tests/kafka/oracle/Expressions.java` has asked it.
    #[test]
    fn expressions_mean_what_they_do_to_kafka() {
        let mut lines = include_str!("expressions.txt").lines();
        let names: Vec<_> = lines.next().unwrap().split(' ').skip(1).collect();
        let told = |line: &str| {
            let expression = line.split_once('\t').unwrap().0;
            let matched = compile(expression).map_or("none".to_owned(), |regex| {
                let matched = names.iter().filter(|name| regex.is_match(name.as_bytes()));
                matched.copied().collect::<Vec<_>>().join(" ")
            });
            format!("{expression}\t{matched}")
        };
        let others: Vec<_> =
            lines.map(|line| (told(line), line)).filter(|(told, line)| told != line).collect();
        assert!(others.is_empty(), "{others:#?}");
    }

    #[test]
    fn what_cannot_be_read_or_grows_is_refused() {
        for regex in [
            "(",
            "a)|(?:b",
            "a{1000}{1000}",
            "(?=look)ahead",
            r"(a)\1",
            &"(".repeat(1000),
            "[o--]",
            &"a?".repeat(100_000),
        ] {
            assert_eq!(matches(regex, "a"), None, "{}", &regex[..regex.len().min(20)]);
        }
    }

    #[test]
    fn what_would_blow_up_elsewhere_does_not_here() {
        let name = "a".repeat(249);
        assert_eq!(matches("(a+)+b", &name), Some(false));
        assert_eq!(matches("(a|aa)*c", &name), Some(false));
    }
}
