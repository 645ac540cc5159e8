//! Accepts connections and hands them out.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::call::Front;
use super::drain::Drain;
use super::lifetime::Limits;
use super::places::{Full, Places};
use super::refusal::Refusals;
use super::worker::{Accepted, Worker};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;
/// How long accepting pauses if the process has run out of file descriptors and has none to
/// spare.
const PAUSE: Duration = Duration::from_millis(50);
/// What the process and the system say that have no file descriptor left.
const OUT_OF_FILES: [i32; 2] = [24, 23];

/// Why a server did not start: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(String);

impl StartError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        StartError(message.into())
    }

    fn listen(address: SocketAddr, error: &io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            _ => error.to_string(),
        };
        StartError(format!("cannot listen on {address}: {why}"))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// An address that is listened on. Connections wait until a server accepts them.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Where another process has it, or it may not be listened on.
    pub fn bind(address: SocketAddr) -> Result<Self, StartError> {
        let open = || {
            let socket =
                Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            // A restarted server need not wait for its predecessor's connections to time out.
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let socket = std::net::TcpListener::from(socket);
            let address = socket.local_addr()?;
            Ok(Listener { socket, address })
        };
        open().map_err(|error| StartError::listen(address, &error))
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// How the threads of a server are set up.
pub(super) struct Plan {
    pub(super) threads: usize,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_peer: usize,
    pub(super) max_concurrent_streams: u32,
    pub(super) limits: Limits,
    pub(super) front: Arc<Front>,
    pub(super) drain: Arc<Drain>,
}

impl Plan {
    /// Starts the threads. What is returned turns true when the last of them has ended.
    pub(super) fn start(self, listener: Listener) -> Result<watch::Receiver<bool>, StartError> {
        let runtime = runtime()?;
        let mut workers = Vec::with_capacity(self.threads);
        for index in 0..self.threads {
            workers.push(Worker::start(index, &self)?);
        }
        let (ended, stopped) = watch::channel(false);
        thread::Builder::new()
            .name("prism-accept".to_owned())
            .spawn(move || {
                runtime.block_on(self.accept(listener.socket, &workers));
                for worker in workers {
                    worker.join();
                }
                ended.send_replace(true);
            })
            .map_err(|error| StartError::new(format!("cannot start a thread: {error}")))?;
        Ok(stopped)
    }

    /// Accepts until the drain begins. A connection without a place is refused.
    async fn accept(&self, listener: std::net::TcpListener, workers: &[Worker]) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "the listening socket cannot be used");
                return;
            }
        };
        let mut spare = Spare::new();
        let places = Places::new(self.max_connections, self.max_connections_per_peer);
        let mut refusals = Refusals::new();
        let accepting = async {
            let mut workers = workers.iter().cycle();
            loop {
                let (stream, peer) = match next(&listener).await {
                    Ok(accepted) => accepted,
                    Err(error) if OUT_OF_FILES.contains(&error.raw_os_error().unwrap_or(0)) => {
                        spare.shed(&listener, &mut refusals).await;
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                };
                let at = Instant::now();
                match (places.take(peer.ip()), workers.next()) {
                    (Ok(place), Some(worker)) => {
                        worker.hand_over(Accepted { stream, peer, at, place });
                    }
                    (Err(full), _) => refusals.refuse(stream, peer, full),
                    (Ok(_), None) => return,
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = self.drain.started() => {}
        }
    }
}

/// The next connection. A peer that left before it was accepted is passed over.
async fn next(listener: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream.into_std()?, peer)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file descriptor that is kept for the time when no other is left: with it a connection is
/// accepted, told and closed, and does not wait in the backlog for what may never come.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Spare(File::open("/dev/null").ok())
    }

    /// Refuses the connection that waits.
    async fn shed(&mut self, listener: &TcpListener, refusals: &mut Refusals) {
        let had = self.0.take().is_some();
        if had && let Some(Ok((stream, peer))) = next(listener).now_or_never() {
            refusals.refuse_now(&stream, peer, Full::Files);
        }
        *self = Spare::new();
        if !had || self.0.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::new(format!("cannot start an event loop: {error}")))
}
