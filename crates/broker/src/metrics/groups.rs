//! Figures of groups: how many there are in each state, their members, and how far behind the end
//! they read.

use std::sync::Arc;

use klamm_coordinator::{GroupKind, GroupState};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::groups::{GroupFigures, Groups, KindLabels, Standing, Tally};
use crate::metadata::Metadata;

/// Looked up whenever they are read.
#[derive(Debug, Default)]
pub(super) struct GroupMetrics {
    pub(super) tally: Tally,
    partitions: Family<StateLabels, Gauge>,
    groups: Family<StateLabels, Gauge>,
    kinds: Family<KindLabels, Gauge>,
    standing: Family<StandingLabels, Gauge>,
    members: Family<GroupLabels, Gauge>,
    committed: Family<OffsetLabels, Gauge>,
    lag: Family<OffsetLabels, Gauge>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct GroupLabels {
    group: String,
}

/// Where one group stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StandingLabels {
    group: String,
    protocol: &'static str,
    state: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OffsetLabels {
    group: String,
    topic: String,
    partition: u32,
}

impl GroupMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kafka_server_group_coordinator_num_partitions",
            "Partitions of __consumer_offsets by whether their groups are served; those of a failed one are not",
            self.partitions.clone(),
        );
        registry.register(
            "kafka_coordinator_group_groupmetadatamanager_numgroups",
            "Groups in a state",
            self.groups.clone(),
        );
        registry.register(
            "kafka_server_group_coordinator_group_count",
            "Groups by who assigns: a member (classic), or the broker (consumer)",
            self.kinds.clone(),
        );
        self.tally.register(registry);
        registry.register(
            "kafka_consumergroup_state",
            "1 for the state in which a group is, and for who assigns",
            self.standing.clone(),
        );
        registry.register("kafka_consumergroup_members", "Members of a group", self.members.clone());
        registry.register(
            "kafka_consumergroup_current_offset",
            "The offset that a group has committed",
            self.committed.clone(),
        );
        registry.register(
            "kafka_consumergroup_lag",
            "Offsets between what a group has committed and the end of the partition",
            self.lag.clone(),
        );
    }

    /// Notes what there is now.
    pub(super) fn look_up(&self, groups: &Arc<Groups>, metadata: &Metadata) {
        self.look_up_partitions(&groups.standings());
        self.look_up_groups(&groups.figures(), metadata);
    }

    fn look_up_partitions(&self, standings: &[Standing]) {
        for standing in Standing::ALL {
            let count = standings.iter().filter(|found| **found == standing).count();
            let labels = StateLabels { state: standing.name() };
            self.partitions.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn look_up_groups(&self, groups: &[GroupFigures], metadata: &Metadata) {
        self.standing.clear();
        self.members.clear();
        [&self.committed, &self.lag].into_iter().for_each(Family::clear);
        for state in GroupState::ALL {
            let count = groups.iter().filter(|group| group.state == state).count();
            let labels = StateLabels { state: state.name() };
            self.groups.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for kind in [GroupKind::Classic, GroupKind::Consumer] {
            let count = groups.iter().filter(|group| group.kind == kind).count();
            self.kinds.get_or_create(&KindLabels::of(kind)).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        groups.iter().for_each(|group| self.note(group, metadata));
    }

    fn note(&self, group: &GroupFigures, metadata: &Metadata) {
        let name = group.group.to_string();
        let (protocol, state) = (group.kind.name(), group.state.name());
        self.standing.get_or_create(&StandingLabels { group: name.clone(), protocol, state }).set(1);
        let members = i64::try_from(group.members).unwrap_or(i64::MAX);
        self.members.get_or_create(&GroupLabels { group: name.clone() }).set(members);
        let image = metadata.image();
        for (topic, partition, committed) in &group.offsets {
            let Ok(number) = u32::try_from(*partition) else { continue };
            let labels = OffsetLabels { group: name.clone(), topic: topic.to_string(), partition: number };
            self.committed.get_or_create(&labels).set(committed.get());
            let log = image.topic(topic.as_str()).and_then(|topic| metadata.log(topic, *partition).ok());
            if let Some(log) = log {
                self.lag.get_or_create(&labels).set(log.bounds().end().since(*committed).max(0));
            }
        }
    }
}
