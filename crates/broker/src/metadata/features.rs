//! The features of the cluster (KIP-584): the levels that this broker supports, and those that are
//! finalized.
//!
//! A level is finalized by a record of the metadata log; without a record it is 0. A directory that
//! a Kafka node wrote may have higher levels than this broker supports. The broker then behaves as
//! at its own highest level and reports that one, and the records stay as they are, for Kafka.

use super::record::MetadataRecord;
use super::{MetadataImage, TopicError};

/// A feature, and its levels that this broker supports.
#[derive(Debug)]
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

/// How the level of a feature is to change, as a request says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FeatureUpdate {
    pub(crate) name: String,
    pub(crate) level: i16,
    pub(crate) direction: Direction,
}

/// Which changes of a level a request allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Upgrade,
    /// A downgrade that loses no metadata.
    SafeDowngrade,
    /// A downgrade that may lose metadata.
    UnsafeDowngrade,
    /// A number that the protocol does not define.
    Unknown,
}

pub(crate) const METADATA_VERSION: &str = "metadata.version";
pub(crate) const GROUP_VERSION: &str = "group.version";
/// The level of `metadata.version` that a new cluster has: Kafka 4.3.
pub(super) const LATEST: i16 = 30;
/// The lowest supported level of `metadata.version`: Kafka 3.3.
pub(super) const OLDEST: i16 = 7;

/// All features, by name. Those of what this broker lacks have only level 0.
pub(crate) const FEATURES: [Feature; 7] = [
    Feature::of("eligible.leader.replicas.version", 0, 0),
    Feature::of(GROUP_VERSION, 0, 1),
    Feature::of("kraft.version", 0, 0),
    Feature::of(METADATA_VERSION, OLDEST, LATEST),
    Feature::of("share.version", 0, 0),
    Feature::of("streams.version", 0, 0),
    Feature::of("transaction.version", 0, 0),
];

/// The levels that a new data directory begins with. `metadata.version` must come first.
pub(super) const INITIAL: [(&str, i16); 2] = [(METADATA_VERSION, LATEST), (GROUP_VERSION, 1)];

impl Feature {
    const fn of(name: &'static str, min: i16, max: i16) -> Feature {
        Feature { name, min, max }
    }

    /// The level in force, which is not above the highest supported one.
    pub(crate) fn level(&self, image: &MetadataImage) -> i16 {
        image.feature(self.name).unwrap_or(0).min(self.max)
    }
}

impl MetadataImage {
    /// Whether consumer-protocol groups (KIP-848) are enabled: `group.version` is 1 or higher.
    pub(crate) fn has_consumer_protocol(&self) -> bool {
        self.feature(GROUP_VERSION).is_some_and(|level| level >= 1)
    }

    /// The features whose finalized level this broker does not support, in words; `None` when there
    /// are none.
    pub(crate) fn unsupported_features(&self) -> Option<String> {
        let above = FEATURES.iter().filter_map(|feature| {
            let found = self.feature(feature.name).filter(|level| *level > feature.max)?;
            Some(format!("{} {found} (reported as {})", feature.name, feature.max))
        });
        let above: Vec<_> = above.collect();
        (!above.is_empty()).then(|| above.join(", "))
    }
}

/// The records that change the levels of features, all or none.
pub(super) fn plan_features(
    image: &MetadataImage,
    node: i32,
    updates: &[FeatureUpdate],
) -> Result<Vec<MetadataRecord>, TopicError> {
    let mut records = Vec::new();
    for update in updates {
        check(image, node, update).map_err(|reason| TopicError::Feature { reason })?;
        if image.feature(&update.name).unwrap_or(0) != update.level {
            records.push(MetadataRecord::Feature { name: update.name.clone(), level: update.level });
        }
    }
    Ok(records)
}

/// Kafka's checks, in its order and words.
fn check(image: &MetadataImage, node: i32, update: &FeatureUpdate) -> Result<(), String> {
    let FeatureUpdate { name, level, direction } = update;
    let invalid = |reason: &str| Err(format!("Invalid update version {level} for feature {name}. {reason}"));
    let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else {
        return match level {
            0 => invalid(&format!("Feature {name} not found.")),
            _ => invalid(&format!("Local controller {node} does not support this feature.")),
        };
    };
    let (min, max, current) = (feature.min, feature.max, image.feature(name).unwrap_or(0));
    match direction {
        Direction::Unknown => invalid("The controller does not support the given upgrade type."),
        _ if *level < 0 => invalid("A feature version cannot be less than 0."),
        _ if !(min..=max).contains(level) => {
            invalid(&format!("Local controller {node} only supports versions {min}-{max}"))
        }
        Direction::Upgrade if *level < current => invalid(DOWNGRADE),
        Direction::SafeDowngrade | Direction::UnsafeDowngrade if *level > current => {
            invalid("Can't downgrade to a newer version.")
        }
        _ if name == METADATA_VERSION && *level < current => Err(format!(
            "Unsupported metadata.version downgrade from {current} to {level}. {}",
            lost(*direction)
        )),
        _ => Ok(()),
    }
}

