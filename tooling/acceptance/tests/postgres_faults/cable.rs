//! The network between a proxy and its database, which a test can cut and heal.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everything arrives.
    Whole,
    /// Connections are closed, and new ones too.
    Cut,
    /// Nothing arrives, and nobody is told. What was sent meanwhile arrives after healing.
    Silent,
}

/// A listener that hands everything on to a server.
pub struct Cable {
    port: u16,
    server: watch::Sender<u16>,
    network: watch::Sender<Network>,
    task: JoinHandle<()>,
}

impl Cable {
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = watch::Sender::new(Network::Whole);
        let server = watch::Sender::new(server);
        let task = tokio::spawn(accept(listener, server.subscribe(), network.clone()));
        Cable { port, server, network, task }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// New connections reach this server. Those that there are go on with the old one.
    pub fn leads_to(&self, server: u16) {
        self.server.send_replace(server);
    }

    pub fn becomes(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: watch::Receiver<u16>,
    network: watch::Sender<Network>,
) {
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        let mut network = network.subscribe();
        let server = *server.borrow();
        tokio::spawn(async move {
            let heard = network.wait_for(|network| *network != Network::Silent).await;
            if heard.map_or(Network::Cut, |network| *network) == Network::Cut {
                return;
            }
            let address = SocketAddr::from(([127, 0, 0, 1], server));
            let Ok(far) = TcpStream::connect(address).await else { return };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            let mut cut = network.clone();
            tokio::select! {
                () = carry(near_read, far_write, network.clone()) => {}
                () = carry(far_read, near_write, network) => {}
                _ = cut.wait_for(|network| *network == Network::Cut) => {}
            }
        });
    }
}

/// Hands on what arrives, as long as anything does.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        if network.wait_for(|network| *network != Network::Silent).await.is_err() {
            return;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
