//! What records say has become of a group.

use super::group::ConsumerGroup;
use super::record::ConsumerRecord;
use crate::{Departure, GroupKind, News, Notice};

impl ConsumerGroup {
    /// What becomes of the group by records that are not applied yet. Members that go do so for
    /// this reason.
    pub(crate) fn notices(&self, records: &[ConsumerRecord], why: Departure) -> Vec<Notice> {
        let mut members = self.members().len();
        let mut told = Vec::new();
        for record in records {
            let news = match record {
                ConsumerRecord::Member(id, Some(_)) if self.member(id).is_none() => {
                    let news = News::Joined(id.clone());
                    members += usize::from(!told.contains(&news));
                    news
                }
                ConsumerRecord::Member(id, None) => {
                    members = members.saturating_sub(1);
                    News::Gone(id.clone(), why)
                }
                ConsumerRecord::Group(Some(group)) => News::Rebalances(GroupKind::Consumer, group.epoch),
                ConsumerRecord::TargetEpoch(Some(target)) => {
                    News::Assigned(GroupKind::Consumer, target.epoch, members)
                }
                _ => continue,
            };
            // One that takes another's place says twice what it wants.
            if !matches!(news, News::Joined(_)) || !told.contains(&news) {
                told.push(news);
            }
        }
        // Who came or went first, then what follows from it.
        told.sort_by_key(|news| matches!(news, News::Rebalances(..) | News::Assigned(..)));
        told.into_iter().map(|news| Notice { group: self.id.clone(), news }).collect()
    }
}
