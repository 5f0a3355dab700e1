//! The broker: starting, running and stopping it.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use klamm_log::{LogError, OpenError};
use klamm_types::Timestamp;
use tempfile::TempDir;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::config::{BrokerConfig, ListenerAddress, MOST_THREADS, SettingError, check_together};
use crate::environment::Environment;
use crate::fetch_sessions::{Bounds, FetchSessions};
use crate::groups::{GroupThread, Groups};
use crate::log_levels::LogLevels;
use crate::metadata::{Metadata, Publisher, survey};
use crate::metrics::Metrics;
use crate::net::{COMMANDS, Server};
use crate::purgatory::Purgatory;
use crate::quotas::QuotaMeter;
use crate::shared::Shared;
use crate::storage::{Maintenance, Storage, StorageError};
use crate::work::{Counters, WorkFigures};

/// A running broker. It stops when it is dropped; [`Broker::stop`] does so and tells of errors.
///
/// It has threads of its own and can be started from any program, with or without an async runtime.
#[derive(Debug)]
pub struct Broker {
    address: ListenerAddress,
    http_address: Option<SocketAddr>,
    shared: Arc<Shared>,
    paths: Vec<PathBuf>,
    stopping: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
    group_thread: Option<GroupThread>,
    maintenance: Option<Maintenance>,
    storage: Arc<Storage>,
    /// Removed last.
    _temporary: Option<TempDir>,
}

/// Why a broker did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen where it should.
    #[error("cannot listen on {listener}: {source}")]
    Listen {
        /// Where it should.
        listener: ListenerAddress,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot answer HTTP where it should (`http.listener`).
    #[error("cannot listen on http.listener {address}: {source}")]
    Http {
        /// Where it should.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its folder cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its metadata cannot be read.
    #[error("{reason}")]
    Metadata {
        /// Why, with the file's name.
        reason: String,
    },
    /// Settings that do not go together.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A setting needs a feature of this crate that is off.
    #[error("{setting} is set, but the feature {feature:?} of klamm-broker is off")]
    Feature {
        /// The setting.
        setting: &'static str,
        /// The feature.
        feature: &'static str,
    },
    /// The system gives no threads or no temporary folder.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl From<StorageError> for StartError {
    fn from(error: StorageError) -> StartError {
        match error {
            StorageError::Open(error) => StartError::Open(error),
            other => StartError::Metadata { reason: other.to_string() },
        }
    }
}

impl Broker {
    /// Starts a broker; it answers when this returns.
    ///
    /// # Errors
    /// [`StartError`]: the port is in use, the folder is in use, damaged or cannot be written, and
    /// so on.
    #[allow(clippy::needless_pass_by_value)]
    pub fn start(config: BrokerConfig) -> Result<Broker, StartError> {
        Broker::start_in(&config, &Environment::default())
    }

    /// Like [`Broker::start`], with levels of the log that
    /// `kafka-configs --entity-type broker-loggers` changes.
    ///
    /// # Errors
    /// [`StartError`], as [`Broker::start`].
    #[allow(clippy::needless_pass_by_value)]
    pub fn start_with_log_levels(config: BrokerConfig, levels: LogLevels) -> Result<Broker, StartError> {
        Broker::start_in(&config, &Environment { log_levels: Some(levels), ..Environment::default() })
    }

    pub(crate) fn start_in(config: &BrokerConfig, environment: &Environment) -> Result<Broker, StartError> {
        check_together(config)?;
        tell_what_is_passed_over(config);
        crate::file_limit::check(config);
        let listener = listen(&config.listener)?;
        let port = listener.local_addr()?.port();
        let address = ListenerAddress { host: config.listener.host.clone(), port };
        let temporary = if config.log_dirs.is_empty() { Some(tempfile::tempdir()?) } else { None };
        let own = temporary.as_ref().map(|t| t.path().to_owned());
        let paths: Vec<PathBuf> = config.log_dirs.iter().cloned().chain(own).collect();
        let known =
            survey(&*environment.disk, &paths, config).map_err(|reason| StartError::Metadata { reason })?;
        let (storage, identity) = Storage::open(&paths, config, environment, known)?;
        let storage = Arc::new(storage);
        let metadata = Metadata::open(Arc::clone(&storage), identity, config, &environment.clock)
            .map_err(|reason| StartError::Metadata { reason })?;
        let advertised = config.advertised.clone().unwrap_or_else(|| advertised_alone(&address));
        let maintenance = Some(storage.start_maintenance());
        let (metadata, purgatory) = (Arc::new(metadata), Arc::new(Purgatory::default()));
        let (metrics, clock) = (Arc::new(Metrics::new()), Arc::clone(&environment.clock));
        let groups = Groups::new(Arc::clone(&metadata), Arc::clone(&purgatory), clock, metrics.tally());
        let (waiters, coordinators) = (Arc::downgrade(&purgatory), Arc::downgrade(&groups));
        let counters = Arc::downgrade(&metrics);
        metadata.set_publishers(vec![waiters as Weak<dyn Publisher>, coordinators, counters]);
        let group_thread = Some(GroupThread::start(&groups)?);
        let shared = Arc::new(Shared {
            metadata,
            purgatory,
            groups,
            fetch_sessions: Arc::new(FetchSessions::new(Bounds {
                sessions: config.max_fetch_sessions,
                partitions: config.max_fetch_session_partitions,
            })),
            clock: Arc::clone(&environment.clock),
            metrics,
            stuck: Arc::default(),
            work: Arc::new(Counters::new(config.decompression_memory)),
            quotas: Arc::new(QuotaMeter::new()),
            probe: environment.probe.clone(),
            log_levels: environment.log_levels.clone(),
            advertised,
            fault: None,
        });
        let (stopping, stop) = watch::channel(false);
        let http = config.http_listener.map(listen_http).transpose()?;
        let http_address = http.as_ref().map(TcpListener::local_addr).transpose()?;
        let server = Some(spawn(listener, http, Arc::clone(&shared), stop)?);
        Ok(Broker {
            address,
            http_address,
            shared,
            paths,
            stopping,
            server,
            group_thread,
            maintenance,
            storage,
            _temporary: temporary,
        })
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Where it listens, with the port it really has.
    #[must_use]
    pub fn address(&self) -> &ListenerAddress {
        &self.address
    }

    /// Where it answers HTTP, if it does (`http.listener`).
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// Its figures as Prometheus reads them (OpenMetrics), with Kafka's names.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.shared.metrics.text(&self.shared.metadata, &self.shared.groups)
    }

    /// What clients call `bootstrap.servers`: `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        advertised(&self.address).authority()
    }

    /// The folder of its logs, the first if there are more.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Returns what the requests so far have become: items, decompressed bytes, slices.
    pub(crate) fn work(&self) -> WorkFigures {
        self.shared.work.figures()
    }

    /// Does what is due at `now`: in all folders, compaction too, and what groups have committed
    /// and nobody uses.
    pub(crate) fn maintain(&self, now: Timestamp) -> Result<(), LogError> {
        self.shared.groups.expire();
        self.storage.maintain(now)
    }

    /// Stops it: requests under way are answered, then all is synced and the folder is given free.
    ///
    /// # Errors
    /// [`LogError`] when something could not be made durable.
    pub fn stop(mut self) -> Result<(), LogError> {
        self.halt()
    }

    fn halt(&mut self) -> Result<(), LogError> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let _ = self.stopping.send(true);
        let _ = server.join();
        self.group_thread.take();
        self.maintenance.take();
        self.storage.close()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.halt() {
            tracing::error!("the broker did not stop cleanly: {error}");
        }
    }
}

