//! Files of a database that are open beside SQLite's connections.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::identity;

/// What is open, by device and inode.
static OPEN: Mutex<BTreeMap<(u64, u64), Weak<File>>> = Mutex::new(BTreeMap::new());

/// Opens a file of a database, once in this process: closing any file descriptor of it drops all
/// locks that SQLite holds on it, so that it has to stay open for as long as a connection of this
/// process may have it. <https://www.sqlite.org/howtocorrupt.html> (2.2)
///
/// # Errors
///
/// Those of `open`.
pub fn open_once(
    path: &Path,
    open: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<Arc<File>> {
    // Other systems have no inodes, and no such locks.
    if cfg!(not(unix)) {
        return open(path).map(Arc::new);
    }
    let mut known = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|_, file| file.strong_count() > 0);
    if let Ok(found) = fs::metadata(path)
        && let Some(file) = known.get(&identity(&found)).and_then(Weak::upgrade)
    {
        return Ok(file);
    }
    let file = Arc::new(open(path)?);
    known.insert(identity(&file.metadata()?), Arc::downgrade(&file));
    Ok(file)
}
