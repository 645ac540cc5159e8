//! What a write does to an item: current state and command in, the version to store out.
//!
//! Writes to an item are ordered by token; what has the largest is stored, and with the same token
//! a delete wins over a put, and the first put over the second. An expired item is a delete with
//! the token that it was written with.

const MICROS_A_SECOND: i64 = 1_000_000;

/// Where a write stands among the writes of an item, and when it was made. All times are
/// microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// What orders the write.
    pub token: Token,
    /// The server's time.
    pub now: i64,
    /// For how long after its token a delete is remembered, in microseconds.
    pub remembered: i64,
}

/// What orders a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The client's token.
    Client(i64),
    /// The server's time, or one more than the stored token: the write wins.
    Server,
}

/// What is stored of an item, its value left aside. A deleted item is stored too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Token of the last write.
    pub token: i64,
    /// Whether the last write deleted it.
    pub deleted: bool,
    /// From when on it is gone.
    pub expires_at: Option<i64>,
    /// When it was created, in milliseconds.
    pub created_at_millis: i64,
}

/// What a client says of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// `prism.common.CompressionType`.
    pub compression: i32,
    /// 0: kept.
    pub ttl_seconds: i64,
}

/// What is to be stored of an item, its value left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The token that the next write is compared with.
    pub token: i64,
    /// `None`: deleted.
    pub content: Option<Content>,
    /// From when on it is gone.
    pub expires_at: Option<i64>,
    /// When it was created, in milliseconds.
    pub created_at_millis: i64,
    /// When it was written, in milliseconds.
    pub updated_at_millis: i64,
    /// After when nothing need be known of it any more.
    pub removable_at: Option<i64>,
}

/// How a delete reaches an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By its key: remembered, stored or not.
    Named,
    /// By a predicate that covers it: remembered where the item is there.
    Covered,
}

/// What a delete does to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// What to store, if anything.
    pub version: Option<Version>,
    /// Whether the item was there and is gone.
    pub gone: bool,
}

/// What CompareAndSwap does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The item is as expected: store this, if anything.
    Succeeds(Option<Version>),
    /// The item is not as expected.
    Fails,
}

impl Current {
    /// Whether a reader finds the item.
    pub fn is_visible(&self, now: i64) -> bool {
        !self.deleted && self.expires_at.is_none_or(|end| now < end)
    }
}

impl Stamp {
    fn token_after(&self, stored: Option<i64>) -> i64 {
        match self.token {
            Token::Client(token) => token,
            Token::Server => self.now.max(stored.map_or(i64::MIN, |token| token.saturating_add(1))),
        }
    }

    /// The time that a TTL counts from: that of the client's token, or of the write.
    fn time(&self) -> i64 {
        match self.token {
            Token::Client(token) => token,
            Token::Server => self.now,
        }
    }

    fn millis(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    fn tombstone(&self, token: i64) -> Version {
        Version {
            token,
            content: None,
            expires_at: None,
            created_at_millis: self.millis(),
            updated_at_millis: self.millis(),
            removable_at: Some(token.saturating_add(self.remembered)),
        }
    }

    fn value(&self, current: Option<&Current>, token: i64, content: Content) -> Version {
        let expires_at = (content.ttl_seconds > 0).then(|| {
            self.time().saturating_add(content.ttl_seconds.saturating_mul(MICROS_A_SECOND))
        });
        let overwritten = current.filter(|current| current.is_visible(self.now));
        Version {
            token,
            content: Some(content),
            expires_at,
            created_at_millis: overwritten
                .map_or_else(|| self.millis(), |current| current.created_at_millis),
            updated_at_millis: self.millis(),
            removable_at: expires_at.map(|end| end.max(token.saturating_add(self.remembered))),
        }
    }
}

/// A put. `None`: what is stored stays.
pub fn put(current: Option<&Current>, content: Content, stamp: &Stamp) -> Option<Version> {
    let token = stamp.token_after(current.map(|current| current.token));
    let stays = current.is_some_and(|current| current.token >= token);
    (!stays).then(|| stamp.value(current, token, content))
}

/// A delete.
pub fn delete(current: Option<&Current>, reach: Reach, stamp: &Stamp) -> Deletion {
    let visible = current.is_some_and(|current| current.is_visible(stamp.now));
    let token = stamp.token_after(current.map(|current| current.token));
    let wins = current.is_none_or(|current| {
        current.token < token || (current.token == token && !current.deleted)
    });
    if !wins || (reach == Reach::Covered && !visible) {
        return Deletion { version: None, gone: false };
    }
    Deletion { version: Some(stamp.tombstone(token)), gone: visible }
}

/// A CompareAndSwap. `matches` says whether the visible item, or its absence, is as expected;
/// `content` is that of the new value, if there is one. The stamp's token is the server's.
pub fn swap(
    current: Option<&Current>,
    matches: bool,
    content: Option<Content>,
    stamp: &Stamp,
) -> Swap {
    if !matches {
        return Swap::Fails;
    }
    Swap::Succeeds(match content {
        Some(content) => put(current, content, stamp),
        None => delete(current, Reach::Covered, stamp).version,
    })
}
