//! How long a connection lives: greeting, calls, GOAWAY, the grace for its calls, the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::link::{Link, Stage};
use crate::config;

/// A client whose preface is not complete this long after its connection was accepted is cut off.
const GREETING: Duration = Duration::from_secs(10);
/// How long calls that were told to end may take to do so.
pub(super) const CUT: Duration = Duration::from_millis(300);
/// How long a peer without a call may take to acknowledge that it was told to go away. Then it is
/// told its last stream, which is as good for it: it knows what it may repeat.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(5);
/// Connections that were opened together are not to come back together: the age varies by this
/// part of it, up and down.
const SPREAD: f64 = 0.1;

/// How long connections live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    idle: Option<Duration>,
    age: Option<Duration>,
    grace: Duration,
    drain: Duration,
}

impl Limits {
    pub(super) fn of(config: &config::Server) -> Self {
        let limit = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
        Limits {
            idle: limit(config.idle_timeout_seconds),
            age: limit(config.max_connection_age_seconds),
            grace: Duration::from_secs(config.max_connection_grace_seconds),
            drain: Duration::from_secs(config.drain_seconds),
        }
    }

    /// How long calls in flight have when the server stops.
    pub(super) fn drain(&self) -> Duration {
        self.drain
    }
}

/// What a connection has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell the peer to go away.
    Retire(Why),
    /// End it: the greeting did not come in time.
    Silent,
    /// End it: its calls have ended, and the peer does not acknowledge that it has to go away.
    Unacknowledged,
    /// End it: its calls have had their time.
    Cut,
}

/// Why a peer is told to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Idle,
    Age,
}

/// The clock of one connection.
pub(super) struct Lifetime {
    link: Arc<Link>,
    limits: Limits,
    /// When it is old.
    old: Option<Instant>,
    /// When the peer was told to go away, and when the calls have had their time.
    told: Instant,
    end: Option<Instant>,
    phase: Phase,
    /// Absent: nothing comes by itself.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer knows the task that it wakes.
    armed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Open,
    Leaving,
    Cutting,
}

impl Lifetime {
    pub(super) fn new(link: Arc<Link>, limits: Limits) -> Self {
        let accepted = link.accepted();
        let old = limits.age.and_then(|age| accepted.checked_add(spread(age)));
        let (told, end, phase) = (accepted, None, Phase::Greeting);
        let (timer, armed) = (None, false);
        let mut lifetime = Lifetime { link, limits, old, told, end, phase, timer, armed };
        lifetime.wake_at(accepted.checked_add(GREETING));
        lifetime
    }

    /// The greeting is complete.
    pub(super) fn opened(&mut self) {
        self.phase = Phase::Open;
        self.wait_for_end();
    }

    /// The server stops, and has told the peer.
    pub(super) fn drained(&mut self) {
        self.link.reach(Stage::Draining);
        match self.phase {
            Phase::Cutting => {}
            // It may have less time left.
            Phase::Leaving if self.limits.grace <= self.limits.drain => {}
            _ => self.leave(self.limits.drain),
        }
    }

    /// What has to be done. Wakes the task when there is something. `has_sent`: whether the peer has
    /// taken all that was written.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, has_sent: impl Fn() -> bool) -> Poll<Step> {
        while let Some(timer) = &mut self.timer {
            // A look at a timer that is set is cheaper than a poll, and every turn takes it.
            if self.armed && !timer.is_elapsed() {
                return Poll::Pending;
            }
            self.armed = true;
            std::task::ready!(timer.as_mut().poll(cx));
            self.timer = None;
            match self.phase {
                Phase::Greeting => return Poll::Ready(Step::Silent),
                Phase::Open => match self.reason() {
                    Some(why) => {
                        self.link.reach(Stage::Retiring);
                        self.leave(self.limits.grace);
                        return Poll::Ready(Step::Retire(why));
                    }
                    None => self.wait_for_end(),
                },
                Phase::Leaving if self.end.is_none_or(|end| Instant::now() < end) => {
                    let quiet = self.link.idle_since().filter(|_| has_sent());
                    if !self.wait_for_acknowledgement(quiet) {
                        return Poll::Ready(Step::Unacknowledged);
                    }
                }
                Phase::Leaving => {
                    self.link.reach(Stage::Cut);
                    self.phase = Phase::Cutting;
                    self.wake_at(Instant::now().checked_add(CUT));
                }
                Phase::Cutting => return Poll::Ready(Step::Cut),
            }
        }
        Poll::Pending
    }

    fn leave(&mut self, time: Duration) {
        let now = Instant::now();
        self.phase = Phase::Leaving;
        (self.told, self.end) = (now, now.checked_add(time));
        self.wait_for_acknowledgement(Some(now));
    }

    /// Waits for a peer that has had no call since `quiet`, or has one. Whether there is time left.
    fn wait_for_acknowledgement(&mut self, quiet: Option<Instant>) -> bool {
        let now = Instant::now();
        let since = quiet.map_or(now, |quiet| quiet.max(self.told));
        let end = since.checked_add(ACKNOWLEDGEMENT);
        self.wake_at([end, self.end].into_iter().flatten().min());
        end.is_none_or(|end| now < end)
    }

    fn reason(&self) -> Option<Why> {
        let now = Instant::now();
        if self.old.is_some_and(|old| old <= now) {
            return Some(Why::Age);
        }
        let idle = self.link.idle_since()?;
        (now.saturating_duration_since(idle) >= self.limits.idle?).then_some(Why::Idle)
    }

    /// Sets the timer to when the connection can be idle or old at the earliest. A call does not
    /// move it: that would cost each call something.
    fn wait_for_end(&mut self) {
        let since = self.link.idle_since().unwrap_or_else(Instant::now);
        let idle = self.limits.idle.and_then(|idle| since.checked_add(idle));
        self.wake_at([idle, self.old].into_iter().flatten().min());
    }

    fn wake_at(&mut self, at: Option<Instant>) {
        self.armed = false;
        self.timer = at.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
    }
}

/// A duration, 10 % more or less.
fn spread(age: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    let part = 2.0 * f64::from(random) / f64::from(u32::MAX) - 1.0;
    Duration::try_from_secs_f64(age.as_secs_f64() * (1.0 + SPREAD * part)).unwrap_or(age)
}
