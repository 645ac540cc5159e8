//! The places for connections, and how many of them one peer may take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory::Peer;

/// One peer may take this part of all places if the settings do not say how many.
const PART_OF_PEER: usize = 4;

/// The places of a server.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    of_peer: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<Peer, usize>,
}

/// A place of a connection. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    peer: Peer,
}

/// The limit that leaves no place for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// `server.max_connections`.
    Server,
    /// `server.max_connections_per_peer`.
    Peer,
    /// The files that the process may have open.
    Files,
}

impl Places {
    /// Places for so many connections. `of_peer` of them are for one peer at most; 0: a quarter.
    pub(super) fn new(all: usize, of_peer: usize) -> Arc<Self> {
        let of_peer = match of_peer {
            0 => (all / PART_OF_PEER).max(1),
            of_peer => of_peer,
        };
        Arc::new(Places { all, of_peer, taken: Mutex::default() })
    }

    /// Takes a place for a connection of this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let peer = Peer::of(address);
        let mut taken = self.lock();
        if taken.all >= self.all {
            return Err(Full::Server);
        }
        let of_peer = taken.by_peer.entry(peer).or_default();
        if *of_peer >= self.of_peer {
            return Err(Full::Peer);
        }
        *of_peer += 1;
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), peer })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(of_peer) = taken.by_peer.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
    }
}

impl Full {
    /// The name of the setting, or of the system's limit.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Full::Server => "server.max_connections",
            Full::Peer => "server.max_connections_per_peer",
            Full::Files => "open files of the process",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        places.take(address.parse().unwrap())
    }

    #[test]
    fn a_peer_has_its_share_and_gives_it_back() {
        let places = Places::new(8, 0);
        let first = take(&places, "192.0.2.1").unwrap();
        // The same peer, as a socket of both families sees it.
        let _second = take(&places, "::ffff:192.0.2.1").unwrap();
        assert_eq!(take(&places, "192.0.2.1").unwrap_err(), Full::Peer);
        let _other = take(&places, "192.0.2.2").unwrap();
        drop(first);
        let _third = take(&places, "192.0.2.1").unwrap();
        assert_eq!(take(&places, "192.0.2.1").unwrap_err(), Full::Peer);
    }

    #[test]
    fn an_ipv6_peer_is_its_network() {
        let places = Places::new(10, 1);
        let one = take(&places, "2001:db8:0:1::1").unwrap();
        assert_eq!(take(&places, "2001:db8:0:1:ffff::2").unwrap_err(), Full::Peer);
        let _other = take(&places, "2001:db8:0:2::1").unwrap();
        drop(one);
        let _again = take(&places, "2001:db8:0:1:ffff::2").unwrap();
    }

    #[test]
    fn all_places_together_are_a_limit() {
        let places = Places::new(2, 2);
        let held = [take(&places, "192.0.2.1").unwrap(), take(&places, "192.0.2.2").unwrap()];
        assert_eq!(take(&places, "192.0.2.3").unwrap_err(), Full::Server);
        drop(held);
        assert!(places.lock().by_peer.is_empty());
        assert_eq!(places.lock().all, 0);
        // A server of few places still has one for each peer.
        take(&Places::new(1, 0), "192.0.2.1").unwrap();
    }
}
