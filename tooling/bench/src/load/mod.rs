//! The load generator: raw HTTP/2 frames on one thread, since a client library would be the
//! bottleneck before the server is.

mod connection;
mod hpack;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::probe::{Cpu, CpuUse};
use connection::{Answer, Connection};

/// How long answers are awaited after the last call was sent.
const DRAIN: Duration = Duration::from_secs(10);
/// Streams that servers permit at once by default are 200 or more.
const MOST_IN_FLIGHT: usize = 190;

/// The calls that one connection makes: one method, messages of the implementor's choice.
pub trait Calls: Send {
    /// The method's path.
    fn path(&self) -> &'static str;
    /// Writes the next request message into an empty buffer, and returns what identifies it.
    /// `None` ends the connection's work.
    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64>;
    /// Takes an answer's message. False where it is not what it must be.
    fn answered(&mut self, tag: u64, message: &[u8]) -> bool;
}

/// When calls are made.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// A call as soon as another one was answered, so many in flight on each connection.
    Closed {
        /// Calls in flight on each connection.
        in_flight: usize,
    },
    /// So many calls a second on each connection, whatever the server does. A call's latency
    /// counts from when it should have been sent. The clock ticks once a millisecond.
    Open {
        /// Calls a second on each connection.
        rate: f64,
    },
}

/// What is measured, for how long.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Time before anything is counted.
    pub warm_up: Duration,
    /// Time in which answers are counted.
    pub length: Duration,
}

/// What a window measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// Answers in the window.
    pub answers: u64,
    /// Answers, in the window or not, with a status other than OK or another message than
    /// expected.
    pub wrong: u64,
    /// Latencies in the window, in microseconds, sorted.
    pub latencies: Vec<u32>,
    /// CPU time that the server, and everybody else, had in the window.
    pub cpu: CpuUse,
    /// Length of the window.
    pub length: Duration,
}

impl Measured {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.length.as_secs_f64()
    }

    /// A quantile of the latencies, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * quantile).round() as usize;
        self.latencies.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1000.0)
    }
}

/// Makes the calls, one connection for each element of `calls`, and gives them back with what
/// was measured, with the CPU time of the processes `server` and `postgres`. Every call that was
/// made has its answer when this returns.
pub fn run<C: Calls + 'static>(
    address: SocketAddr,
    (server, postgres): (u32, Option<u32>),
    calls: Vec<C>,
    pace: Pace,
    window: Window,
) -> io::Result<(Measured, Vec<C>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now() + window.warm_up;
        let end = start + window.length;
        let mut connections = JoinSet::new();
        for calls in calls {
            connections.spawn(work(address, calls, pace, start, end));
        }
        let finished = async {
            let mut all = Vec::new();
            while let Some(done) = connections.join_next().await {
                all.push(done.map_err(io::Error::other)?);
            }
            io::Result::Ok(all)
        };
        let measuring = async {
            sleep_until(start.into()).await;
            let before = Cpu::now(Some(server), postgres);
            sleep_until(end.into()).await;
            before.used()
        };
        let (finished, cpu) = tokio::join!(finished, measuring);
        let mut measured = Measured { cpu, length: window.length, ..Measured::default() };
        let mut calls = Vec::new();
        for done in finished? {
            let (tally, one) = done?;
            measured.answers += tally.latencies.len() as u64;
            measured.wrong += tally.wrong;
            measured.latencies.extend(tally.latencies);
            calls.push(one);
        }
        measured.latencies.sort_unstable();
        Ok((measured, calls))
    })
}

/// Makes calls that come to an end, as fast as answers come. How many answers were wrong.
pub fn complete<C: Calls + 'static>(
    address: SocketAddr,
    calls: Vec<C>,
    in_flight: usize,
) -> io::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let far = Instant::now() + Duration::from_secs(3600);
        let mut connections = JoinSet::new();
        for calls in calls {
            connections.spawn(work(address, calls, Pace::Closed { in_flight }, far, far));
        }
        let mut wrong = 0;
        while let Some(done) = connections.join_next().await {
            wrong += done.map_err(io::Error::other)??.0.wrong;
        }
        Ok(wrong)
    })
}

#[derive(Default)]
struct Tally {
    wrong: u64,
    latencies: Vec<u32>,
}

/// One connection's work.
async fn work<C: Calls>(
    address: SocketAddr,
    mut calls: C,
    pace: Pace,
    start: Instant,
    end: Instant,
) -> io::Result<(Tally, C)> {
    let mut connection = Connection::open(address, calls.path()).await?;
    let mut tally = Tally::default();
    let mut sender = Sender { pace, end, due: Instant::now(), message: Vec::new(), held: None };
    loop {
        sender.send_what_is_due(&mut connection, &mut calls);
        connection.flush().await?;
        let now = Instant::now();
        if sender.is_done(now) && connection.in_flight() == 0 {
            return Ok((tally, calls));
        }
        let receive = connection.receive(|answer: Answer<'_>| {
            let now = Instant::now();
            // Behind gRPC's prefix of five bytes.
            let message = answer.body.get(5..).unwrap_or_default();
            if !(answer.ok && calls.answered(answer.tag, message)) {
                tally.wrong += 1;
            }
            if now >= start && now < end {
                let latency = now.saturating_duration_since(answer.sent).as_micros();
                tally.latencies.push(u32::try_from(latency).unwrap_or(u32::MAX));
            }
        });
        match sender.next_wake(now) {
            None => match timeout(DRAIN, receive).await {
                Ok(received) => received?,
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in 10 s")),
            },
            Some(wake) => {
                tokio::select! {
                    biased;
                    received = receive => received?,
                    () = sleep_until(wake.into()) => {}
                }
            }
        }
    }
}

/// Decides when the next call is made.
struct Sender {
    pace: Pace,
    end: Instant,
    /// When the next call of an open loop should be sent.
    due: Instant,
    message: Vec<u8>,
    /// A message that waits for flow control.
    held: Option<u64>,
}

impl Sender {
    fn send_what_is_due<C: Calls>(&mut self, connection: &mut Connection, calls: &mut C) {
        let now = Instant::now();
        while !self.is_done(now) {
            let sent = match self.pace {
                Pace::Closed { in_flight } if connection.in_flight() < in_flight => now,
                Pace::Open { .. } if self.due <= now && connection.in_flight() < MOST_IN_FLIGHT => {
                    self.due
                }
                _ => return,
            };
            if self.held.is_none() {
                self.message.clear();
                self.held = calls.next(&mut self.message);
            }
            let Some(tag) = self.held else {
                self.end = now;
                return;
            };
            if !connection.may_send(self.message.len()) {
                return;
            }
            connection.send(&self.message, tag, sent);
            self.held = None;
            if let Pace::Open { rate } = self.pace {
                self.due += Duration::from_secs_f64(1.0 / rate);
            }
        }
    }

    fn is_done(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// When to send again although nothing was received; never in a closed loop.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        match self.pace {
            Pace::Open { .. } if !self.is_done(now) => Some(self.due.min(self.end)),
            _ => None,
        }
    }
}
