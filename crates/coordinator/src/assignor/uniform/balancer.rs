//! Members of a topic, ordered by the number of their partitions.

/// The members of a topic by how much they have of everything: who has least and who has most,
/// while partitions are given and taken. Who is at the same level comes in turn.
#[derive(Debug)]
pub(super) struct Balancer {
    /// By size, then by number.
    members: Vec<usize>,
    /// The first `lower` have `low` or less; the next of them to be given one.
    lower: usize,
    low: isize,
    next_low: usize,
    /// Those from `upper` to `end` have `high` or more; the next of them to be taken from is before
    /// `next_high`.
    upper: usize,
    end: usize,
    high: isize,
    next_high: isize,
}

impl Balancer {
    pub(super) fn new(subscribers: &[usize], sizes: &[usize]) -> Balancer {
        let mut members = subscribers.to_vec();
        members.sort_by_key(|member| (sizes[*member], *member));
        let size = |member: Option<&usize>| member.map_or(0, |member| sizes[*member].cast_signed());
        Balancer {
            lower: 0,
            low: size(members.first()) - 1,
            next_low: 0,
            upper: members.len(),
            end: members.len(),
            high: size(members.last()) + 1,
            next_high: members.len().cast_signed() - 1,
            members,
        }
    }

    /// Who is to be given the next one. The caller gives it.
    pub(super) fn least(&mut self, sizes: &[usize]) -> usize {
        if self.next_low >= self.lower {
            self.low += 1;
            while self.members.get(self.lower).is_some_and(|member| size(sizes, *member) == self.low) {
                self.lower += 1;
            }
            self.next_low = 0;
        }
        self.next_low += 1;
        self.members[self.next_low - 1]
    }

    /// Who is to give one up; `None` when nobody is left who could.
    pub(super) fn most(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.next_high < self.upper.cast_signed() {
            match self.upper.checked_sub(1) {
                // All that had most are excluded: down to the next.
                Some(below) if self.end <= self.upper => self.high = size(sizes, self.members[below]),
                _ => self.high -= 1,
            }
            while self.upper > 0 && size(sizes, self.members[self.upper - 1]) == self.high {
                self.upper -= 1;
            }
            self.next_high = self.end.cast_signed() - 1;
        }
        let at = usize::try_from(self.next_high).ok()?;
        self.next_high -= 1;
        Some(self.members[at])
    }

    /// The member that [`Balancer::most`] has named last gives none.
    pub(super) fn exclude(&mut self) {
        let at = usize::try_from(self.next_high + 1).unwrap_or(0);
        self.members.swap(at, self.end - 1);
        self.end -= 1;
    }

    /// Whether who is given one would have as much as who gives it.
    pub(super) fn is_even(&self) -> bool {
        self.high - self.low <= 1
    }

    /// The same before anything was asked, of the members as they were.
    pub(super) fn is_even_at_first(&self) -> bool {
        (self.high - 1) - (self.low + 1) <= 1
    }
}

fn size(sizes: &[usize], member: usize) -> isize {
    sizes[member].cast_signed()
}
