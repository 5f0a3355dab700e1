//! The threads that read and write sockets (`num.network.threads`). Each has connections of its
//! own: where several share the sockets, one that is idle is woken for each packet that comes while
//! another is at work, which costs more than the work (`docs/speed.md`).

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// They end when this is dropped and their connections have ended.
#[derive(Debug)]
pub(super) struct NetworkThreads {
    /// Those that are given connections.
    inner: Vec<NetworkThread>,
    next: usize,
    started: usize,
    threads: Vec<JoinHandle<()>>,
}

/// One of them. It ends when the last of these is dropped: each of its connections has one.
#[derive(Clone, Debug)]
pub(super) struct NetworkThread {
    pub(super) runtime: Handle,
    #[allow(dead_code)]
    needed: watch::Receiver<()>,
}

impl NetworkThreads {
    pub(super) fn start(count: usize) -> io::Result<NetworkThreads> {
        let mut started = NetworkThreads { inner: Vec::new(), next: 0, started: 0, threads: Vec::new() };
        started.resize(count)?;
        Ok(started)
    }

    /// Makes them as many as `count`. One that is taken away has no new connections, and ends with
    /// those that it has.
    pub(super) fn resize(&mut self, count: usize) -> io::Result<()> {
        let count = count.max(1);
        self.inner.truncate(count);
        self.threads.retain(|thread| !thread.is_finished());
        (self.inner.len()..count).try_for_each(|_| self.add())
    }

    fn add(&mut self) -> io::Result<()> {
        let (sender, needed) = watch::channel(());
        let name = format!("klamm-network-{}", self.started);
        let (runtime, thread) = spawn(name, move || async move { sender.closed().await })?;
        self.inner.push(NetworkThread { runtime, needed });
        self.started += 1;
        self.threads.push(thread);
        Ok(())
    }

    /// The thread of the next connection: each in turn.
    pub(super) fn next(&mut self) -> &NetworkThread {
        self.next = (self.next + 1) % self.inner.len();
        &self.inner[self.next]
    }
}

/// A thread with a runtime of its own, which is there when this returns, and stays until the future
/// is done.
pub(super) fn spawn<F: Future<Output = ()>>(
    name: String,
    until: impl FnOnce() -> F + Send + 'static,
) -> io::Result<(Handle, JoinHandle<()>)> {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        // Made here: whoever starts a broker may be in a runtime, where another must not be
        // dropped.
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = tell.send(Ok(runtime.handle().clone()));
                runtime.block_on(until());
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    })?;
    let runtime = told.recv().map_err(io::Error::other)??;
    Ok((runtime, thread))
}

impl Drop for NetworkThreads {
    fn drop(&mut self) {
        self.inner.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_taken_away_ends_with_its_connections() {
        let mut threads = NetworkThreads::start(2).unwrap();
        let connections: Vec<_> = (0..2).map(|_| threads.next().clone()).collect();
        threads.resize(1).unwrap();
        let is_one = |threads: &mut NetworkThreads| {
            let first = threads.next().clone();
            first.needed.same_channel(&threads.next().needed)
        };
        assert!(is_one(&mut threads));
        // The one that was taken away still works.
        let (tell, told) = mpsc::channel();
        for connection in &connections {
            let tell = tell.clone();
            connection.runtime.spawn(async move { tell.send(()) });
        }
        assert_eq!((told.recv(), told.recv()), (Ok(()), Ok(())));
        drop(connections);
        while !threads.threads.iter().any(JoinHandle::is_finished) {
            std::thread::yield_now();
        }
        threads.resize(3).unwrap();
        assert_eq!((threads.threads.len(), threads.started), (3, 4));
    }
}
