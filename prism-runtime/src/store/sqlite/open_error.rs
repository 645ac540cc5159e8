//! Why a database cannot be opened, and what to do.

use std::path::PathBuf;

/// Why a database cannot be opened. For the operator: the messages name paths.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store of this one, has the database.
    #[error(
        "the database {} is in use by another server (it holds {}): stop that one, or give this \
         one another file", path.display(), lock.display()
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The file that the other server has locked.
        lock: PathBuf,
    },
    /// The files do not belong together.
    #[error("the database {} cannot be opened: {source}", path.display())]
    Lock {
        /// The database.
        path: PathBuf,
        /// What is wrong with them.
        source: prism_migrate::sqlite::LockError,
    },
    /// The folder does not exist.
    #[error("the folder of the database {} does not exist: create it", path.display())]
    NoFolder {
        /// The database.
        path: PathBuf,
    },
    /// The path is a folder's, or a device's.
    #[error("the database {} is not a file: give the server the path of one", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The folder cannot be written to: the write-ahead log and the lock lie there.
    #[error(
        "the folder of the database {} cannot be written to: the database needs its -wal, -shm \
         and -lock files there; give the server's user write access", path.display()
    )]
    FolderNotWritable {
        /// The database.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file cannot be written to.
    #[error(
        "the database {} cannot be written to: give the server's user write access to the file, \
         or mount its file system for writing", path.display()
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// The file is something else, or encrypted.
    #[error(
        "{} is not a SQLite database, or an encrypted one: give the server another file",
        path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the database {} is damaged: restore it from a backup, or recover what can be read with \
         `sqlite3 OLD .recover | sqlite3 NEW`", path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The disk is full.
    #[error("the disk of the database {} is full: make room on it", path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// The file system cannot share memory between connections.
    #[error(
        "the database {} cannot use a write-ahead log: put it on a local file system",
        path.display()
    )]
    NoWriteAheadLog {
        /// The database.
        path: PathBuf,
    },
    /// The database cannot be migrated, or is not what the schema says.
    #[error(transparent)]
    Migration(prism_migrate::Error),
    /// SQLite refuses for another reason.
    #[error("the database {} cannot be opened: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The operating system refuses for another reason.
    #[error("the database {} cannot be opened: {source}", path.display())]
    Io {
        /// The database.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

impl OpenError {
    /// The error of a migration, or what SQLite's stands for.
    pub(super) fn from_migration(path: &std::path::Path, error: prism_migrate::Error) -> Self {
        match error {
            prism_migrate::Error::Database(prism_migrate::Cause::Sqlite(source)) => {
                OpenError::from_sqlite(path, source)
            }
            other => OpenError::Migration(other),
        }
    }

    /// The error that SQLite's stands for, while a database is opened.
    pub(super) fn from_sqlite(path: &std::path::Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
            // SQLite takes a file that cannot be read for a damaged one.
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => match read_start(&path) {
                Err(source) => OpenError::Io { path, source },
                Ok(()) => OpenError::Corrupt { path, source },
            },
            Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
                OpenError::ReadOnly { path }
            }
            Some(rusqlite::ErrorCode::DiskFull) => OpenError::DiskFull { path },
            _ => OpenError::Sqlite { path, source },
        }
    }
}

fn read_start(path: &std::path::Path) -> std::io::Result<()> {
    use std::io::Read as _;
    std::fs::File::open(path)?.read(&mut [0; 100]).map(drop)
}
