//! The folders of the logs (`log.dirs`). One that fails when the broker starts takes its partitions
//! with it; the others go on.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_log::disk::Disk;
use klamm_log::{
    Background, CleanerConfig, DirConfig, KnownLogs, Log, LogDir, LogError, NewLog, Observer, OpenError,
};
use klamm_protocol::Uuid;
use klamm_types::{Timestamp, TopicPartition};
use parking_lot::Mutex;

use crate::config::BrokerConfig;
use crate::directory::is_dir;
use crate::environment::Environment;
use crate::failures::Failures;
use crate::metadata::{Identity, IdentityError};

/// All folders.
#[derive(Debug)]
pub(crate) struct Storage {
    disk: Arc<dyn Disk>,
    folders: Vec<Folder>,
    /// Partitions whose log cannot be opened, and why.
    offline: Mutex<BTreeMap<TopicPartition, String>>,
    failures: Arc<Failures>,
}

/// One folder.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Its `directory.id`; zero for one that failed before it was read.
    pub(crate) id: Uuid,
    /// `None` for one that failed.
    logs: Option<LogDir>,
}

/// Partitions in each directory that did not fail, and the ids of the directories.
#[derive(Clone, Debug)]
pub(crate) struct Placer(Vec<(usize, Uuid)>);

/// A log that is to be created, and the id of the directory for it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) home: Uuid,
    pub(crate) log: NewLog,
}

/// Syncs, retention and compaction in all folders, as long as it lives.
#[derive(Debug)]
pub(crate) struct Maintenance(#[allow(dead_code)] Vec<Background>);

impl Storage {
    /// Opens the folders at `paths`, the first of which must not fail. `logs` is what the metadata
    /// log says of the logs in them.
    pub(crate) fn open(
        paths: &[PathBuf],
        config: &BrokerConfig,
        environment: &Environment,
        logs: KnownLogs,
    ) -> Result<(Storage, Identity), StorageError> {
        // A new folder joins the cluster that the others belong to, wherever it stands.
        let disk = Arc::clone(&environment.disk);
        let known = paths.iter().find_map(|path| Identity::load(&*disk, path, config.node_id).ok().flatten());
        let mut identity = None;
        let (mut folders, failures) = (Vec::new(), Arc::new(Failures::default()));
        let logs = Arc::new(logs);
        for path in paths {
            match open_folder(
                path,
                DirConfig { known: Arc::clone(&logs), ..dir_config(config, environment, &failures) },
                config.node_id,
                known.as_ref().or(identity.as_ref()),
            ) {
                Ok((folder, own)) => {
                    identity.get_or_insert(own);
                    folders.push(folder);
                }
                Err(error) if error.is_of_the_disk() && identity.is_some() => {
                    tracing::error!(folder = %path.display(), %error, "a folder of log.dirs failed; its partitions are offline");
                    folders.push(Folder { path: path.clone(), id: Uuid::ZERO, logs: None });
                }
                Err(error) => return Err(error),
            }
        }
        let identity = identity.ok_or(StorageError::NoFolder)?;
        Ok((Storage { disk, folders, offline: Mutex::default(), failures }, identity))
    }

    /// Takes a partition offline, whose log cannot be opened or belongs to another topic.
    pub(crate) fn take_offline(&self, partition: &TopicPartition, reason: &dyn Error) {
        self.dirs().for_each(|dir| dir.release(partition));
        let known = self.offline.lock().insert(partition.clone(), reason.to_string());
        if known.is_none() {
            tracing::error!(%partition, %reason, "a partition is offline; the others are served");
        }
    }

    /// Notes that a partition is not offline any more: its log is open, or gone with its topic.
    pub(crate) fn forget_offline(&self, partition: &TopicPartition) {
        self.offline.lock().remove(partition);
    }

    /// The partitions whose log cannot be opened, and why.
    pub(crate) fn offline(&self) -> Vec<(TopicPartition, String)> {
        self.offline.lock().iter().map(|(partition, reason)| (partition.clone(), reason.clone())).collect()
    }

    /// The logs that take no writes since one has failed, and why.
    #[cfg(feature = "http")]
    pub(crate) fn failed_logs(&self) -> Vec<(TopicPartition, String)> {
        let failure = |log: Log| Some((log.partition().clone(), log.failure()?));
        self.dirs().flat_map(LogDir::logs).filter_map(failure).collect()
    }

    /// The folders that have a log of this name on the disk, open or not.
    pub(crate) fn homes_of<'a>(&'a self, log: &'a str) -> impl Iterator<Item = &'a LogDir> {
        self.dirs().filter(move |dir| is_dir(self.disk(), &dir.path().join(log)))
    }

    /// Where the files are.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// What fails in the folders.
    pub(crate) fn failures(&self) -> &Failures {
        &self.failures
    }

    pub(crate) fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// The log of a partition, wherever it is.
    pub(crate) fn log(&self, partition: &TopicPartition) -> Option<Log> {
        self.dirs().find_map(|dir| dir.get(partition))
    }

    /// Chooses the directories for new partitions.
    pub(crate) fn placer(&self) -> Placer {
        let size = |folder: &Folder| Some((folder.logs.as_ref()?.len(), folder.id));
        Placer(self.folders.iter().filter_map(size).collect())
    }

    /// Creates the logs of partitions, each in the directory that it names, unless they are there
    /// already. The results are in the order of `wanted`; `None` where the directory is not there.
    pub(crate) fn create_many(&self, wanted: &[Wanted]) -> Vec<Option<Result<Log, OpenError>>> {
        let mut results: Vec<_> = wanted.iter().map(|one| self.log(&one.log.partition).map(Ok)).collect();
        for (number, dir) in self.folders.iter().enumerate() {
            let Some(dir) = &dir.logs else { continue };
            let is_here = |at: &usize| results[*at].is_none() && self.home(wanted[*at].home) == Some(number);
            let here: Vec<usize> = (0..wanted.len()).filter(is_here).collect();
            let new: Vec<_> = here.iter().map(|at| wanted[*at].log.clone()).collect();
            for (at, created) in here.into_iter().zip(dir.create_many(&new)) {
                if created.is_ok() {
                    self.forget_offline(&wanted[at].log.partition);
                }
                results[at] = Some(created);
            }
        }
        results
    }

    /// The directory with this id. The metadata of older brokers names none: there was one.
    fn home(&self, id: Uuid) -> Option<usize> {
        self.folders.iter().position(|folder| id == Uuid::ZERO || folder.id == id)
    }

    /// Changes how logs are compacted from now on.
    pub(crate) fn set_cleaner(&self, config: &CleanerConfig) {
        let set = self.dirs().try_for_each(|dir| dir.set_cleaner(config.clone()));
        set.expect("CONFIG-1: settings are checked before they are the broker's");
    }

    pub(crate) fn start_maintenance(&self) -> Maintenance {
        Maintenance(self.dirs().map(LogDir::start_background).collect())
    }

    /// Does what is due at `now`: retention, checkpoints, removals, compaction.
    pub(crate) fn maintain(&self, now: Timestamp) -> Result<(), LogError> {
        self.dirs().try_for_each(|dir| dir.maintain(now).and_then(|_| dir.clean(now)).map(drop))
    }

    /// Syncs and closes all folders; the first error is told.
    pub(crate) fn close(&self) -> Result<(), LogError> {
        let closed: Vec<_> = self.dirs().map(LogDir::close).collect();
        closed.into_iter().collect()
    }

    /// The folders that did not fail.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &LogDir> {
        self.folders.iter().filter_map(|folder| folder.logs.as_ref())
    }
}

