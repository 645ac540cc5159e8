//! One server a database file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;

/// Holds the lock on a database until it is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
}

impl FileLock {
    /// Locks `<path>-lock`, a file of its own: closing any handle of the database file itself
    /// would drop the locks that SQLite holds on it.
    /// <https://www.sqlite.org/howtocorrupt.html> (2.2)
    pub(super) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let lock = beside(path);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .map_err(|source| open_error(path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(FileLock { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned(), lock }),
            Err(TryLockError::Error(source)) => {
                Err(OpenError::Io { path: path.to_owned(), source })
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that is being started elsewhere in this one may
        // hold a copy of it for a moment. Where it fails the file is closed all the same.
        let _ = self.file.unlock();
    }
}

/// The path as the operating system knows it, so that two names of one file have one lock.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, OpenError> {
    if let Ok(existing) = path.canonicalize() {
        return if existing.is_file() {
            Ok(existing)
        } else {
            Err(OpenError::NotAFile { path: existing })
        };
    }
    let name = path.file_name().ok_or_else(|| OpenError::Io {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"),
    })?;
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::NoFolder { path: path.to_owned() })
        }
        Err(source) => Err(OpenError::Io { path: path.to_owned(), source }),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-lock");
    PathBuf::from(name)
}

fn open_error(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::FolderNotWritable { path, source }
        }
        io::ErrorKind::StorageFull => OpenError::DiskFull { path },
        _ => OpenError::Io { path, source },
    }
}
