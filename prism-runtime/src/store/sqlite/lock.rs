//! One server a database file.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use prism_migrate::sqlite::{FileLock, lock_path};

use super::OpenError;

/// Locks a database against other servers, and against the command that migrates.
pub(super) fn acquire(path: &Path) -> Result<FileLock, OpenError> {
    FileLock::acquire(path).map_err(|error| match error {
        TryLockError::WouldBlock => {
            OpenError::InUse { path: path.to_owned(), lock: lock_path(path) }
        }
        TryLockError::Error(source) => open_error(path, source),
    })
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
