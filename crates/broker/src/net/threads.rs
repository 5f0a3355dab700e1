//! The threads that read and write sockets (`num.network.threads`). Each has connections of its own: where several share the sockets,
//! one that is idle is woken for each packet that comes while another is at work, which costs more than the work
//! (`docs/speed.md`).

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// They end when this is dropped.
#[derive(Debug)]
pub(super) struct NetworkThreads {
    handles: Vec<Handle>,
    next: usize,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl NetworkThreads {
    pub(super) fn start(count: usize) -> io::Result<NetworkThreads> {
        let (stop, _) = watch::channel(false);
        let mut started = NetworkThreads { handles: Vec::new(), next: 0, stop, threads: Vec::new() };
        (0..count.max(1)).try_for_each(|number| started.add(number))?;
        Ok(started)
    }

    fn add(&mut self, number: usize) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        self.handles.push(runtime.handle().clone());
        let mut stop = self.stop.subscribe();
        let run = move || drop(runtime.block_on(stop.wait_for(|stop| *stop)));
        self.threads.push(std::thread::Builder::new().name(format!("klamm-network-{number}")).spawn(run)?);
        Ok(())
    }

    /// The thread of the next connection: each in turn.
    pub(super) fn next(&mut self) -> &Handle {
        self.next = (self.next + 1) % self.handles.len();
        &self.handles[self.next]
    }
}

impl Drop for NetworkThreads {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