impl Placer {
    /// The ids of the directories for `count` more partitions: each goes where the fewest are then.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Uuid> {
        (0..count).filter_map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Option<Uuid> {
        let fewest = self.0.iter_mut().min_by_key(|(size, _)| *size)?;
        fewest.0 += 1;
        Some(fewest.1)
    }
}

impl Folder {
    /// Its logs; `None` when it failed.
    pub(crate) fn logs(&self) -> Option<&LogDir> {
        self.logs.as_ref()
    }
}

/// Why the folders were not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("log.dirs names no folder")]
    NoFolder,
}

impl StorageError {
    fn is_of_the_disk(&self) -> bool {
        use StorageError::{Identity, Open};
        matches!(self, Open(OpenError::File(_)) | Identity(IdentityError::Failed(_)))
    }
}

fn open_folder(
    path: &Path,
    config: DirConfig,
    node_id: i32,
    first: Option<&Identity>,
) -> Result<(Folder, Identity), StorageError> {
    let disk = Arc::clone(&config.disk);
    let logs = LogDir::open_with(path, config)?;
    let identity = Identity::load_or_create(&*disk, path, node_id, first)?;
    Ok((Folder { path: path.to_owned(), id: identity.directory, logs: Some(logs) }, identity))
}

fn dir_config(config: &BrokerConfig, environment: &Environment, failures: &Arc<Failures>) -> DirConfig {
    DirConfig {
        log: config.topic.log.clone(),
        recovery_threads: config.recovery_threads,
        checkpoint_interval: config.checkpoint_interval,
        retention_interval: config.retention_interval,
        cleaner: config.cleaner.clone(),
        max_open_files: config.max_open_files,
        clock: Arc::clone(&environment.clock),
        disk: Arc::clone(&environment.disk),
        observer: Arc::clone(failures) as Arc<dyn Observer>,
        ..DirConfig::default()
    }
}
