//! One writer a database file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Holds the lock on a database until it is dropped, or the process ends: a server while it runs,
/// the command while it migrates.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Locks `<path>-lock`, a file of its own: closing any handle of the database file itself
    /// would drop the locks that SQLite holds on it.
    /// <https://www.sqlite.org/howtocorrupt.html> (2.2)
    ///
    /// # Errors
    ///
    /// `WouldBlock` where another process has the lock, and what the operating system says.
    pub fn acquire(path: &Path) -> Result<Self, TryLockError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock_path(path))
            .map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(FileLock { file })
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that is being started elsewhere in this one may
        // hold a copy of it for a moment. Where it fails the file is closed all the same.
        let _ = self.file.unlock();
    }
}

/// The file that is locked for a database.
pub fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-lock");
    PathBuf::from(name)
}
