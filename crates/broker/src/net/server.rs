use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::memory::RequestMemory;
use super::places::{NoPlace, Places};
use super::threads::NetworkThreads;
use super::workers::Workers;
use crate::shared::Shared;

/// Takes connections until `stopping` says so, then lets those there are finish what they are at.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut server = Server::new(shared, stopping.clone())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => server.take(stream, peer),
                Err(error) => {
                    // Out of descriptors, most likely: others may be given back soon.
                    tracing::warn!("cannot take a connection: {error}");
                    tokio::time::sleep(BREATH).await;
                }
            },
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    drop(listener);
    server.finish().await;
    Ok(())
}

/// The connections, and what they share.
struct Server {
    shared: Arc<Shared>,
    memory: RequestMemory,
    answers: RequestMemory,
    workers: Workers,
    places: Places,
    stopping: watch::Receiver<bool>,
    connections: JoinSet<()>,
    /// Ended after the connections.
    threads: NetworkThreads,
}

impl Server {
    fn new(shared: Arc<Shared>, stopping: watch::Receiver<bool>) -> io::Result<Server> {
        let config = shared.config();
        let [memory, answers] = [(); 2].map(|()| RequestMemory::new(config.max_queued_bytes));
        Ok(Server {
            shared,
            memory,
            answers,
            workers: Workers::new(&config),
            places: Places::default(),
            stopping,
            connections: JoinSet::new(),
            threads: NetworkThreads::start(config.network_threads)?,
        })
    }

    /// Serves a connection on the thread whose turn it is, if there is a place for it.
    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        while self.connections.try_join_next().is_some() {}
        let place = match self.places.take(peer.ip(), &self.shared.config()) {
            Ok(place) => place,
            Err(NoPlace(setting)) => {
                tracing::warn!(%peer, "refused a connection: there are as many as {setting} says");
                return;
            }
        };
        let connection = self.connection(peer);
        // It is to be known to the thread that serves it, and to no other.
        let stream = stream.into_std();
        let served = async move {
            let connections = connection.shared.metrics.connections.clone();
            connections.inc();
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => connection.run(stream).await,
                Err(error) => tracing::warn!(%peer, "cannot take a connection: {error}"),
            }
            connections.dec();
            drop(place);
        };
        self.connections.spawn_on(served, self.threads.next());
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

    async fn finish(mut self) {
        let finish = async { while self.connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, finish).await;
        self.connections.shutdown().await;
    }
}

/// How long connections have to finish their requests when the broker stops.
const GRACE: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(50);
