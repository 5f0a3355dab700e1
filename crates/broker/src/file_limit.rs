//! Whether the system lets the process open as many files as the settings allow.

use nix::sys::resource::{Resource, getrlimit};

use crate::BrokerConfig;

/// Warns when the process may not open enough files (`RLIMIT_NOFILE`).
pub(crate) fn check(config: &BrokerConfig) {
    // A system that does not say has no limit that could be told.
    let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if let Some(needed) = shortage(config, limit) {
        tracing::warn!(
            limit,
            needed,
            "the limit on open files (ulimit -n) is below max.connections + 2 * log.max.open.files of each directory: \
             connections and records are refused when it is reached"
        );
    }
}

/// The number of files that may be needed, if `limit` is below it. Log files that are in use can be
/// twice `log.max.open.files` in each directory.
fn shortage(config: &BrokerConfig, limit: u64) -> Option<u64> {
    let logs = config.max_open_files.saturating_mul(2).saturating_mul(config.log_dirs.len().max(1));
    let needed = u64::try_from(config.max_connections.saturating_add(logs)).unwrap_or(u64::MAX);
    (limit < needed).then_some(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_the_log_files_of_all_directories_are_counted() {
        let dirs = |count| vec!["d".into(); count];
        let config = |count| BrokerConfig {
            max_connections: 1000,
            max_open_files: 10,
            log_dirs: dirs(count),
            ..BrokerConfig::default()
        };
        for (dirs, limit, want) in
            [(0, 1019, Some(1020)), (1, 1020, None), (3, 1059, Some(1060)), (3, u64::MAX, None)]
        {
            assert_eq!(shortage(&config(dirs), limit), want, "{dirs} directories, limit {limit}");
        }
    }
}
