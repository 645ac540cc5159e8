//! What a command that runs until it is stopped waits for.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// SIGINT (Ctrl-C), SIGTERM or SIGHUP.
    Stop,
    /// The program that was started has ended.
    Ended(io::Result<ExitStatus>),
}

/// Where events come from; signals do not end this process any more.
pub struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
}

impl Events {
    /// Begins to listen for signals.
    pub fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let (ready, is_ready) = mpsc::sync_channel(1);
        let signals = sender.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Nobody is left to be told where the other end is gone.
            let _ = match runtime {
                Ok(runtime) => runtime.block_on(forward(&signals, &ready)),
                Err(error) => ready.send(Err(error)).map_err(io::Error::other),
            };
        });
        is_ready.recv().map_err(io::Error::other)??;
        Ok(Events { sender, receiver })
    }

    /// Tells the end of a program too.
    pub fn watch(&self, mut child: Child) {
        let sender = self.sender.clone();
        thread::spawn(move || sender.send(Event::Ended(child.wait())));
    }

    /// The events.
    pub fn receiver(&self) -> &Receiver<Event> {
        &self.receiver
    }
}

async fn forward(
    events: &Sender<Event>,
    ready: &mpsc::SyncSender<io::Result<()>>,
) -> io::Result<()> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let listening: io::Result<Vec<_>> = kinds.into_iter().map(signal).collect();
    let mut listening = match listening {
        Ok(listening) => listening,
        Err(error) => return ready.send(Err(error)).map_err(io::Error::other),
    };
    ready.send(Ok(())).map_err(io::Error::other)?;
    let [interrupt, terminate, hangup] = &mut listening[..] else { return Ok(()) };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        events.send(Event::Stop).map_err(io::Error::other)?;
    }
}
