//! The expressions of a group: which can be used, and which topics they match.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::Draft;
use super::pattern::Pattern;
use super::record::{ConsumerRecord, Resolved};
use crate::{GroupError, Topic};

/// Matches what has not been, or has been with other topics. Whether any matches other topics than
/// before.
///
/// # Errors
/// When the member's own is new to the group, and cannot be used with these topics. What the group
/// has is known to be good.
pub(super) fn resolve(draft: &mut Draft<'_>) -> Result<bool, GroupError> {
    let (group, catalog) = (draft.group, draft.catalog);
    let is_old = draft.are_topics_others();
    let used: BTreeSet<Arc<str>> = draft.used_regexes().cloned().collect();
    let is_due = |regex: &Arc<str>| !regex.is_empty() && (is_old || !group.regexes.contains_key(regex));
    let due: Vec<_> = used.into_iter().filter(is_due).collect();
    let names = if due.is_empty() { Vec::new() } else { catalog.names() };
    let before = draft.regexes.len();
    for regex in due {
        let known = group.regexes.get(&regex).map(|known| &known.topics);
        let matched = matched(&regex, &names);
        if matched.is_none() && regex == draft.said().regex && group.wanted.users(&regex) == 0 {
            return Err(GroupError::InvalidRegularExpression);
        }
        // What takes too much with the topics that there are now matches those that it did.
        let topics = matched.or_else(|| known.cloned()).unwrap_or_default();
        if known == Some(&topics) {
            continue;
        }
        let version = i64::try_from(catalog.version()).unwrap_or(i64::MAX);
        let resolved = Resolved { topics, version, at: draft.time };
        draft.records.push(ConsumerRecord::Regex(Arc::clone(&regex), Some(resolved.clone())));
        draft.regexes.insert(regex, Some(resolved));
    }
    Ok(draft.regexes.len() > before)
}

/// `None` for one that cannot be read, of a later version perhaps, or takes too much.
fn matched(regex: &str, names: &[Topic]) -> Option<BTreeSet<Topic>> {
    Pattern::new(regex)?.matched(names)
}
