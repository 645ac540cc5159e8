//! Whether the files of a database are still those that were opened.
//!
//! A file that was removed or replaced is still there for this process, and for nobody else: what is
//! written to it is gone with the process. A file that was cut or overwritten in place is not what
//! SQLite takes it for.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prism_migrate::sqlite::{identity, index_path, log_path};

use super::OpenError;
use super::condition::Salvage;
use super::log::{self, Index, Log};

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
    content: Log,
    /// How the database began when it was last looked at, and how far the log was copied then.
    seen: Mutex<Option<(Index, Header)>>,
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
    /// It is shorter than it was written, or has a hole.
    CutShort,
    /// It has been written to by a program that is not SQLite.
    Overwritten,
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Change::Missing => "missing",
            Change::Replaced => "replaced by another file",
            Change::CutShort => "cut short",
            Change::Overwritten => "overwritten",
        }
    }

    /// Whether the file does not become again what it was.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Change::CutShort | Change::Overwritten)
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
        let (log, index) = (log_path(canonical), index_path(canonical));
        let files = Files {
            database: known(given.to_owned())?,
            content: Log::open(&log, &index)
                .map_err(|source| OpenError::Io { path: canonical.to_owned(), source })?,
            log: known(log)?,
            index: known(index)?,
            open,
            floor: AtomicU64::new(0),
            seen: Mutex::default(),
        };
        files.measure();
        Ok(files)
    }

    /// Looks at what a write needs to be found again. Takes a few microseconds.
    pub(super) fn check(&self) -> Result<(), (&Path, Change)> {
        let database = self.database.check()?;
        let log = self.log.check()?;
        let index =
            self.content.check_length(log).map_err(|change| (self.log.path.as_path(), change))?;
        if database.len() < self.floor.load(Ordering::Relaxed) {
            // `VACUUM` by another program writes the smaller size before it cuts the file.
            match self.header().filter(Header::is_database) {
                Some(header) if database.len() >= header.bytes() => self.measure(),
                _ => return Err((&self.database.path, Change::CutShort)),
            }
        }
        if index.is_some_and(|index| self.is_overwritten(&index)) {
            return Err((&self.database.path, Change::Overwritten));
        }
        Ok(())
    }

    /// Looks at the log alone, to which something is about to be written.
    pub(super) fn check_log(&self) -> Result<(), (&Path, Change)> {
        self.content.check().map_err(|change| (self.log.path.as_path(), change))
    }

    /// Looks at every file, and at the size of the database from now on.
    pub(super) fn check_all(&self) -> Result<(), (&Path, Change)> {
        self.check()?;
        self.check_log()?;
        self.index.check()?;
        self.measure();
        Ok(())
    }

    /// Takes the size that the database says it has, where it has it, for what it must have.
    fn measure(&self) {
        let length =
            self.open.as_ref().and_then(|file| file.metadata().ok()).map(|file| file.len());
        if let (Some(length), Some(header)) = (length, self.header().filter(Header::is_database))
            && length >= header.bytes()
        {
            self.floor.store(header.bytes(), Ordering::Relaxed);
        }
    }

    /// How the database begins now; absent where it cannot be read.
    fn header(&self) -> Option<Header> {
        read_at(self.open.as_deref()?, 0).ok().map(Header)
    }

    /// Whether the database begins in another way than SQLite has written. It writes to the
    /// database only while it copies the log, and notes in the index that it begins to and that it
    /// is done: in between the beginning stays as it is, whatever program copies.
    fn is_overwritten(&self, index: &Index) -> bool {
        let Some(header) = self.header() else { return false };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((earlier, known)) = &*seen
            && *known != header
        {
            let may_have_changed = !index.is_settled() || !index.has_same_copy(earlier);
            let is_successor = known.may_become(&header);
            if !(may_have_changed && is_successor) {
                // It may be changing at this moment.
                let now = self.content.index();
                let is_same = now.is_some_and(|now| now.has_same_copy(index));
                return is_same && self.header() == Some(header);
            }
        }
        if index.is_settled() && header.is_database() {
            *seen = Some((*index, header));
        }
        false
    }

    /// What may be done when this file has changed for good.
    pub(super) fn salvage(&self, path: &Path) -> Salvage {
        if path == self.log.path { Salvage::Discard } else { Salvage::Leave }
    }

    /// Empties a damaged log, where the database alone is better. Whether it does.
    pub(super) fn empty_log(&self) -> io::Result<bool> {
        self.content.empty_if_copied()
    }

    /// Whether the operating system reads the files. SQLite calls some errors of reading a damaged
    /// database.
    pub(super) fn are_readable(&self) -> bool {
        let database = self.open.as_deref().map(|file| read_at::<HEADER_BYTES>(file, 0));
        let mut start = [0; log::HEADER_BYTES];
        // Nobody has locks on the log, which closing it could drop.
        let log = File::open(&self.log.path).and_then(|mut log| log.read(&mut start));
        database.is_none_or(|read| read.is_ok()) && log.is_ok()
    }
}

/// Bytes at the beginning of a database of which something is needed.
const HEADER_BYTES: usize = 100;

/// The beginning of a database. <https://www.sqlite.org/fileformat2.html#the_database_header>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header([u8; HEADER_BYTES]);

impl Header {
    fn is_database(&self) -> bool {
        self.0.starts_with(b"SQLite format 3\0") && self.word(28) > 0
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    fn page_bytes(&self) -> u64 {
        match u16::from_be_bytes([self.0[16], self.0[17]]) {
            1 => 1 << 16,
            bytes => u64::from(bytes),
        }
    }

    /// Bytes of the database.
    fn bytes(&self) -> u64 {
        self.page_bytes() * u64::from(self.word(28))
    }

    /// Whether SQLite may have written the other one after this one: it counts changes upwards.
    fn may_become(&self, later: &Header) -> bool {
        later.is_database()
            && later.page_bytes() == self.page_bytes()
            && later.word(24) >= self.word(24)
    }
}

/// Reads bytes at a place.
pub(super) fn read_at<const BYTES: usize>(file: &File, at: u64) -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let mut filled = 0;
    while filled < BYTES {
        match read_some(file, &mut bytes[filled..], at + filled as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Reads some bytes at a place.
#[cfg(unix)]
pub(super) fn read_some(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(not(unix))]
pub(super) fn read_some(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read(bytes)
}
