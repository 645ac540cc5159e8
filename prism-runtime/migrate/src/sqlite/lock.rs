//! One writer a database file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::open_once;

/// Holds the lock on a database until it is dropped, or the process ends: a server while it runs,
/// the command while it migrates.
///
/// Two files are locked: `<path>-lock`, and the database itself, so that a hard link or a bind
/// mount does not let a second server in. What was made for a database that is refused is removed:
/// see [`FileLock::keep`].
#[derive(Debug)]
pub struct FileLock {
    beside: File,
    database: Option<DatabaseLock>,
    made: Made,
}

/// Why a database cannot be locked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process, or another lock of this one, has the database.
    #[error("{} is locked", lock.display())]
    InUse {
        /// The file that is locked.
        lock: PathBuf,
    },
    /// The file has another name, under which its write-ahead log may lie.
    #[error(
        "the file has another name, a hard link: what was written under that name may be in a \
         write-ahead log beside it; use that name, or give the server a copy"
    )]
    OtherName,
    /// The database is missing or empty, and its write-ahead log is not.
    #[error(
        "the file is missing or empty, but its write-ahead log {} is not: put the file back, or \
         remove the log to begin with an empty database", log.display()
    )]
    LogWithoutDatabase {
        /// The log.
        log: PathBuf,
    },
    /// The operating system refuses.
    #[error(transparent)]
    Io(io::Error),
}

impl FileLock {
    /// Locks a database. An empty file is made where there is none. It is to be dropped after the
    /// last connection.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let beside = lock_path(path);
        let found = fs::metadata(path).ok();
        if found.as_ref().is_some_and(|file| links(file) > 1) && !beside.exists() {
            DatabaseLock::acquire(path)?;
            return Err(LockError::OtherName);
        }
        let mut made = Made::before(path);
        let file = lock_beside(&beside, &mut made.beside)?;
        let mut lock = FileLock { beside: file, database: None, made };
        // SQLite would remove such a log.
        let log = log_path(path);
        if found.is_none_or(|file| file.len() == 0)
            && fs::metadata(&log).is_ok_and(|log| log.len() > 0)
        {
            return Err(LockError::LogWithoutDatabase { log });
        }
        lock.database = DatabaseLock::acquire(path)?;
        Ok(lock)
    }

    /// Keeps the files that were made: the database is used. Without it they are removed when the
    /// lock is dropped; the database itself only if nothing was written to it.
    pub fn keep(&mut self) {
        self.made = Made::default();
    }

    /// The database, open. It is not to be closed before the last connection of this process: that
    /// would drop the locks that SQLite holds on the file.
    /// <https://www.sqlite.org/howtocorrupt.html> (2.2)
    pub fn database(&self) -> Option<Arc<File>> {
        self.database.as_ref().map(|lock| Arc::clone(&lock.file))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // While it is locked: no other process uses the files.
        self.made.remove();
        // Closing the file would not do: a process that is being started elsewhere in this one may
        // hold a copy of it for a moment. Where it fails the file is closed all the same.
        let _ = self.beside.unlock();
    }
}

/// The files that were not there before a database was locked.
#[derive(Debug, Default)]
struct Made {
    path: PathBuf,
    beside: bool,
    database: bool,
    log: bool,
    index: bool,
}

/// Bytes of a database to which nothing was written but its first page.
const EMPTY_BYTES: u64 = 4096;

impl Made {
    /// Those of a database that is about to be locked. Who has the lock knows whether it made the
    /// file of the lock.
    fn before(path: &Path) -> Self {
        let is_absent = |path: &Path| fs::symlink_metadata(path).is_err();
        Made {
            path: path.to_owned(),
            beside: false,
            database: is_absent(path),
            log: is_absent(&log_path(path)),
            index: is_absent(&index_path(path)),
        }
    }

