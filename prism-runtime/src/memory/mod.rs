//! What a server holds in memory for its callers, counted against one limit.
//!
//! A [`Share`] is what one call, one job of a store or one answer holds. It is counted on the
//! [`Account`] of its connection, which counts on that of its peer and on the whole, so that
//! neither one connection nor one peer can use all of `server.max_buffered_bytes`.
//!
//! Stores do not know the transport. What they read and queue is counted on the call that is being
//! worked on by this thread: [`charge`].

mod account;
mod current;
mod peer;

pub(crate) use account::{Account, Budget, Share};
pub(crate) use peer::Peer;

/// What a read beside the event loops counts for before it is known what it finds: a connection
/// that holds too much already is refused before anything is read for it.
pub(crate) const READ_AHEAD: usize = 256 << 10;

pub(crate) use current::{charge, hand_over, keep, turns, within, within_future};
