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
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let config = &shared.config();
    let [memory, answers] = [(); 2].map(|()| RequestMemory::new(config.max_queued_bytes));
    let mut threads = NetworkThreads::start(config.network_threads)?;
    let workers = Workers::new(config);
    let places = Places::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others may be given back soon.
                tracing::warn!("cannot take a connection: {error}");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let place = match places.take(peer.ip(), &shared.config()) {
            Ok(place) => place,
            Err(NoPlace(setting)) => {
                tracing::warn!(%peer, "refused a connection: there are as many as {setting} says");
                continue;
            }
        };
        let (shared, memory, workers) = (Arc::clone(&shared), memory.clone(), workers.clone());
        let answers = answers.clone();
        let connection = Connection {
            shared,
            memory,
            answers,
            workers,
            stopping: stopping.clone(),
            peer,
            took: Duration::ZERO,
        };
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
        connections.spawn_on(served, threads.next());
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, finish).await;
    connections.shutdown().await;
    Ok(())
}

/// How long connections have to finish their requests when the broker stops.
const GRACE: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(50);
