//! Topic names that were decoded before, to be shared.

use crate::Topic;

/// Topics that were read already. Whoever names one of them again shares it; mostly they come in
/// the same order.
#[derive(Debug)]
pub(crate) struct KnownTopics<'a> {
    known: &'a [Topic],
    /// The one that is expected.
    next: usize,
}

impl KnownTopics<'_> {
    pub(crate) fn new(known: &[Topic]) -> KnownTopics<'_> {
        KnownTopics { known, next: 0 }
    }

    /// A topic of this name: one of those known, or a new one.
    pub(crate) fn find(&mut self, name: &str) -> Topic {
        let is_it = |at: &usize| self.known.get(*at).is_some_and(|topic| topic.as_str() == name);
        let all = 0..self.known.len().min(FEW);
        let Some(at) = Some(self.next).filter(is_it).or_else(|| all.into_iter().find(is_it)) else {
            return Topic::new(name);
        };
        self.next = at + 1;
        self.known[at].clone()
    }
}

/// So many are looked through.
const FEW: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_shared() {
        let topics = [Topic::new("a"), Topic::new("b"), Topic::new("c")];
        let mut known = KnownTopics::new(&topics);
        for (name, shared) in
            [("a", Some(0)), ("b", Some(1)), ("a", Some(0)), ("d", None), ("c", Some(2)), ("d", None)]
        {
            let found = known.find(name);
            assert_eq!(found.as_str(), name);
            assert_eq!(topics.iter().position(|topic| topic.is_the_same(&found)), shared, "{name}");
        }
    }
}
