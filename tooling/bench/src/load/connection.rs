//! One HTTP/2 connection of the generator (RFC 9113): frames, flow control and calls in flight.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::hpack::{RequestHeaders, Status, StatusReader};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
const DEFAULT_WINDOW: u32 = 65_535;
/// Streams that may be between the oldest and the newest call in flight.
const SLOTS: usize = 1 << 14;

/// An answered call.
#[derive(Debug)]
pub struct Answer<'a> {
    /// When it was, or should have been, sent.
    pub sent: Instant,
    /// What the caller gave for it.
    pub tag: u64,
    /// Whether it ended with `grpc-status: 0`.
    pub ok: bool,
    /// The message's bytes with gRPC's prefix.
    pub body: &'a [u8],
}

#[derive(Clone, Debug)]
struct Slot {
    stream: u32,
    sent: Instant,
    tag: u64,
    body: Vec<u8>,
}

/// A connection on which one method is called.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    headers: RequestHeaders,
    statuses: StatusReader,
    input: Vec<u8>,
    output: Vec<u8>,
    slots: Vec<Slot>,
    next_stream: u32,
    in_flight: usize,
    /// Bytes that the server lets us send on the connection.
    send_window: i64,
    /// Bytes received since the last window update.
    received: u32,
}

impl Connection {
    /// Connects, without waiting for the server's settings: the defaults hold until then.
    pub async fn open(address: SocketAddr, path: &str) -> io::Result<Connection> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let mut output = PREFACE.to_vec();
        frame(&mut output, SETTINGS, 0, 0, 6);
        output.extend(SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes());
        output.extend(LARGEST_WINDOW.to_be_bytes());
        window_update(&mut output, LARGEST_WINDOW - DEFAULT_WINDOW);
        let empty = Slot { stream: 0, sent: Instant::now(), tag: 0, body: Vec::new() };
        Ok(Connection {
            socket,
            headers: RequestHeaders::new(&address.to_string(), path),
            statuses: StatusReader::default(),
            input: Vec::with_capacity(256 << 10),
            output,
            slots: vec![empty; SLOTS],
            next_stream: 1,
            in_flight: 0,
            send_window: i64::from(DEFAULT_WINDOW),
            received: 0,
        })
    }

    /// Calls that wait for their answer.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether flow control lets a message of this length be sent now.
    pub fn may_send(&self, length: usize) -> bool {
        self.send_window >= 5 + length as i64
    }

    /// Queues a call; [`Connection::flush`] sends what is queued.
    pub fn send(&mut self, message: &[u8], tag: u64, sent: Instant) {
        let stream = self.next_stream;
        self.next_stream += 2;
        let block = self.headers.block(stream == 1);
        frame(&mut self.output, HEADERS, END_HEADERS, stream, block.len());
        self.output.extend_from_slice(block);
        frame(&mut self.output, DATA, END_STREAM, stream, 5 + message.len());
        self.output.push(0);
        self.output.extend((message.len() as u32).to_be_bytes());
        self.output.extend_from_slice(message);
        self.send_window -= 5 + message.len() as i64;
        self.in_flight += 1;
        let slot = &mut self.slots[(stream as usize / 2) % SLOTS];
        slot.stream = stream;
        slot.sent = sent;
        slot.tag = tag;
        slot.body.clear();
    }

    /// Sends what is queued, in one system call where the socket takes it.
    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.socket.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Reads once, and reports every call that is then answered. Safe to cancel.
    pub async fn receive(&mut self, mut answered: impl FnMut(Answer<'_>)) -> io::Result<()> {
        if self.socket.read_buf(&mut self.input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let input = std::mem::take(&mut self.input);
        let mut at = 0;
        while let Some(header) = input.get(at..at + FRAME_HEADER) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
            let (kind, flags) = (header[3], header[4]);
            let Some(payload) = input.get(at + FRAME_HEADER..at + FRAME_HEADER + length) else {
                break;
            };
            at += FRAME_HEADER + length;
            self.frame(kind, flags, stream & LARGEST_WINDOW, payload, &mut answered)?;
        }
        self.input = input;
        self.input.drain(..at);
        Ok(())
    }

    fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        answered: &mut impl FnMut(Answer<'_>),
    ) -> io::Result<()> {
        match kind {
            DATA => self.data(flags, stream, payload),
            HEADERS if flags & (END_HEADERS | PADDED | PRIORITY) == END_HEADERS => {
                let status = self.statuses.read(payload).ok_or_else(|| broken("headers"))?;
                if flags & END_STREAM != 0 {
                    self.end(stream, status == Status::Ok, answered);
                }
            }
            HEADERS | CONTINUATION => return Err(broken("headers in several frames")),
            RST_STREAM => self.end(stream, false, answered),
            SETTINGS if flags & ACK == 0 => frame(&mut self.output, SETTINGS, ACK, 0, 0),
            PING if flags & ACK == 0 => {
                frame(&mut self.output, PING, ACK, 0, payload.len());
                self.output.extend_from_slice(payload);
            }
            GOAWAY => return Err(broken("the server goes away")),
            // A stream's own window is never used up: a call sends one small message.
            WINDOW_UPDATE if stream == 0 => {
                let bytes = payload.try_into().map_err(|_| broken("window update"))?;
                self.send_window += i64::from(u32::from_be_bytes(bytes));
            }
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, flags: u8, stream: u32, payload: &[u8]) {
        self.received += payload.len() as u32;
        if self.received > LARGEST_WINDOW / 4 {
            window_update(&mut self.output, self.received);
            self.received = 0;
        }
        let slot = &mut self.slots[(stream as usize / 2) % SLOTS];
        if slot.stream == stream && flags & PADDED == 0 {
            slot.body.extend_from_slice(payload);
        }
    }

    fn end(&mut self, stream: u32, ok: bool, answered: &mut impl FnMut(Answer<'_>)) {
        let slot = &mut self.slots[(stream as usize / 2) % SLOTS];
        if slot.stream == stream {
            slot.stream = 0;
            self.in_flight -= 1;
            answered(Answer { sent: slot.sent, tag: slot.tag, ok, body: &slot.body });
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Appends a frame's header.
fn frame(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, length: usize) {
    output.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    output.extend_from_slice(&[kind, flags]);
    output.extend_from_slice(&stream.to_be_bytes());
}

fn window_update(output: &mut Vec<u8>, by: u32) {
    frame(output, WINDOW_UPDATE, 0, 0, 4);
    output.extend_from_slice(&by.to_be_bytes());
}
