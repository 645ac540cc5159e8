//! An event loop: one thread, one runtime, the connections that it was given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::call::Front;
use super::connection::{LINGER, serve};
use super::drain::Drain;
use super::lifetime::{CUT, Limits};
use super::link::Link;
use super::listener::{Plan, StartError, runtime};
use super::places::Place;

/// A connection on its way to a loop. It counts against `server.max_connections` until it ends.
pub(super) struct Accepted {
    pub(super) stream: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    /// When.
    pub(super) at: Instant,
    pub(super) place: Place,
}

/// Handle of an event loop's thread.
pub(super) struct Worker {
    connections: mpsc::Sender<Accepted>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(index: usize, plan: &Plan) -> Result<Self, StartError> {
        let runtime = runtime()?;
        let (connections, accepted) = mpsc::channel(plan.max_connections);
        let event_loop = Loop {
            front: Arc::clone(&plan.front),
            drain: Arc::clone(&plan.drain),
            limits: plan.limits,
            max_concurrent_streams: plan.max_concurrent_streams,
        };
        let thread = thread::Builder::new()
            .name(format!("prism-loop-{index}"))
            .spawn(move || runtime.block_on(event_loop.run(accepted)))
            .map_err(|error| StartError::new(format!("cannot start a thread: {error}")))?;
        Ok(Worker { connections, thread })
    }

    /// Gives the loop a connection. Each has a place, of which there are as many as in the queue,
    /// so there is room.
    pub(super) fn hand_over(&self, accepted: Accepted) {
        // A loop ends before the acceptor only by a panic of its own; the connection then closes.
        let _ = self.connections.try_send(accepted);
    }

    /// Waits until the loop's last connection has ended.
    pub(super) fn join(self) {
        drop(self.connections);
        if self.thread.join().is_err() {
            tracing::error!("an event loop panicked");
        }
    }
}

/// What connections may be late with their end.
const LAST: Duration = Duration::from_millis(500);

struct Loop {
    front: Arc<Front>,
    drain: Arc<Drain>,
    limits: Limits,
    max_concurrent_streams: u32,
}

impl Loop {
    async fn run(self, mut accepted: mpsc::Receiver<Accepted>) {
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
            tokio::time::sleep(self.limits.drain()).await;
        };
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            () = &mut serving => return,
            () = limit => tracing::warn!("calls in flight were cut off at server.drain_seconds"),
        }
        // The connections end by themselves now, with the last words to their peers.
        if tokio::time::timeout(CUT + LINGER + LAST, serving).await.is_err() {
            tracing::warn!("connections did not end in time");
        }
    }

    fn spawn(&self, connections: &mut JoinSet<()>, accepted: Accepted) {
        let Accepted { stream, peer, at, place } = accepted;
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        let link = Link::new(Arc::clone(&self.front), peer, at);
        let (limits, streams) = (self.limits, self.max_concurrent_streams);
        connections.spawn(async move {
            serve(stream, link, limits, streams).await;
            drop(place);
        });
    }
}
