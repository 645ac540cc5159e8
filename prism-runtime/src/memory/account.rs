//! The budget and its shares.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Peer;
use crate::error::{Error, Reason, Result};

/// Bytes that each connection may hold without asking the whole, so that small calls touch no
/// memory that event loops share.
const ALLOWANCE: usize = 16 * 1024;
/// What is beyond the allowance is counted on peer and whole in blocks of this many bytes.
const BLOCK: usize = 16 * 1024;
/// The part of all that a connection may hold whatever its peer holds.
const SMALL: usize = 128;
/// When a refused caller may try again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// What a server may hold for all its connections: `server.max_buffered_bytes`.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Whole>);

#[derive(Debug)]
struct Whole {
    limit: usize,
    /// What a connection or a peer may always hold, if the whole has room for it.
    least: usize,
    held: AtomicUsize,
    peers: Mutex<HashMap<Peer, Weak<OfPeer>>>,
}

/// What the connections of one peer hold together.
#[derive(Debug, Default)]
struct OfPeer {
    held: AtomicUsize,
}

/// What one connection holds.
#[derive(Clone, Debug)]
pub(crate) struct Account(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    /// In bytes; the others count in blocks.
    held: AtomicUsize,
    address: Peer,
    peer: Arc<OfPeer>,
    whole: Arc<Whole>,
    /// One for what calls of the connection do one after the other.
    turns: Arc<Semaphore>,
}

/// A part of an account, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    account: Account,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes. `least` is what a connection may hold however much others hold,
    /// as long as the limit allows it: the largest message.
    pub(crate) fn new(limit: usize, least: usize) -> Self {
        let (held, peers) = (AtomicUsize::new(0), Mutex::default());
        Budget(Arc::new(Whole { limit, least, held, peers }))
    }

    /// Opens the account of a connection from this address.
    pub(crate) fn account(&self, address: IpAddr) -> Account {
        let address = Peer::of(address);
        let mut peers = self.0.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = peers.entry(address).or_default();
        let peer = known.upgrade().unwrap_or_default();
        *known = Arc::downgrade(&peer);
        let (held, whole) = (AtomicUsize::new(0), Arc::clone(&self.0));
        let turns = Arc::new(Semaphore::new(1));
        Account(Arc::new(Connection { held, address, peer, whole, turns }))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The peer is forgotten with its last connection.
        let mut peers = self.whole.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&self.peer) == 1 {
            peers.remove(&self.address);
        }
    }
}

/// What a connection that holds so many bytes counts for beyond its allowance.
fn counted(held: usize) -> usize {
    held.saturating_sub(ALLOWANCE).next_multiple_of(BLOCK)
}

impl Account {
    /// A share that holds nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { account: self.clone(), bytes: 0 }
    }

    /// Adds to what is held, unless that is more than the connection, its peer or all together
    /// may hold. A connection may hold at most half of what is free, and a peer as much as is free, so
    /// that something is left for the next caller. A connection that holds little is not
    /// refused for what others of its peer hold, while a quarter of all is free for other peers.
    fn grow(&self, bytes: usize) -> Result<()> {
        let Connection { held, peer, whole, .. } = &*self.0;
        let before = held.fetch_add(bytes, Relaxed);
        let own = counted(before + bytes);
        let more = own - counted(before);
        if more == 0 {
            return Ok(());
        }
        let of_all = whole.held.fetch_add(more, Relaxed) + more;
        let of_peer = peer.held.fetch_add(more, Relaxed) + more;
        let free = whole.limit.saturating_sub(of_all);
        let of_connection = own <= (free / 2).max(whole.least);
        let fair = of_peer <= free.max(whole.least) && of_connection;
        let small = own <= whole.limit / SMALL && of_all <= whole.limit / 4 * 3;
        if of_all <= whole.limit && (fair || small) {
            return Ok(());
        }
        self.shrink(bytes);
        Err(overloaded(if of_all > whole.limit {
            "the server holds"
        } else if of_connection {
            "the caller's address holds"
        } else {
            "the connection holds"
        }))
    }

    /// Adds to what is held, whether it fits or not.
    fn grow_beyond(&self, bytes: usize) {
        let Connection { held, peer, whole, .. } = &*self.0;
        let before = held.fetch_add(bytes, Relaxed);
        let more = counted(before + bytes) - counted(before);
        if more > 0 {
            whole.held.fetch_add(more, Relaxed);
            peer.held.fetch_add(more, Relaxed);
        }
    }

    fn shrink(&self, bytes: usize) {
        let Connection { held, peer, whole, .. } = &*self.0;
        let before = held.fetch_sub(bytes, Relaxed);
        let less = counted(before) - counted(before - bytes);
        if less > 0 {
            whole.held.fetch_sub(less, Relaxed);
            peer.held.fetch_sub(less, Relaxed);
        }
    }
}

