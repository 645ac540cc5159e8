//! One server a database file.

use std::io;
use std::path::{Path, PathBuf};

use prism_migrate::sqlite::{FileLock, LockError};

use super::OpenError;

/// Locks a database against other servers, and against the command that migrates.
pub(super) fn acquire(path: &Path) -> Result<FileLock, OpenError> {
    FileLock::acquire(path).map_err(|error| match error {
        LockError::InUse { lock } => OpenError::InUse { path: path.to_owned(), lock },
        LockError::Io(source) => open_error(path, source),
        source => OpenError::Lock { path: path.to_owned(), source },
    })
}

/// The path as the operating system knows it, so that two names of one file have one lock.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, OpenError> {
    match prism_migrate::sqlite::canonical(path) {
        Ok(path) if path.exists() && !path.is_file() => Err(OpenError::NotAFile { path }),
        Ok(path) => Ok(path),
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
