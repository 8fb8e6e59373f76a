//! The node's own store: specifications, status and what has left, in one SQLite file. Every round is one transaction
//! with an fsync. Nothing is forgotten before the hub has acknowledged it, except by thinning, which announces its gaps.
//!
//! | Room | What it is |
//! |---|---|
//! | [`open`] | opening whatever happened: fresh, old, damaged, locked |
//! | [`columns`] | the columns of a status, by the names of core's fields |
//! | [`samples`] | writing and reading samples |
//! | [`records`] | a sample that cannot be read, set aside alone |
//! | [`acknowledged`] | which sequence numbers the hub has committed |
//! | [`inventory`] | units, absences and remarks as last seen |
//! | [`journal`] | who granted what, which clocks jumped, who was refused |
//! | [`thin`] | keeping a long, coarse past when space is short |
//! | [`quarantine`] | damaged files set aside, readable rows saved |

mod acknowledged;
mod columns;
mod inventory;
mod journal;
mod open;
mod quarantine;
mod records;
mod samples;
#[cfg(test)]
mod tests;
mod thin;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

pub use inventory::Inventory;
pub use journal::{Entry, EntryKind};
pub use open::{Opened, check, check_file};
pub use quarantine::{Quarantined, export_readable, list as quarantined_files};
pub use samples::{Order, Row};
pub use thin::Thinned;

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "store.sqlite";

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why the store does not do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite says no.
    #[error("store {path}: {source}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file system says no.
    #[error("store {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A newer program made the file.
    #[error(
        "store {path} has format {found}, this program reads up to {known}: run the newer program again, or move \
         the file away to start afresh"
    )]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that this program reads.
        known: i64,
    },
    /// An acknowledgement for another store file.
    #[error("the acknowledgement is for store {asked}, this is {own}: read its answer again")]
    OtherStore {
        /// The id given.
        asked: Uuid,
        /// This store's.
        own: Uuid,
    },
    /// A range that cannot be.
    #[error("sequence range {first} to {last} is not one: this store has given out numbers up to {highest}")]
    BadRange {
        /// First.
        first: u64,
        /// Last.
        last: u64,
        /// Highest given out.
        highest: u64,
    },
    /// What the file holds is not what this program writes.
    #[error("store {path}: {what} is damaged: {detail}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is damaged.
        what: String,
        /// How.
        detail: String,
    },
}

impl StoreError {
    /// Whether the file itself is broken, so that it must be set aside.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    id: Uuid,
    bytes_max: u64,
    inode: u64,
}

impl Store {
    /// The random id of this file.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file that is open is still the one in the folder: somebody may have deleted or replaced it.
    pub fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
    }

    /// Whether the file still begins as a store does: somebody may have written over it. What is in memory would hide
    /// that for long.
    pub fn begins_whole(&self) -> bool {
        use std::os::unix::fs::FileExt as _;
        let mut beginning = [0; MAGIC.len()];
        std::fs::File::open(&self.path).and_then(|file| file.read_exact_at(&mut beginning, 0)).is_ok()
            && beginning == *MAGIC
    }

    fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }

    fn damaged(&self, what: &str, detail: impl ToString) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: what.to_owned(), detail: detail.to_string() }
    }
}