impl Share {
    /// A share of the same account that holds nothing yet.
    pub(crate) fn sibling(&self) -> Share {
        self.account.share()
    }

    /// What its connection's calls take in turn for what they do one after the other.
    pub(crate) fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.account.0.turns)
    }

    /// Adds to what the share holds.
    ///
    /// # Errors
    ///
    /// OVERLOADED if it is too much; the share then holds what it held.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<()> {
        self.account.grow(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Sets what the share holds.
    ///
    /// # Errors
    ///
    /// OVERLOADED if it is too much; the share then holds what it held.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.bytes {
            return self.add(bytes - self.bytes);
        }
        self.account.shrink(self.bytes - bytes);
        self.bytes = bytes;
        Ok(())
    }

    /// Sets what the share holds, for what cannot be refused any more. What comes next is.
    pub(crate) fn settle(&mut self, bytes: usize) {
        match bytes.cmp(&self.bytes) {
            Ordering::Greater => self.account.grow_beyond(bytes - self.bytes),
            Ordering::Less => self.account.shrink(self.bytes - bytes),
            Ordering::Equal => {}
        }
        self.bytes = bytes;
    }

    /// Bytes that the share holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Moves all that the share holds to a new one.
    pub(crate) fn split(&mut self) -> Share {
        Share { account: self.account.clone(), bytes: std::mem::take(&mut self.bytes) }
    }

    /// Adds what another share holds, which may be of another account.
    pub(crate) fn merge(&mut self, mut other: Share) {
        if Arc::ptr_eq(&self.account.0, &other.account.0) {
            self.bytes += std::mem::take(&mut other.bytes);
        } else {
            self.settle(self.bytes + other.bytes);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.account.shrink(self.bytes);
        }
    }
}

/// `who` is the one whose part of the budget is used up.
fn overloaded(who: &str) -> Error {
    let message =
        format!("{who} as much for calls at the same time as server.max_buffered_bytes allows it");
    Error::new(Reason::Overloaded, message).with_retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MIB: usize = 1 << 20;

    fn held(budget: &Budget) -> usize {
        budget.0.held.load(Relaxed)
    }

    #[test]
    fn a_share_gives_back_what_it_took() {
        let budget = Budget::new(64 * MIB, MIB);
        let account = budget.account([127, 0, 0, 1].into());
        let mut share = account.share();
        share.set(ALLOWANCE).unwrap();
        assert_eq!(held(&budget), 0);
        share.set(ALLOWANCE + 1).unwrap();
        assert_eq!(held(&budget), BLOCK);
        share.set(3 * MIB).unwrap();
        let mut other = share.split();
        other.settle(5 * MIB);
        share.merge(other);
        assert_eq!((share.bytes(), held(&budget)), (5 * MIB, 5 * MIB - ALLOWANCE));
        share.set(10).unwrap();
        assert_eq!(held(&budget), 0);
        drop((share, account));
        assert!(budget.0.peers.lock().unwrap().is_empty());
    }

    #[test]
    fn neither_a_connection_nor_a_peer_takes_all() {
        let budget = Budget::new(96 * MIB, MIB);
        let of = |last| budget.account([127, 0, 0, last].into());
        let fill = |account: &Account| {
            let mut share = account.share();
            while share.add(MIB / 4).is_ok() {}
            share
        };
        let first = fill(&of(1));
        assert!((30 * MIB..=32 * MIB).contains(&first.bytes()), "{}", first.bytes());
        let rest: Vec<Share> = (0..100).map(|_| fill(&of(1))).collect();
        let of_peer = first.bytes() + rest.iter().map(Share::bytes).sum::<usize>();
        assert!((46 * MIB..=73 * MIB).contains(&of_peer), "{of_peer}");
        let others: Vec<Share> = (2..6).map(|peer| fill(&of(peer))).collect();
        assert!(others.iter().all(|share| share.bytes() > MIB));
        assert!(held(&budget) <= 96 * MIB);
        // One more of the first peer, which wants little, comes too late; of another one it does not.
        assert!(of(1).share().set(MIB / 2).is_err());
        of(77).share().set(MIB / 2).unwrap();
        drop((first, rest, others));
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn the_largest_message_fits_into_a_budget_that_is_no_larger() {
        let budget = Budget::new(MIB, MIB);
        let account = budget.account([127, 0, 0, 1].into());
        let mut share = account.share();
        share.set(MIB).unwrap();
        assert_eq!(share.add(MIB).unwrap_err().reason(), Reason::Overloaded);
        assert_eq!(share.bytes(), MIB);
    }
}
