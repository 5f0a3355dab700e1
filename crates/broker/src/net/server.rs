//! Accepting connections, and the threads that serve them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::memory::RequestMemory;
use super::places::{NoPlace, Places};
use super::threads::NetworkThreads;
use super::workers::Workers;
use crate::quotas::ConnectionMeter;
use crate::shared::Shared;

/// The connections, and what they share.
pub(crate) struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    memory: RequestMemory,
    answers: RequestMemory,
    workers: Workers,
    places: Places,
    rates: ConnectionMeter,
    stopping: watch::Receiver<bool>,
    connections: JoinSet<()>,
    /// Ended after the connections.
    threads: NetworkThreads,
}

impl Server {
    /// With the threads of the network, which run when this returns; to be called in the runtime
    /// whose threads answer requests.
    pub(crate) fn new(
        listener: std::net::TcpListener,
        shared: Arc<Shared>,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<Server> {
        let config = shared.config();
        let [memory, answers] = [(); 2].map(|()| RequestMemory::new(config.max_queued_bytes));
        let workers = Workers::new(Arc::clone(&shared.metadata), Handle::current());
        Ok(Server {
            listener: TcpListener::from_std(listener)?,
            shared,
            memory,
            answers,
            workers,
            places: Places::default(),
            rates: ConnectionMeter::new(),
            stopping,
            connections: JoinSet::new(),
            threads: NetworkThreads::start(config.network_threads)?,
        })
    }

    /// Takes connections until it has to stop, then lets those there are finish what they are at.
    pub(crate) async fn run(mut self) {
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.take(stream, peer),
                    Err(error) => {
                        // Out of descriptors, most likely: others may be given back soon.
                        tracing::warn!("cannot take a connection: {error}");
                        tokio::time::sleep(BREATH).await;
                    }
                },
                _ = stopping.wait_for(|stopping| *stopping) => break,
            }
        }
        self.finish().await;
    }

    /// Serves a connection on the thread whose turn it is, if there is a place for it.
    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        while self.connections.try_join_next().is_some() {}
        let config = self.shared.config();
        if let Err(error) = self.threads.resize(config.network_threads) {
            tracing::warn!("cannot start a thread (num.network.threads): {error}");
        }
        let place = match self.places.take(peer.ip(), &config) {
            Ok(place) => place,
            Err(NoPlace(setting)) => {
                tracing::warn!(%peer, "refused a connection: there are as many as {setting} says");
                return;
            }
        };
        if let Err(wait) = self.rates.opened(self.shared.metadata.image().quotas(), peer.ip()) {
            tracing::debug!(%peer, ?wait, "refused a connection: its address opens more than its quota");
            self.connections.spawn(async move {
                let _held = (stream, place);
                tokio::time::sleep(wait).await;
            });
            return;
        }
        let connection = self.connection(peer);
        // It is to be known to the thread that serves it, and to no other.
        let (stream, thread) = (stream.into_std(), self.threads.next().clone());
        let runtime = thread.runtime.clone();
        let served = async move {
            let _held = (Counted::new(&connection.shared.metrics.connections), place, thread);
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => connection.run(stream).await,
                Err(error) => tracing::warn!(%peer, "cannot take a connection: {error}"),
            }
        };
        self.connections.spawn_on(served, &runtime);
    }

    fn connection(&self, peer: SocketAddr) -> Connection {
        Connection {
            shared: Arc::clone(&self.shared),
            memory: self.memory.clone(),
            answers: self.answers.clone(),
            workers: self.workers.clone(),
            stopping: self.stopping.clone(),
            peer,
            took: Duration::ZERO,
        }
    }

    async fn finish(self) {
        let Server { listener, mut connections, .. } = self;
        drop(listener);
        let finish = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, finish).await;
        connections.shutdown().await;
    }
}

/// A connection in the metrics, as long as it is here.
struct Counted(Gauge);

impl Counted {
    fn new(connections: &Gauge) -> Counted {
        connections.inc();
        Counted(connections.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How long connections have to finish their requests when the broker stops.
const GRACE: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(50);