    /// Removes the files, unless something was written to the database.
    fn remove(&self) {
        let log = log_path(&self.path);
        let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let is_empty = length(&log) == 0;
        let remove = [
            (self.database && is_empty && length(&self.path) <= EMPTY_BYTES, self.path.clone()),
            (self.log && is_empty, log),
            (self.index && is_empty, index_path(&self.path)),
            (self.beside, lock_path(&self.path)),
        ];
        for (_, path) in remove.into_iter().filter(|(was_made, _)| *was_made) {
            // It need not be there. What cannot be removed is as harmless as it was before.
            let _ = fs::remove_file(path);
        }
    }
}

/// Opens and locks the file beside a database. `made` is set where it was not there.
fn lock_beside(path: &Path, made: &mut bool) -> Result<File, LockError> {
    loop {
        let new = OpenOptions::new().create_new(true).write(true).open(path);
        *made = new.is_ok();
        let file = match new {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match OpenOptions::new().write(true).open(path) {
                    // Another process has removed it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    opened => opened,
                }
            }
            new => new,
        };
        let file = file.map_err(LockError::Io)?;
        file.try_lock().map_err(|error| lock_error(error, path))?;
        // A process whose start was refused removes the file that it has locked.
        let locked = identity(&file.metadata().map_err(LockError::Io)?);
        if fs::metadata(path).is_ok_and(|found| identity(&found) == locked) {
            return Ok(file);
        }
    }
}

/// Database files that this process has locked, by device and inode. To open such a file again, and
/// close it, would drop the locks that SQLite holds on it.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// A lock on the database file itself.
///
/// It is one of `flock`, which on Linux has nothing to do with the locks of `fcntl` that SQLite
/// uses. Other systems let the two meet: there the file is open and not locked.
#[derive(Debug)]
struct DatabaseLock {
    file: Arc<File>,
    identity: (u64, u64),
}

impl DatabaseLock {
    /// `None` where the file may not be read: SQLite says so better.
    fn acquire(path: &Path) -> Result<Option<Self>, LockError> {
        let in_use = || LockError::InUse { lock: path.to_owned() };
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if fs::metadata(path).is_ok_and(|file| held.contains(&identity(&file))) {
            return Err(in_use());
        }
        let file = match open_once(path, open) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) => return Err(LockError::Io(error)),
        };
        if cfg!(any(target_os = "linux", target_os = "android")) {
            file.try_lock().map_err(|error| lock_error(error, path))?;
        }
        let identity = identity(&file.metadata().map_err(LockError::Io)?);
        held.insert(identity);
        Ok(Some(DatabaseLock { file, identity }))
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        // A connection that is still to be closed may keep the file open.
        let _ = self.file.unlock();
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.identity);
    }
}

fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
        }
        opened => opened,
    }
}

fn lock_error(error: TryLockError, lock: &Path) -> LockError {
    match error {
        TryLockError::WouldBlock => LockError::InUse { lock: lock.to_owned() },
        TryLockError::Error(error) => LockError::Io(error),
    }
}

/// The path as the operating system knows it, so that two names of one file have one lock. The file
/// need not exist: then it is where SQLite would make it.
///
/// # Errors
///
/// Those of the operating system: the folder does not exist, or cannot be looked into.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    // A link to a file that is still to be made. Links in a circle are another error above.
    if let Ok(target) = fs::read_link(path) {
        return canonical(&folder.join(target));
    }
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    let name = path.file_name().ok_or_else(no_name)?;
    Ok(folder.canonicalize()?.join(name))
}

/// What is the same for two names of a file, and for no other file: device and inode.
#[cfg(unix)]
pub fn identity(file: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

/// Other systems do not let a file that is open be replaced.
#[cfg(not(unix))]
pub fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(unix)]
fn links(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}

/// The file that is locked for a database.
pub fn lock_path(path: &Path) -> PathBuf {
    beside(path, "-lock")
}

/// The write-ahead log of a database.
pub fn log_path(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The index of a database's write-ahead log.
pub fn index_path(path: &Path) -> PathBuf {
    beside(path, "-shm")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
