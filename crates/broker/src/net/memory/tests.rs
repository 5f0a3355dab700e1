//! The memory of requests: order, bounds, and what goes beyond them.

use std::sync::Mutex;

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Lets every other task go as far as it can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn memory_is_given_in_the_order_of_asking() {
    runtime().block_on(async {
        let memory = RequestMemory::new(100);
        let mut all = memory.take(100).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, bytes) in [("large", 60), ("small", 30)] {
            let (memory, order) = (memory.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let taken = memory.take(bytes).await.unwrap();
                order.lock().unwrap().push((name, taken.bytes()));
            }));
            settle().await;
        }
        assert!(memory.is_short());
        drop(all.split(40));
        settle().await;
        assert!(order.lock().unwrap().is_empty(), "30 bytes are free, and the request for 60 comes first");
        drop(all);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [("large", 60), ("small", 30)]);
        assert!(!memory.is_short());
    });
}

/// Each has half of what it needs, and there is no more.
#[test]
fn frames_that_have_some_memory_do_not_wait_for_each_other() {
    runtime().block_on(async {
        let memory = RequestMemory::new(100);
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let (memory, mut own) = (memory.clone(), memory.try_take(50).unwrap());
            tasks.push(tokio::spawn(async move {
                memory.take_more(30, &mut own).await.unwrap();
                memory.take_more(10, &mut own).await.unwrap();
                assert_eq!(own.bytes(), 90);
                let frame = own.split(70);
                assert_eq!(frame.bytes(), 70);
            }));
        }
        settle().await;
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(memory.try_take(100).map(|all| all.bytes()), Some(100));
    });
}

/// Whoever has nothing waits in line.
#[test]
fn memory_beyond_the_bound_is_for_one_that_has_some() {
    runtime().block_on(async {
        let memory = RequestMemory::new(100);
        let mut holders = [memory.try_take(50).unwrap(), memory.try_take(50).unwrap()];
        memory.take_more(30, &mut holders[0]).await.unwrap();
        assert_eq!(holders[0].bytes(), 80);
        let (own, nothing) = (memory.clone(), memory.clone());
        let newcomer = tokio::spawn(async move {
            let mut share = Share::default();
            nothing.take_more(30, &mut share).await.map(|()| share)
        });
        let [first, mut second] = holders;
        let second = tokio::spawn(async move { own.take_more(30, &mut second).await.map(|()| second) });
        settle().await;
        assert!(!newcomer.is_finished() && !second.is_finished(), "one at a time");
        drop(first);
        assert_eq!(newcomer.await.unwrap().unwrap().bytes(), 30);
        assert_eq!(second.await.unwrap().unwrap().bytes(), 80);
    });
}

/// Others wait for its place: a second, and a second for each MiB.
#[test]
fn a_frame_beyond_the_bound_has_to_come_fast() {
    assert_eq!(patience_beyond(0), Duration::from_secs(1));
    assert_eq!(patience_beyond(10 << 20), Duration::from_millis(1000 + 10 * 1024));
}

#[test]
fn a_request_that_needs_more_than_there_is_is_refused_with_its_size() {
    runtime().block_on(async {
        let memory = RequestMemory::new(100);
        assert_eq!(memory.take_whole(100).await.unwrap().bytes(), 100);
        let refused = memory.take_whole(101).await.unwrap_err().to_string();
        assert!(refused.contains("101 bytes") && refused.contains("at most 100"), "{refused}");
    });
}

#[test]
fn a_response_that_needs_more_than_there_is_takes_all() {
    runtime().block_on(async {
        let memory = RequestMemory::new(100);
        let taken = memory.take_beside(1000, &mut Share::default()).await.unwrap();
        assert_eq!(taken.bytes(), 100);
    });
}

#[test]
fn a_request_that_waits_for_more_memory_gives_back_what_it_has() {
    runtime().block_on(async {
        let memory = RequestMemory::new(100);
        let (mut own, other) = (memory.take(60).await.unwrap(), memory.take(40).await.unwrap());
        {
            let waiting = memory.take_beside(20, &mut own);
            tokio::pin!(waiting);
            tokio::select! {
                biased;
                _ = &mut waiting => panic!("nothing was free"),
                () = settle() => {}
            }
            drop(other);
            assert_eq!(waiting.await.unwrap().bytes(), 80, "both together");
        }
        assert_eq!(own.bytes(), 0);
    });
}

#[test]
fn slow_clients_have_a_second_and_64_kib_a_second() {
    for (bytes, millis) in [(0, 1000), (64_000, 2000), (640_000, 11_000)] {
        assert_eq!(patience(bytes), Duration::from_millis(millis), "{bytes} bytes");
    }
}
