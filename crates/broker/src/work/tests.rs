//! Slices: their size, cancellation and memory.

use super::*;

fn work() -> (Work, Arc<Counters>) {
    let config = BrokerConfig { slice_items: 10, slice_bytes: 1000, ..BrokerConfig::default() };
    let counters = Arc::new(Counters::new(64 << 10));
    (Work::new(&config, &counters, Place::Network), counters)
}

/// Runs to the end; says how many slices that took.
fn slices<T>(mut running: Running<T>) -> (T, usize) {
    for slice in 0.. {
        let place = if slice == 0 { Place::Network } else { Place::Worker };
        if let Poll::Ready(done) = running.slice(place, None) {
            return (done, slice + 1);
        }
    }
    unreachable!("WORK-1: a handler ends")
}

#[test]
fn a_slice_ends_when_its_items_or_its_bytes_are_spent() {
    for (items, bytes, want) in [(1, 0, 1), (9, 0, 1), (25, 0, 3), (1, 999, 1), (3, 500, 2), (4, 5000, 5)] {
        let (work, counters) = work();
        let own = work.clone();
        let running = Running::new(work, async move {
            for _ in 0..items {
                own.item().await;
                own.bytes(bytes).await;
            }
        });
        assert_eq!(slices(running).1, want, "{items} items of {bytes} bytes");
        let figures = counters.figures();
        assert_eq!((figures.items, figures.bytes), (items, items * bytes as u64));
        assert!(figures.most_network_items <= 10, "{figures:?}");
        assert_eq!((figures.unfinished, figures.finished), (0, u64::from(want > 1)));
    }
}

#[test]
fn work_for_a_worker_does_not_begin_on_a_network_thread() {
    let (work, counters) = work();
    let own = work.clone();
    let running = Running::new(work, async move {
        own.expect_items(10).await;
        let small = own.is_on_network();
        own.expect_items(11).await;
        (small, own.is_on_network())
    });
    assert_eq!(slices(running), ((true, false), 2));
    assert_eq!(counters.figures().worker_slices, 1);
}

#[test]
fn a_pass_yields_after_as_many_items_as_a_slice_has() {
    for (items, want) in [(0, (1, 0)), (10, (1, 0)), (11, (2, 10)), (30, (3, 20)), (31, (4, 30))] {
        let (work, counters) = work();
        let own = work.clone();
        let running = Running::new(work, async move {
            let mut pass = own.pass();
            for _ in 0..items {
                pass.next().await;
            }
        });
        assert_eq!((slices(running).1, counters.figures().items), want, "{items} items");
    }
}

#[test]
fn decompression_memory_is_asked_for_between_slices_and_returned() {
    let (work, counters) = work();
    let own = work.clone();
    let mut running = Running::new(work, async move {
        assert!(own.memory(1000).await.is_none(), "fits into a slice");
        let permit = own.memory(70_000).await;
        drop(permit.expect("was granted"));
    });
    assert!(running.slice(Place::Network, None).is_pending());
    let bytes = running.take_wanted().unwrap();
    assert_eq!((bytes, running.take_wanted()), (70_000, None));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let permit = runtime.block_on(counters.memory(bytes));
    assert_eq!(counters.figures().memory, 64 << 10, "all there is");
    assert!(running.slice(Place::Worker, permit).is_ready());
    let figures = counters.figures();
    assert_eq!((figures.memory, figures.most_memory), (0, 64 << 10));
}

#[test]
fn what_is_dropped_between_slices_is_cancelled() {
    let (work, counters) = work();
    let own = work.clone();
    let mut running = Running::new(work, async move { own.items(100).await });
    assert!(running.slice(Place::Network, None).is_pending());
    assert_eq!(counters.figures().unfinished, 1);
    drop(running);
    let figures = counters.figures();
    assert_eq!((figures.unfinished, figures.finished, figures.cancelled), (0, 0, 1));
}
