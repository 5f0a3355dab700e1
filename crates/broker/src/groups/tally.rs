//! Counters of what has happened to groups.

use klamm_coordinator::{Departure, Effects, GroupKind, GroupRecord, News, Notice};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What has become of groups since the broker started, counted; its clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Of classic groups a round that has ended, of others an epoch that has begun, as Kafka counts
    /// them.
    rebalances: Family<KindLabels, Counter>,
    lost_members: Counter,
    commits: Counter,
    forgotten_offsets: Counter,
}

/// Who assigns, by Kafka's name.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct KindLabels {
    pub(crate) protocol: &'static str,
}

impl KindLabels {
    pub(crate) fn of(kind: GroupKind) -> KindLabels {
        KindLabels { protocol: kind.name() }
    }
}

impl Tally {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let rebalances =
            "Rebalances of groups: rounds of classic ones that ended, epochs of others that began";
        registry.register("kafka_server_group_coordinator_rebalance", rebalances, self.rebalances.clone());
        for kind in [GroupKind::Classic, GroupKind::Consumer] {
            drop(self.rebalances.get_or_create(&KindLabels::of(kind)));
        }
        let lost = "Members that were taken out because they were not heard, or too slow";
        registry.register("kafka_server_group_coordinator_lost_members", lost, self.lost_members.clone());
        let commits = "Offsets that groups have committed";
        registry.register("kafka_server_group_coordinator_offset_commit", commits, self.commits.clone());
        let forgotten = "Offsets of groups that expired or were deleted";
        registry.register(
            "kafka_server_group_coordinator_offset_deletion",
            forgotten,
            self.forgotten_offsets.clone(),
        );
    }

    /// Counts what was logged, and puts it in words into the broker's log.
    pub(super) fn note(&self, done: &Effects) {
        done.records.iter().for_each(|record| self.count(record));
        done.notices.iter().for_each(|notice| self.tell(notice));
    }

    fn count(&self, record: &GroupRecord) {
        if let GroupRecord::Offset { committed, .. } = record {
            let counter = if committed.is_some() { &self.commits } else { &self.forgotten_offsets };
            counter.inc();
        }
    }

    fn tell(&self, Notice { group, news }: &Notice) {
        match news {
            News::Assigned(kind @ GroupKind::Classic, ..)
            | News::Rebalances(kind @ GroupKind::Consumer, _) => {
                self.rebalances.get_or_create(&KindLabels::of(*kind)).inc();
            }
            News::Gone(_, Departure::SessionOver | Departure::TooSlow) => drop(self.lost_members.inc()),
            _ => {}
        }
        tracing::info!(?group, "{news}");
    }
}