/// What a file for Kafka asks for and does not get.
fn tell_what_is_passed_over(config: &BrokerConfig) {
    for listener in &config.controller_listeners {
        tracing::info!(%listener, "a controller's listener is not opened: the controller runs inside the broker");
    }
    if !config.without_effect.is_empty() {
        let settings = config.without_effect.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        tracing::warn!("settings of Kafka that have no effect on this broker: {settings}");
    }
}

fn listen(listener: &ListenerAddress) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Listen { listener: listener.clone(), source };
    let addresses: Vec<_> =
        (listener.host.as_str(), listener.port).to_socket_addrs().map_err(failed)?.collect();
    let socket = TcpListener::bind(&addresses[..]).map_err(failed)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen_http(address: SocketAddr) -> Result<TcpListener, StartError> {
    if cfg!(not(feature = "http")) {
        return Err(StartError::Feature { setting: "http.listener", feature: "http" });
    }
    let socket = TcpListener::bind(address).map_err(|source| StartError::Http { address, source })?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(feature = "http")]
fn spawn_http(runtime: &Runtime, listener: TcpListener, shared: &Arc<Shared>, stop: &watch::Receiver<bool>) {
    runtime.spawn(crate::http::serve(listener, Arc::clone(shared), stop.clone()));
}

#[cfg(not(feature = "http"))]
fn spawn_http(_: &Runtime, _: TcpListener, _: &Arc<Shared>, _: &watch::Receiver<bool>) {}

/// What is advertised where nothing is set.
fn advertised_alone(address: &ListenerAddress) -> ListenerAddress {
    let advertised = advertised(address);
    if address.is_of_all() {
        tracing::warn!(%advertised, "clients on other machines cannot connect: set advertised.listeners");
    }
    advertised
}

/// A broker that listens on all addresses is reached, from here, on the loopback one.
fn advertised(address: &ListenerAddress) -> ListenerAddress {
    let host = if address.is_of_all() { "127.0.0.1" } else { &address.host };
    ListenerAddress { host: host.to_owned(), port: address.port }
}

/// The thread that takes connections; all others run when this returns.
fn spawn(
    listener: TcpListener,
    http: Option<TcpListener>,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<JoinHandle<()>> {
    let (tell, told) = mpsc::channel();
    let run = move || match serve(listener, http, shared, stop) {
        Ok((runtime, server)) => {
            let _ = tell.send(Ok(()));
            runtime.block_on(server.run());
        }
        Err(error) => drop(tell.send(Err(error))),
    };
    let thread = std::thread::Builder::new().name("klamm-server".into()).spawn(run)?;
    told.recv().map_err(std::io::Error::other)??;
    Ok(thread)
}

/// The runtime is made on its own thread: whoever starts a broker may be in one, where another must
/// not be dropped.
fn serve(
    listener: TcpListener,
    http: Option<TcpListener>,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<(Runtime, Server)> {
    // More threads for commands. They stay: what a thread has allocated and given back is used by
    // the same thread alone.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(MOST_THREADS + COMMANDS).thread_keep_alive(Duration::MAX);
    let runtime = runtime.thread_name("klamm-io").build()?;
    let entered = runtime.enter();
    if let Some(http) = http {
        spawn_http(&runtime, http, &shared, &stop);
    }
    let server = Server::new(listener, shared, stop)?;
    drop(entered);
    Ok((runtime, server))
}
