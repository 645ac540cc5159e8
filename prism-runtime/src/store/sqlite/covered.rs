//! A Delete of all that a predicate covers, made in parts.

use std::sync::Arc;

use rusqlite::Connection;

use super::keyvalue::{CHUNK, REMOVED_BYTES, Write, key_after};
use super::unfinished::{Rest, Seen, Unfinished};
use super::writer::Part;
use crate::Result;
use crate::keyvalue::decide::Reach;
use crate::keyvalue::limits::KEY_BYTES;
use crate::store::keyvalue::{RecordDelete, Target};

/// Behind every key, which is at most as long as this is but for one byte.
const LAST_KEY: [u8; KEY_BYTES + 1] = [0xFF; KEY_BYTES + 1];

/// How many times a transaction reads and writes [`CHUNK`] rows, if their values are short: about
/// 20 ms, for which other writers wait.
const CHUNKS: u32 = 2;

/// A Delete of all that a predicate covers. If one part is not enough, the first one makes it: see
/// [`super::unfinished`].
pub(super) struct Covered {
    target: Target,
    rest: Rest,
    gone: u64,
    state: State,
    unfinished: Arc<Unfinished>,
}

#[derive(Clone, Copy)]
enum State {
    /// Nothing says that the Delete is made.
    New,
    /// The table says that it is made, and what is left to do.
    Made,
    /// Nothing is left to do, and no other Delete has anything left, once that is committed.
    Removed(Seen),
}

impl Covered {
    pub(super) fn new(delete: RecordDelete, unfinished: Arc<Unfinished>) -> Self {
        let (start, end) = delete.selection.bounds();
        let rest = Rest {
            id: delete.target.id.clone(),
            next: start.to_vec(),
            end: end.unwrap_or(&LAST_KEY).to_vec(),
            stamp: delete.stamp,
        };
        Covered { target: delete.target, rest, gone: 0, state: State::New, unfinished }
    }

    pub(super) fn delete_next(&mut self, connection: &Connection) -> Result<Part<Option<u64>>> {
        match self.state {
            State::New => {
                if finish_part(&self.unfinished, connection, &self.target)? {
                    return Ok(Part::More);
                }
                if delete_some(connection, &self.target, &mut self.rest, &mut self.gone)? {
                    return Ok(Part::Done(Some(self.gone)));
                }
                self.rest.add(connection, &self.target.namespace)?;
                self.unfinished.raise();
                self.state = State::Made;
                Ok(Part::Made)
            }
            State::Made => {
                if !make_part(connection, &self.target, &mut self.rest, &mut self.gone)? {
                    return Ok(Part::Made);
                }
                let Some(seen) = self.unfinished.none_left(connection)? else {
                    return Ok(Part::Done(Some(self.gone)));
                };
                self.state = State::Removed(seen);
                Ok(Part::Made)
            }
            // A part of its own, which begins when the one before it is committed.
            State::Removed(seen) => {
                self.unfinished.settle(seen);
                Ok(Part::Done(Some(self.gone)))
            }
        }
    }
}

/// Does a part of what an earlier Delete has left to do in a record, because one of its parts
/// failed or the server was killed. Whether there was something to do.
pub(super) fn finish_part(
    unfinished: &Unfinished,
    connection: &Connection,
    target: &Target,
) -> Result<bool> {
    if unfinished.observe().is_none() {
        return Ok(false);
    }
    let rest = Rest::of_record(connection, &target.namespace, &target.id)?;
    let Some(mut rest) = rest else { return Ok(false) };
    // Nothing new is stored in the namespace.
    let target = Target { max_namespaces: None, ..target.clone() };
    make_part(connection, &target, &mut rest, &mut 0)?;
    Ok(true)
}

/// Does a part of what is left, and stores what is left then. Whether it was the last one.
fn make_part(
    connection: &Connection,
    target: &Target,
    rest: &mut Rest,
    gone: &mut u64,
) -> Result<bool> {
    let is_last = delete_some(connection, target, rest, gone)?;
    if is_last {
        rest.remove(connection, &target.namespace)?;
    } else {
        rest.advance(connection, &target.namespace)?;
    }
    Ok(is_last)
}

/// Deletes items, from the first one that is left on. Whether none is left.
fn delete_some(
    connection: &Connection,
    target: &Target,
    rest: &mut Rest,
    gone: &mut u64,
) -> Result<bool> {
    let mut write = Write::new(connection, target);
    let mut bytes = 0;
    for _ in 0..CHUNKS {
        let covered = write.covered(&rest.next, &rest.end)?;
        let is_last = covered.len() < CHUNK;
        for item in covered {
            let current = Some(&item.current);
            *gone += write.delete(&item.key, current, (Reach::Covered, &rest.stamp))?;
            rest.next = key_after(&item.key);
            bytes += item.bytes as usize;
            if bytes >= REMOVED_BYTES {
                return Ok(false);
            }
        }
        if is_last {
            return Ok(true);
        }
    }
    Ok(false)
}