const DOWNGRADE: &str = "Can't downgrade the version of this feature without setting the upgrade type to either safe \
                         or unsafe downgrade.";

/// Kafka 4.3 refuses each downgrade from its own level, which added metadata.
fn lost(direction: Direction) -> &'static str {
    match direction {
        Direction::UnsafeDowngrade => "Unsafe metadata downgrade is not supported in this version.",
        _ => "Refusing to perform the requested downgrade because it might delete metadata information.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(levels: &[(&str, i16)]) -> MetadataImage {
        let mut image = MetadataImage::default();
        for (name, level) in levels {
            image.apply(&MetadataRecord::Feature { name: (*name).to_owned(), level: *level });
        }
        image
    }

    #[test]
    fn levels_are_checked_as_kafka_checks_them() {
        use Direction::{SafeDowngrade, Unknown, UnsafeDowngrade, Upgrade};
        let image = image(&[(METADATA_VERSION, 20), (GROUP_VERSION, 1), ("transaction.version", 2)]);
        let plan = |name: &str, level, direction| {
            let update = FeatureUpdate { name: name.to_owned(), level, direction };
            let planned = plan_features(&image, 1, &[update]);
            planned.map(|records| records.len()).map_err(|error| error.to_string())
        };
        let all = "The update failed for all features since the following feature had an error:";
        let refused = |words: &str| Err(format!("{all} {words}"));
        for (name, level, direction, want) in [
            (GROUP_VERSION, 1, Upgrade, Ok(0)),
            (GROUP_VERSION, 0, SafeDowngrade, Ok(1)),
            (GROUP_VERSION, 0, UnsafeDowngrade, Ok(1)),
            (
                GROUP_VERSION,
                0,
                Upgrade,
                refused(&format!("Invalid update version 0 for feature group.version. {DOWNGRADE}")),
            ),
            (
                GROUP_VERSION,
                2,
                Upgrade,
                refused(
                    "Invalid update version 2 for feature group.version. Local controller 1 only supports versions 0-1",
                ),
            ),
            (
                GROUP_VERSION,
                0,
                Unknown,
                refused(
                    "Invalid update version 0 for feature group.version. The controller does not support the given upgrade type.",
                ),
            ),
            (METADATA_VERSION, 30, Upgrade, Ok(1)),
            (
                METADATA_VERSION,
                21,
                SafeDowngrade,
                refused(
                    "Invalid update version 21 for feature metadata.version. Can't downgrade to a newer version.",
                ),
            ),
            (
                METADATA_VERSION,
                19,
                SafeDowngrade,
                refused(
                    "Unsupported metadata.version downgrade from 20 to 19. Refusing to perform the requested downgrade because it might delete metadata information.",
                ),
            ),
            ("transaction.version", 0, SafeDowngrade, Ok(1)),
            (
                "transaction.version",
                2,
                Upgrade,
                refused(
                    "Invalid update version 2 for feature transaction.version. Local controller 1 only supports versions 0-0",
                ),
            ),
            (
                "no.such",
                0,
                SafeDowngrade,
                refused("Invalid update version 0 for feature no.such. Feature no.such not found."),
            ),
            (
                "no.such",
                1,
                Upgrade,
                refused(
                    "Invalid update version 1 for feature no.such. Local controller 1 does not support this feature.",
                ),
            ),
        ] {
            assert_eq!(plan(name, level, direction), want, "{name} {level} {direction:?}");
        }
    }

    #[test]
    fn levels_above_the_supported_ones_are_reported_lower() {
        let image = image(&[(METADATA_VERSION, 30), ("transaction.version", 2), ("share.version", 1)]);
        let levels = FEATURES.iter().map(|feature| (feature.name, feature.level(&image)));
        assert_eq!(levels.filter(|(_, level)| *level > 0).collect::<Vec<_>>(), [(METADATA_VERSION, 30)]);
        let words = "share.version 1 (reported as 0), transaction.version 2 (reported as 0)";
        assert_eq!(image.unsupported_features().as_deref(), Some(words));
    }
}
