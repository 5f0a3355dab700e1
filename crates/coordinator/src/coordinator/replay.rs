//! Loading a coordinator from the records of its log.

use super::{GroupCoordinator, Kind};
use crate::classic::ClassicGroup;
use crate::effects::Effects;
use crate::{ForeignRecord, GroupConfig, GroupRecord, Present};

/// A coordinator in the making: what was logged before a restart, record by record.
#[derive(Clone, Debug, Default)]
pub struct GroupReplay(GroupCoordinator);

impl GroupReplay {
    /// One to which nothing has been applied.
    #[must_use]
    pub fn new(config: GroupConfig) -> GroupReplay {
        GroupReplay(GroupCoordinator::new(config))
    }

    /// The next record of the log.
    pub fn apply(&mut self, record: &GroupRecord) {
        let replace =
            |group: &mut ClassicGroup, value: &_| *group = ClassicGroup::of(group.id.clone(), value);
        self.0.apply_with(record, None, replace);
    }

    /// The next record of the log, where it is of a protocol that is not spoken here.
    pub fn apply_foreign(&mut self, record: ForeignRecord) {
        match record {
            ForeignRecord::There(group) => drop(self.0.foreign.insert(group)),
            ForeignRecord::Gone(group) => drop(self.0.foreign.remove(&group)),
        }
    }

    /// That was all. Members have a whole session to show that they are alive.
    #[must_use]
    pub fn finish(self, present: Present<'_>) -> GroupCoordinator {
        let mut groups = self.0;
        groups.now = present.moment;
        let ids: Vec<_> = groups.groups.keys().cloned().collect();
        for id in ids {
            if let Some((group, ticking)) = groups.consumer_group(&id) {
                group.begin(ticking);
                continue;
            }
            let Kind::Classic(group) = &groups.groups[&id].kind else { continue };
            let members: Vec<_> = group.members().map(|member| member.id.clone()).collect();
            // Nobody waits yet, so that there is nothing to answer.
            let mut out = Effects::default();
            // Too many, or of a group that became classic and has not assigned anything since.
            let have_to_join =
                members.len() > groups.config.max_size || (group.since.is_none() && !members.is_empty());
            groups.turn(&id, present, &mut out, |turn| match have_to_join {
                true => turn.begin_anew(&members),
                false => members.iter().for_each(|member| turn.arm_session(member)),
            });
        }
        groups
    }
}
