//! Connections for which there is no place. They are told so, so that their clients go elsewhere
//! instead of waiting.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::frames::{ENHANCE_YOUR_CALM, SETTINGS, go_away};
use super::places::Full;

/// Refused connections that are waited for at the same time. Further ones are told and closed.
const AT_ONCE: usize = 256;
/// How long a refused peer may take to read the refusal and to close.
const LINGER: Duration = Duration::from_secs(1);
/// Time between two lines in the log.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Refuses connections, on the runtime that it is called on.
#[derive(Debug)]
pub(super) struct Refusals {
    room: Arc<Semaphore>,
    /// Refused since the last line in the log.
    count: u64,
    said: Option<Instant>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Refusals { room: Arc::new(Semaphore::new(AT_ONCE)), count: 0, said: None }
    }

    /// Tells a peer that no stream of its connection was begun, and closes the connection.
    pub(super) fn refuse(&mut self, stream: std::net::TcpStream, peer: SocketAddr, full: Full) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            self.refuse_now(&stream, peer, full);
            return;
        };
        self.say(peer, full);
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        tokio::spawn(async move {
            // A peer that has gone, or does not listen, is not worth more.
            let _ = tokio::time::timeout(LINGER, tell(stream)).await;
            drop(permit);
        });
    }

    /// As [`Refusals::refuse`], and closes at once.
    pub(super) fn refuse_now(
        &mut self,
        mut stream: &std::net::TcpStream,
        peer: SocketAddr,
        full: Full,
    ) {
        self.say(peer, full);
        // It fits into the empty buffer of the socket, or the peer has gone.
        let _ = stream.write(&farewell());
    }

    /// A flood of connections is not to flood the log.
    fn say(&mut self, peer: SocketAddr, full: Full) {
        let limit = full.limit();
        tracing::debug!(target: "prism::connection", %peer, limit, "connection refused");
        self.count += 1;
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.said = Some(Instant::now());
            let count = std::mem::take(&mut self.count);
            tracing::warn!(%peer, limit, count, "connections are refused: every place is taken");
        }
    }
}

/// Says GOAWAY with no stream begun, and reads what the peer has sent already: closing with
/// something unread would reset the connection, and the peer would not see the GOAWAY.
async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(&farewell()).await?;
    stream.shutdown().await?;
    let mut scratch = [0; 4096];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

fn farewell() -> Vec<u8> {
    let mut farewell = SETTINGS.to_vec();
    farewell.extend(go_away(0, ENHANCE_YOUR_CALM));
    farewell
}
