//! Whether the files of a database are still those that were opened.
//!
//! A file that was removed or replaced is still there for this process, and for nobody else: what is
//! written to it is gone with the process.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prism_migrate::sqlite::{identity, index_path, log_path};

use super::OpenError;

/// Bytes at the beginning of a database of which something is needed.
/// <https://www.sqlite.org/fileformat2.html#the_database_header>
const HEADER_BYTES: usize = 100;

/// Bytes at the beginning of the write-ahead log.
const LOG_HEADER_BYTES: usize = 32;

/// The files of a database: itself, its write-ahead log, and the log's index.
#[derive(Debug)]
pub(super) struct Files {
    /// The database under the name that was given, and the two files beside it.
    database: Known,
    log: Known,
    index: Known,
    /// The database, open. Closed after the last connection.
    open: Option<Arc<File>>,
    /// Bytes that the database has at least.
    floor: AtomicU64,
}

/// A file that was opened under a path.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    identity: (u64, u64),
}

/// What has become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its path leads nowhere, or cannot be followed.
    Missing,
    /// Its path leads to another file.
    Replaced,
    /// It is shorter than it was written.
    CutShort,
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Change::Missing => "missing",
            Change::Replaced => "replaced by another file",
            Change::CutShort => "cut short",
        }
    }
}

impl Known {
    fn at(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&fs::metadata(&path)?);
        Ok(Known { path, identity })
    }

    fn check(&self) -> Result<fs::Metadata, (&Path, Change)> {
        match fs::metadata(&self.path) {
            Ok(file) if identity(&file) == self.identity => Ok(file),
            Ok(_) => Err((&self.path, Change::Replaced)),
            Err(_) => Err((&self.path, Change::Missing)),
        }
    }
}

impl Files {
    /// Those of a database that a connection has just read. `given` is its path as the settings
    /// have it, `canonical` the one that was opened: either may lead elsewhere later.
    pub(super) fn of(
        given: &Path,
        canonical: &Path,
        open: Option<Arc<File>>,
    ) -> Result<Self, OpenError> {
        let known = |path: PathBuf| {
            let of_system = |source| OpenError::Io { path: canonical.to_owned(), source };
            Known::at(path).map_err(of_system)
        };
        let files = Files {
            database: known(given.to_owned())?,
            log: known(log_path(canonical))?,
            index: known(index_path(canonical))?,
            open,
            floor: AtomicU64::new(0),
        };
        files.measure();
        Ok(files)
    }

    /// Looks at what a write needs to be found again. Takes a few microseconds.
    pub(super) fn check(&self) -> Result<(), (&Path, Change)> {
        let database = self.database.check()?;
        self.log.check()?;
        if database.len() < self.floor.load(Ordering::Relaxed) {
            // `VACUUM` by another program writes the smaller size before it cuts the file.
            match self.written() {
                Some(written) if database.len() >= written => self.measure(),
                _ => return Err((&self.database.path, Change::CutShort)),
            }
        }
        Ok(())
    }

    /// Looks at every file, and at the size of the database from now on.
    pub(super) fn check_all(&self) -> Result<(), (&Path, Change)> {
        self.check()?;
        self.index.check()?;
        self.measure();
        Ok(())
    }

    /// Takes the size that the database says it has, where it has it, for what it must have.
    fn measure(&self) {
        let length =
            self.open.as_ref().and_then(|file| file.metadata().ok()).map(|file| file.len());
        if let (Some(length), Some(written)) = (length, self.written())
            && length >= written
        {
            self.floor.store(written, Ordering::Relaxed);
        }
    }

    /// Bytes of the database as its header has them; absent where it cannot be read.
    fn written(&self) -> Option<u64> {
        let header = read_start::<HEADER_BYTES>(self.open.as_deref()?).ok()?;
        let page = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 1 << 16,
            bytes => u64::from(bytes),
        };
        let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
        let is_database = header.starts_with(b"SQLite format 3\0") && pages > 0;
        is_database.then(|| page * u64::from(pages))
    }

    /// Whether the operating system reads the files. SQLite calls some errors of reading a damaged
    /// database.
    pub(super) fn are_readable(&self) -> bool {
        let database = self.open.as_deref().map(read_start::<HEADER_BYTES>);
        let mut start = [0; LOG_HEADER_BYTES];
        // Nobody has locks on the log, which closing it could drop.
        let log = File::open(&self.log.path).and_then(|mut log| log.read(&mut start));
        database.is_none_or(|read| read.is_ok()) && log.is_ok()
    }
}

#[cfg(unix)]
fn read_start<const BYTES: usize>(file: &File) -> io::Result<[u8; BYTES]> {
    use std::os::unix::fs::FileExt as _;
    let mut start = [0; BYTES];
    file.read_exact_at(&mut start, 0).map(|()| start)
}

#[cfg(not(unix))]
fn read_start<const BYTES: usize>(mut file: &File) -> io::Result<[u8; BYTES]> {
    use std::io::{Seek as _, SeekFrom};
    let mut start = [0; BYTES];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut start).map(|()| start)
}
