//! An event loop: one thread, one runtime, the connections that it was given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::call::Front;
use super::connection::serve;
use super::drain::Drain;
use super::listener::{Plan, StartError, runtime};

/// A connection on its way to a loop. It counts against `server.max_connections` until it ends.
pub(super) struct Accepted {
    pub(super) stream: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) permit: OwnedSemaphorePermit,
}

/// Handle of an event loop's thread.
pub(super) struct Worker {
    connections: mpsc::UnboundedSender<Accepted>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(index: usize, plan: &Plan) -> Result<Self, StartError> {
        let runtime = runtime()?;
        #[expect(clippy::disallowed_methods, reason = "bounded by server.max_connections")]
        let (connections, accepted) = mpsc::unbounded_channel();
        let event_loop = Loop {
            front: Arc::clone(&plan.front),
            drain: Arc::clone(&plan.drain),
            drain_limit: plan.drain_limit,
            max_concurrent_streams: plan.max_concurrent_streams,
        };
        let thread = thread::Builder::new()
            .name(format!("prism-loop-{index}"))
            .spawn(move || runtime.block_on(event_loop.run(accepted)))
            .map_err(|error| StartError::new(format!("cannot start a thread: {error}")))?;
        Ok(Worker { connections, thread })
    }

    /// Gives the loop a connection. Bounded by `server.max_connections`, so the queue may be
    /// without a bound of its own.
    pub(super) fn hand_over(&self, accepted: Accepted) {
        // A loop ends before the acceptor only by a panic of its own; the connection then closes.
        let _ = self.connections.send(accepted);
    }

    /// Waits until the loop's last connection has ended.
    pub(super) fn join(self) {
        drop(self.connections);
        if self.thread.join().is_err() {
            tracing::error!("an event loop panicked");
        }
    }
}

struct Loop {
    front: Arc<Front>,
    drain: Arc<Drain>,
    drain_limit: Duration,
    max_concurrent_streams: u32,
}

impl Loop {
    async fn run(self, mut accepted: mpsc::UnboundedReceiver<Accepted>) {
        let mut connections = JoinSet::new();
        let serving = async {
            loop {
                tokio::select! {
                    next = accepted.recv() => match next {
                        Some(next) => self.spawn(&mut connections, next),
                        None => break,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
            while connections.join_next().await.is_some() {}
        };
        let limit = async {
            self.drain.started().await;
            tokio::time::sleep(self.drain_limit).await;
        };
        tokio::select! {
            () = serving => {}
            () = limit => tracing::warn!("calls in flight were cut off at server.drain_seconds"),
        }
    }

    fn spawn(&self, connections: &mut JoinSet<()>, accepted: Accepted) {
        let Accepted { stream, peer, permit } = accepted;
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        let (front, drain) = (Arc::clone(&self.front), Arc::clone(&self.drain));
        let streams = self.max_concurrent_streams;
        connections.spawn(async move {
            serve(stream, peer, front, drain, streams).await;
            drop(permit);
        });
    }
}
