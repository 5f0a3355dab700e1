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
