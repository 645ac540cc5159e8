//! Whether the write-ahead log holds what its index says.
//!
//! SQLite knows the end of the log from the index, and does not look at the log before it appends:
//! to one that another program has cut, it writes beyond the end, and leaves a hole of zeros. What
//! comes after the hole is not found again.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prism_migrate::sqlite::open_once;

use super::files::{Change, read_at};

/// Bytes at the beginning of the log. <https://www.sqlite.org/fileformat2.html#the_wal_file_format>
pub(super) const HEADER_BYTES: usize = 32;

/// Bytes before each page in the log.
pub(super) const FRAME_HEADER_BYTES: u32 = 24;

/// With this the log begins. The last bit is the order of bytes in its checksums.
const MAGIC: u32 = 0x377f_0682;

/// Bytes at the beginning of the index: its header, the same again, and how far the log is copied.
/// <https://www.sqlite.org/walformat.html#the_wal_index_file_format>
const INDEX_BYTES: usize = 136;
const INDEX_HEADER_BYTES: usize = 48;
const INDEX_VERSION: u32 = 3_007_000;

/// Frames that are read at once where all are read.
const FRAMES_AT_ONCE: usize = 64;

/// Looks at a log that others change meanwhile, at most.
const TRIES: usize = 4;

/// The beginning of the index, which all connections of all processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    page_bytes: usize,
    /// Frames of the log that belong to it. Behind them may be some of an earlier round.
    frames: u64,
    salts: [u8; 8],
    /// Frames whose copying into the database has begun, and has ended.
    begun: u32,
    done: u32,
}

impl Index {
    /// `None` while it is being changed.
    fn of(bytes: &[u8; INDEX_BYTES]) -> Option<Self> {
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let (header, rest) = bytes.split_at(INDEX_HEADER_BYTES);
        if !rest.starts_with(header) || word(0) != INDEX_VERSION || bytes[12] != 1 {
            return None;
        }
        let page_bytes = match u16::from_ne_bytes([bytes[14], bytes[15]]) {
            1 => 1 << 16,
            bytes => usize::from(bytes),
        };
        let mut salts = [0; 8];
        salts.copy_from_slice(&bytes[32..40]);
        let frames = u64::from(word(16));
        Some(Index { page_bytes, frames, salts, begun: word(128), done: word(96) })
    }

    fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES as usize + self.page_bytes
    }

    /// Bytes that the log has at least.
    fn log_bytes(&self) -> u64 {
        match self.frames {
            0 => 0,
            frames => HEADER_BYTES as u64 + frames * self.frame_bytes() as u64,
        }
    }

    /// Whether the log has neither grown nor begun anew since.
    fn has_same_log(&self, earlier: &Index) -> bool {
        (self.frames, self.salts) == (earlier.frames, earlier.salts)
    }

    /// Whether nothing is being copied into the database.
    pub(super) fn is_settled(&self) -> bool {
        self.begun == self.done
    }

    /// Whether nothing has been copied into the database since.
    pub(super) fn has_same_copy(&self, earlier: &Index) -> bool {
        (self.begun, self.done, self.salts) == (earlier.begun, earlier.done, earlier.salts)
    }
}

/// The log of a database that a connection has open, and its index.
#[derive(Debug)]
pub(super) struct Log {
    /// Nobody has locks on it, which closing it could drop.
    log: File,
    /// Closed after the last connection.
    index: Arc<File>,
    /// Whether the file system is taken to have all bytes of the log. A compressing one has fewer.
    is_dense: AtomicBool,
}

impl Log {
    pub(super) fn open(log: &Path, index: &Path) -> io::Result<Self> {
        Ok(Log {
            log: OpenOptions::new().read(true).write(true).open(log)?,
            index: open_once(index, |path| File::open(path))?,
            is_dense: AtomicBool::new(true),
        })
    }

    /// What the index says. `None` where it cannot be read, or is being changed.
    pub(super) fn index(&self) -> Option<Index> {
        Index::of(&read_at(&self.index, 0).ok()?)
    }

    /// Looks whether the log is as long as it must be, has no hole, and is the one of its index.
    pub(super) fn check(&self) -> Result<(), Change> {
        let looked = self.look(|index| {
            let found = self.log.metadata()?;
            let fault = self.fault_of(index, &found)?;
            match fault {
                None if !self.has_header_of(index)? => Ok(Some(Change::Overwritten)),
                fault => Ok(fault),
            }
        });
        looked.map(drop)
    }

    /// Looks whether the log is as long as it must be, and has no hole. `found` is what its path
    /// leads to. Returns what the index says, unless it is being changed.
    pub(super) fn check_length(&self, found: Metadata) -> Result<Option<Index>, Change> {
        let mut found = Some(found);
        self.look(|index| {
            let found = found.take().map_or_else(|| self.log.metadata(), Ok)?;
            self.fault_of(index, &found)
        })
    }

