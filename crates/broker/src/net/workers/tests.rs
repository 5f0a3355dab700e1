//! Worker threads: lanes, bounds and cancellation.

use super::*;
use crate::{Broker, BrokerConfig};

/// The workers of a broker with so many threads, and so many requests that may wait for one.
fn with_workers(io_threads: usize, max_queued_requests: usize, test: impl AsyncFnOnce(Workers)) {
    let config = BrokerConfig { io_threads, max_queued_requests, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let workers = Workers::new(Arc::clone(&broker.shared().metadata), runtime.handle().clone());
    runtime.block_on(test(workers));
}

/// Whether there is a place in the lane now.
async fn has_place(workers: &Workers, lane: Lane) -> bool {
    tokio::select! {
        biased;
        place = workers.place(lane) => place.is_some(),
        () = tokio::task::yield_now() => false,
    }
}

#[test]
fn requests_that_wait_for_a_thread_are_bounded() {
    with_workers(1, 2, async |workers| {
        let place = workers.place(Lane::Io).await.unwrap();
        let mut waiting = Vec::new();
        for in_queue in [1, 0, 0] {
            let workers = workers.clone();
            let own = workers.clone();
            waiting.push(tokio::spawn(async move { own.place(Lane::Io).await.is_some() }));
            tokio::task::yield_now().await;
            assert_eq!(workers.queued.available_permits(), in_queue);
        }
        drop(place);
        for request in waiting {
            assert!(request.await.unwrap(), "each has its turn");
        }
        assert_eq!(workers.queued.available_permits(), 2);
    });
}

#[test]
fn large_requests_leave_a_thread_to_others() {
    with_workers(3, 10, async |workers| {
        let _large = [workers.place(Lane::Large).await.unwrap(), workers.place(Lane::Large).await.unwrap()];
        assert!(!has_place(&workers, Lane::Large).await);
        assert!(has_place(&workers, Lane::Io).await);
    });
}
