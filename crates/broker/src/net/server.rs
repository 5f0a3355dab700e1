use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::frame::RequestMemory;
use super::places::{NoPlace, Places};
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
    let memory = RequestMemory::new(config.max_queued_bytes, config.max_request_bytes);
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
        let connection =
            Connection { shared, memory, workers, stopping: stopping.clone(), peer, took: Duration::ZERO };
        connections.spawn(async move {
            let connections = connection.shared.metrics.connections.clone();
            connections.inc();
            connection.run(stream).await;
            connections.dec();
            drop(place);
        });
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