    /// An error of reading is not reported as a fault of the log: reads and writes meet it themselves.
    fn look(
        &self,
        mut fault: impl FnMut(&Index) -> io::Result<Option<Change>>,
    ) -> Result<Option<Index>, Change> {
        for _ in 0..TRIES {
            let Some(index) = self.index() else { return Ok(None) };
            let Ok(Some(change)) = fault(&index) else { return Ok(Some(index)) };
            // SQLite changes the index before it cuts the log or begins it anew.
            let is_same = self.index().is_some_and(|now| now.has_same_log(&index));
            if is_same && matches!(fault(&index), Ok(Some(_))) {
                return Err(change);
            }
        }
        Ok(None)
    }

    fn fault_of(&self, index: &Index, found: &Metadata) -> io::Result<Option<Change>> {
        if found.len() < index.log_bytes() {
            return Ok(Some(Change::CutShort));
        }
        if index.frames > 0 && is_sparse(found) && self.is_dense.load(Ordering::Relaxed) {
            if self.found_again(index)? < index.frames {
                return Ok(Some(Change::CutShort));
            }
            self.is_dense.store(false, Ordering::Relaxed);
        }
        Ok(None)
    }

    fn has_header_of(&self, index: &Index) -> io::Result<bool> {
        if index.frames == 0 {
            return Ok(true);
        }
        let header: [u8; HEADER_BYTES] = read_at(&self.log, 0)?;
        Ok(is_header(&header) && header[16..24] == index.salts)
    }

    /// How many frames a restart would find: reads the log as SQLite does then, up to the end of
    /// the last transaction that is whole.
    fn found_again(&self, index: &Index) -> io::Result<u64> {
        if index.frames == 0 {
            return Ok(0);
        }
        let header: [u8; HEADER_BYTES] = match read_at(&self.log, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            read => read?,
        };
        let mut sum = Checksum::of(&header);
        sum.add(&header[..24]);
        if !is_header(&header) || header[16..24] != index.salts || !sum.is(&header[24..]) {
            return Ok(0);
        }
        let size = index.frame_bytes();
        let mut frames = vec![0; size * FRAMES_AT_ONCE];
        let (mut read, mut whole) = (0, 0);
        while read < index.frames {
            let at = HEADER_BYTES as u64 + read * size as u64;
            let length = read_up_to(&self.log, &mut frames, at)?;
            for frame in frames[..length].chunks_exact(size) {
                sum.add(&frame[..8]);
                sum.add(&frame[FRAME_HEADER_BYTES as usize..]);
                if frame[8..16] != index.salts || !sum.is(&frame[16..24]) || read == index.frames {
                    return Ok(whole);
                }
                read += 1;
                // The last frame of a transaction has the size of the database.
                if frame[4..8] != [0; 4] {
                    whole = read;
                }
            }
            if length < frames.len() {
                break;
            }
        }
        Ok(whole)
    }

    /// Empties a log that is damaged where the database is the better one: what a restart would
    /// find of the log is older than what has been copied into the database. Whether it is emptied.
    pub(super) fn empty_if_copied(&self) -> io::Result<bool> {
        let Some(index) = self.index() else { return Ok(false) };
        let is_empty = self.log.metadata()?.len() == 0;
        if is_empty || !index.is_settled() || self.found_again(&index)? >= u64::from(index.done) {
            return Ok(false);
        }
        self.log.set_len(0)?;
        self.log.sync_all()?;
        Ok(true)
    }
}

/// Whether the file system has fewer bytes than the file is long.
#[cfg(unix)]
fn is_sparse(found: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.blocks().saturating_mul(512) < found.len()
}

#[cfg(not(unix))]
fn is_sparse(_: &Metadata) -> bool {
    false
}

fn is_header(header: &[u8; HEADER_BYTES]) -> bool {
    u32::from_be_bytes([header[0], header[1], header[2], header[3]]) & !1 == MAGIC
}

/// Reads until the buffer is full or the file ends.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match super::files::read_some(file, &mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The sum over all that was written to the log before.
struct Checksum {
    sums: (u32, u32),
    word: fn([u8; 4]) -> u32,
}

impl Checksum {
    fn of(header: &[u8; HEADER_BYTES]) -> Self {
        let word = if header[3] & 1 == 1 { u32::from_be_bytes } else { u32::from_le_bytes };
        Checksum { sums: (0, 0), word }
    }

    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            let first = (self.word)([pair[0], pair[1], pair[2], pair[3]]);
            let second = (self.word)([pair[4], pair[5], pair[6], pair[7]]);
            self.sums.0 = self.sums.0.wrapping_add(first).wrapping_add(self.sums.1);
            self.sums.1 = self.sums.1.wrapping_add(second).wrapping_add(self.sums.0);
        }
    }

    /// Whether it is the one that is written here.
    fn is(&self, written: &[u8]) -> bool {
        written[..4] == self.sums.0.to_be_bytes() && written[4..8] == self.sums.1.to_be_bytes()
    }
}
