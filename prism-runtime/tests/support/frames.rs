//! A client of frames: it says and sees every one, and does nothing by itself.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
pub const NO_ERROR: u32 = 0;
pub const ENHANCE_YOUR_CALM: u32 = 11;
/// Every stream, as the first GOAWAY of a graceful end has it.
pub const EVERY: u32 = u32::MAX >> 1;

/// What all waiting is bounded by.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Frames {
    pub stream: TcpStream,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frames {
    /// Connects, and says nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        Frames { stream: TcpStream::connect(address).await.unwrap() }
    }

    /// As [`Frames::connect`], from another address of this machine.
    pub async fn connect_from(source: &str, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
        Frames { stream: socket.connect(address).await.unwrap() }
    }

    /// Connects and sends the preface.
    pub async fn open(address: SocketAddr) -> Self {
        let mut frames = Frames::connect(address).await;
        frames.greet().await;
        frames
    }

    /// Sends the preface.
    pub async fn greet(&mut self) {
        self.stream.write_all(PREFACE).await.unwrap();
        self.send(SETTINGS, 0, 0, b"").await;
    }

    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        // The server may have closed.
        let _ = self.stream.write_all(&frame).await;
    }

    /// Sends the headers and the message of a call.
    pub async fn call(&mut self, stream: u32, path: &str, message: &[u8]) {
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            block.push(0);
            for text in [name, value] {
                assert!(text.len() < 127);
                block.push(text.len() as u8);
                block.extend(text.as_bytes());
            }
        }
        self.send(HEADERS, END_HEADERS, stream, &block).await;
        let mut data = vec![0];
        data.extend((message.len() as u32).to_be_bytes());
        data.extend(message);
        self.send(DATA, END_STREAM, stream, &data).await;
    }

    /// The next frame; none at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("a frame, or the end")
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        self.stream.read_exact(&mut header).await.ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of a kind.
    pub async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("no frame of kind {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The next frame of a kind, however long it takes.
    pub async fn read_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.read().await.unwrap_or_else(|| panic!("no frame of kind {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads to the end, however long it takes.
    pub async fn until_closed(&mut self) {
        while self.read().await.is_some() {}
    }

    /// Last stream and reason of the next GOAWAY.
    pub async fn goes_away(&mut self) -> (u32, u32) {
        self.next_of(GOAWAY).await.go_away()
    }

    /// Reads to the end: every GOAWAY before it.
    pub async fn end(&mut self) -> Vec<(u32, u32)> {
        let mut seen = Vec::new();
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                seen.push(frame.go_away());
            }
        }
        seen
    }
}

impl Frame {
    pub fn go_away(&self) -> (u32, u32) {
        let number = |at| u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap());
        (number(0), number(4))
    }
}
