//! An expression that is ready to be matched. The engine's time is linear in what is matched, and
//! bounded: one that needs more room than there is, or has the engine begin anew again and again,
//! is given up.

use std::collections::BTreeSet;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::re2::for_the_engine;
use crate::Topic;

/// Matches whole names.
#[derive(Debug)]
pub(super) struct Pattern(DFA);

impl Pattern {
    /// `None` when it cannot be read, or is too large.
    pub(super) fn new(expression: &str) -> Option<Pattern> {
        let text = &for_the_engine(expression)?;
        // By itself first: what is no expression may be one with something around it.
        let is_one =
            [false, true].into_iter().any(|unicode| syntax::parse_with(text, &syntax(unicode)).is_ok());
        let whole = is_one.then(|| format!(r"\A(?:{text})\z"))?;
        // Names are ASCII, so that its classes are, unless it names others.
        build(&whole, false).or_else(|| build(&whole, true)).map(Pattern)
    }

    /// Those of the names that match; `None` when that takes too much.
    pub(super) fn matched<'a>(&self, names: impl IntoIterator<Item = &'a Topic>) -> Option<BTreeSet<Topic>> {
        let mut cache = self.0.create_cache();
        let mut matched = BTreeSet::new();
        for name in names {
            if self.is_match(&mut cache, name.as_str())? {
                matched.insert(name.clone());
            }
        }
        Some(matched)
    }

    fn is_match(&self, cache: &mut Cache, name: &str) -> Option<bool> {
        let input = Input::new(name).anchored(Anchored::Yes).earliest(true);
        self.0.try_search_fwd(cache, &input).ok().map(|found| found.is_some())
    }
}

fn syntax(unicode: bool) -> syntax::Config {
    syntax::Config::new().unicode(unicode).utf8(false).nest_limit(NESTED)
}

fn build(text: &str, unicode: bool) -> Option<DFA> {
    let bounded = DFA::config()
        .cache_capacity(CACHE)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(Some(TURNS))
        .minimum_bytes_per_state(Some(USES))
        .unicode_word_boundary(true);
    DFA::builder()
        .configure(bounded)
        .syntax(syntax(unicode))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(LARGEST)))
        .build(text)
        .ok()
}

/// Bytes of a compiled expression, at most.
const LARGEST: usize = 1 << 20;
/// Bytes of what the engine notes of it while it matches.
const CACHE: usize = 1 << 20;
/// How often it forgets all that before it is asked whether it is of use.
const TURNS: usize = 16;
/// Letters for each note, at least, for it to be of use.
const USES: usize = 10;
/// Groups in groups.
const NESTED: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(expression: &str, name: &str) -> Option<bool> {
        let name = Topic::new(name);
        Pattern::new(expression)?.matched([&name]).map(|matched| !matched.is_empty())
    }

    #[test]
    fn whole_names_are_matched() {
        for (expression, name, want) in [
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
            assert_eq!(matches(expression, name), Some(want), "{expression} {name}");
        }
    }

    /// `tests/kafka/oracle/Expressions.java` has asked it.
    #[test]
    fn expressions_mean_what_they_do_to_kafka() {
        let mut lines = include_str!("expressions.txt").lines();
        let names: Vec<_> = lines.next().unwrap().split(' ').skip(1).collect();
        let told = |line: &str| {
            let expression = line.split_once('\t').unwrap().0;
            let matched = |name: &&&str| matches(expression, name) == Some(true);
            let matched = names.iter().filter(matched).copied().collect::<Vec<_>>().join(" ");
            let is_one = Pattern::new(expression).is_some();
            format!("{expression}\t{}", if is_one { matched } else { "none".to_owned() })
        };
        let others: Vec<_> =
            lines.map(|line| (told(line), line)).filter(|(told, line)| told != line).collect();
        assert!(others.is_empty(), "{others:#?}");
    }

    #[test]
    fn what_cannot_be_read_or_grows_is_refused() {
        for expression in [
            "(",
            "a)|(?:b",
            "a{1000}{1000}",
            "(?=look)ahead",
            r"(a)\1",
            &"(".repeat(1000),
            "[o--]",
            &"a?".repeat(100_000),
        ] {
            assert_eq!(matches(expression, "a"), None, "{}", &expression[..expression.len().min(20)]);
        }
    }

    #[test]
    fn what_would_blow_up_elsewhere_does_not_here() {
        let name = "a".repeat(249);
        assert_eq!(matches("(a+)+b", &name), Some(false));
        assert_eq!(matches("(a|aa)*c", &name), Some(false));
    }

    /// Linear, and still seconds of work for a thousand names: it took 7 before it was given up.
    #[test]
    fn what_takes_too_much_is_given_up() {
        let names: Vec<Topic> =
            (0..1000).map(|number| Topic::new(&format!("{}{number}", "a".repeat(243)))).collect();
        let expression = Pattern::new("(?:a?b?c?d?){900}x").unwrap();
        assert_eq!(expression.matched(&names), None);
    }

    #[test]
    fn what_people_write_is_matched_with_ten_thousand_topics() {
        let names: Vec<Topic> = (0..10_000)
            .map(|number| {
                let part = |of: &[&'static str], by: usize| of[number / by % of.len()];
                let (area, kind) = (part(&["eu", "us", "ap"], 1), part(&["events", "commands", "Orders"], 3));
                let (stage, team) =
                    (part(&["prod", "dev"], 9), (number * 7919 % 10_007) as u64 * 2_654_435_761);
                Topic::new(&format!("{area}.team-{team:x}-{stage}-{number}.{kind}.v{}", number % 13))
            })
            .collect();
        for expression in [
            ".*-(prod|dev)-[a-z0-9-]{1,200}.*",
            "(?i).*orders?.*v[0-9]{1,4}",
            "[a-zA-Z0-9._-]{1,249}",
            r"^(eu|us)\..*\.(events|commands)\.v\d+$",
            ".*a.*b.*c.*d.*",
            "(?:.*a){3}.*|(?:.*b){3}.*",
        ] {
            let matched = Pattern::new(expression).unwrap().matched(&names);
            assert!(matched.is_some_and(|matched| !matched.is_empty()), "{expression}");
        }
    }

    /// As long as what it says is of use to many names, its length does not matter.
    #[test]
    fn a_long_list_of_names_is_matched() {
        let names: Vec<Topic> =
            (0..1000).map(|number| Topic::new(&format!("orders-of-region-{number}"))).collect();
        let list = names.iter().map(Topic::as_str).collect::<Vec<_>>().join("|");
        assert_eq!(Pattern::new(&list).unwrap().matched(&names).unwrap().len(), 1000);
    }
}
