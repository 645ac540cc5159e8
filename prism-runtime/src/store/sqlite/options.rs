//! How a database is opened.

use std::path::PathBuf;
use std::time::Duration;

use crate::schema::Entity;
use crate::store::Migration;

/// How a database is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The database file. Created where it does not exist, its folder is not. `-wal`, `-shm` and
    /// `-lock` files lie beside it.
    pub path: PathBuf,
    /// Migrations of the user's schema, in the order of their versions.
    pub migrations: Vec<Migration>,
    /// The entities that live in the database: one that cannot hold them is refused.
    pub entities: Vec<&'static Entity>,
    /// Whether outstanding migrations are applied; refused else.
    pub migrate: bool,
    /// What a COMMIT waits for. Default: [`Synchronous::Full`].
    pub synchronous: Synchronous,
    /// How much of the file is mapped into memory. Default: 1 GiB.
    pub mmap_bytes: u64,
    /// Page cache of the writer's connection. Default: 64 MiB.
    pub writer_cache_bytes: u64,
    /// Page cache of each reading connection, one a thread that reads. Default: 16 MiB.
    pub reader_cache_bytes: u64,
    /// How long a statement waits for a lock that another process holds. Default: 5 s.
    pub busy_timeout: Duration,
    /// Writes that may wait for the writer; more are refused with OVERLOADED. Default: 10,000.
    pub write_queue: usize,
    /// Bytes of the values that may wait for the writer; more are refused with OVERLOADED.
    /// Default: 256 MiB.
    pub write_queue_bytes: u64,
    /// Threads for reads that are too long for an event loop. Default: 2.
    pub reader_threads: usize,
    /// How many of those threads there are at most while reads that take long make others wait.
    /// Default: 16.
    pub max_reader_threads: usize,
    /// Reads that may wait for those threads; more are refused with OVERLOADED. Default: 1,000.
    pub read_queue: usize,
    /// How often the write-ahead log is copied back into the database. Default: 100 ms.
    pub checkpoint_interval: Duration,
    /// Size of the write-ahead log beyond which writers wait until it is copied, and it begins
    /// anew. Default: 64 MiB.
    pub wal_limit_bytes: u64,
    /// Cap on the database's pages of 4 KiB, beyond which writes are STORAGE_FULL. Default: none.
    pub max_pages: Option<u32>,
}

impl Options {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Options {
            path: path.into(),
            migrations: Vec::new(),
            entities: Vec::new(),
            migrate: true,
            synchronous: Synchronous::Full,
            mmap_bytes: 1 << 30,
            writer_cache_bytes: 64 << 20,
            reader_cache_bytes: 16 << 20,
            busy_timeout: Duration::from_secs(5),
            write_queue: 10_000,
            write_queue_bytes: 256 << 20,
            reader_threads: 2,
            max_reader_threads: 16,
            read_queue: 1_000,
            checkpoint_interval: Duration::from_millis(100),
            wal_limit_bytes: 64 << 20,
            max_pages: None,
        }
    }
}

/// What a COMMIT waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// The disk has the write: what was acknowledged survives a loss of power.
    #[default]
    Full,
    /// The operating system has the write: it survives a crash of the process, not of the machine.
    Normal,
}

impl Synchronous {
    /// The name in `PRAGMA synchronous`.
    pub(super) fn pragma(self) -> &'static str {
        match self {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        }
    }
}
