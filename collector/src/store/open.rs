//! Opening the store, whatever happened to it.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use uuid::Uuid;

use super::{Quarantined, Store, StoreError, columns, quarantine, records};

/// Format of the file. 1: the first.
const FORMAT: i64 = 1;
/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes in a page of the file.
const PAGE_BYTES: u64 = 4_096;

/// A store that was opened, and what had to be done for it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The damaged file that was set aside, where there was one.
    pub quarantined: Option<Quarantined>,
}

impl Store {
    /// Opens the store for writing and makes it where there is none. A damaged file is set aside, what is readable in
    /// it is taken over into a fresh one, under a new id.
    ///
    /// # Errors
    /// The folder cannot be written, or a newer program made the file.
    pub fn open(path: &Path, bytes_max: u64) -> Result<Opened, StoreError> {
        match Self::open_whole(path, bytes_max) {
            Ok(store) => Ok(Opened { store, quarantined: None }),
            Err(error) if error.is_damage() => {
                let set_aside = quarantine::set_aside(path, &error)?;
                let mut store = Self::open_whole(path, bytes_max)?;
                let quarantined = quarantine::save_readable(&mut store, set_aside)?;
                Ok(Opened { store, quarantined: Some(quarantined) })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens an existing store for reading only, beside the process that writes it; also where it lies on a medium that
    /// cannot be written.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open_reader(path: &Path) -> Result<Self, StoreError> {
        let file = |source| StoreError::File { path: path.to_owned(), source };
        // The system says what is wrong with a path in better words than SQLite.
        let length = fs::File::open(path).and_then(|file| file.metadata()).map_err(file)?;
        if length.is_dir() {
            return Err(file(io::ErrorKind::IsADirectory.into()));
        }
        let read_write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, read_write)
            .map_err(|source| StoreError::Sqlite { path: path.to_owned(), source })
            .and_then(|connection| Self::prepare(connection, path, 0, false));
        match opened {
            Err(StoreError::Sqlite { source, .. }) if must_write(&source) => {
                if fs::metadata(quarantine::with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0) {
                    let what = "its newest rows lie in a log beside it, which only who may write the folder can read: \
                                ask as root or as the node's user";
                    return Err(file(io::Error::new(io::ErrorKind::PermissionDenied, what)));
                }
                Self::open_unchanging(path)
            }
            opened => opened,
        }
    }

    /// Opens a file that nobody writes.
    fn open_unchanging(path: &Path) -> Result<Self, StoreError> {
        let mut name = String::from("file:");
        for byte in path.as_os_str().as_bytes() {
            match byte {
                b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    name.push(char::from(*byte));
                }
                other => name.push_str(&format!("%{other:02x}")),
            }
        }
        name.push_str("?immutable=1");
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(name, flags)
            .map_err(|source| StoreError::Sqlite { path: path.to_owned(), source })
            .and_then(|connection| Self::prepare(connection, path, 0, false))
    }

    fn open_whole(path: &Path, bytes_max: u64) -> Result<Self, StoreError> {
        let file = |source| StoreError::File { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(file)?;
        }
        // Made here so that nobody else can ever read it.
        if !path.exists() {
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file)?;
        }
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| StoreError::Sqlite { path: path.to_owned(), source })?;
        let store = Self::prepare(connection, path, bytes_max, true)?;
        match check(&store.connection).map_err(|source| store.sqlite(source))? {
            Some(finding) => Err(store.damaged("the file", finding)),
            None => Ok(store),
        }
    }

    fn prepare(
        connection: Connection,
        path: &Path,
        bytes_max: u64,
        writes: bool,
    ) -> Result<Self, StoreError> {
        let sqlite = |source| StoreError::Sqlite { path: path.to_owned(), source };
        connection.busy_timeout(BUSY).map_err(sqlite)?;
        connection.pragma_update(None, "cache_size", -512).map_err(sqlite)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(sqlite)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(sqlite)?;
        if writes {
            connection.pragma_update(None, "journal_mode", "wal").map_err(sqlite)?;
            // Every commit is on the disk before it is answered.
            connection.pragma_update(None, "synchronous", "full").map_err(sqlite)?;
            connection.pragma_update(None, "wal_autocheckpoint", 200).map_err(sqlite)?;
            connection.pragma_update(None, "journal_size_limit", 1 << 20).map_err(sqlite)?;
            // A tenth above the bound, so that thinning has room to work in.
            let pages = (bytes_max + bytes_max / 10) / PAGE_BYTES;
            connection
                .pragma_update(None, "max_page_count", i64::try_from(pages.max(64)).unwrap_or(i64::MAX))
                .map_err(sqlite)?;
        }
        let format: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
        if format > FORMAT {
            return Err(StoreError::TooNew { path: path.to_owned(), found: format, known: FORMAT });
        }
        if format == 0 {
            let is_empty: bool = connection
                .query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get(0))
                .map_err(sqlite)?;
            let detail = match (writes, is_empty) {
                (true, true) => None,
                (false, true) => Some("it is empty: nothing was ever kept in it"),
                (_, false) => Some("it is a database of another program"),
            };
            if let Some(detail) = detail {
                return Err(StoreError::Damaged {
                    path: path.to_owned(),
                    what: "the file".to_owned(),
                    detail: detail.to_owned(),
                });
            }
        }
        if writes {
            if format == 0 {
                create(&connection).map_err(sqlite)?;
            }
            add_missing_columns(&connection).map_err(sqlite)?;
            connection.execute(records::TABLE, []).map_err(sqlite)?;
        }
        let id: Option<String> = connection
            .query_row("SELECT value FROM about WHERE name = 'store'", [], |row| row.get(0))
            .optional()
            .map_err(sqlite)?;
        let id = id.and_then(|id| id.parse::<Uuid>().ok()).ok_or_else(|| StoreError::Damaged {
            path: path.to_owned(),
            what: "the store's id".to_owned(),
            detail: "it is missing or no UUID".to_owned(),
        })?;
        let inode = fs::metadata(path).map(|found| found.ino()).unwrap_or(0);
        Ok(Self { connection, path: path.to_owned(), id, bytes_max, inode })
    }
}

/// Whether reading failed because reading a store in use takes a note beside it.
fn must_write(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// What SQLite's own check finds wrong; `None` where the file is whole.
///
/// # Errors
/// The check itself fails: the file is damaged or cannot be read.
pub fn check(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let finding: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((finding != "ok").then_some(finding))
}

/// The same for a file, without changing it.
///
/// # Errors
/// It cannot be opened.
pub fn check_file(path: &Path) -> Result<Option<String>, StoreError> {
    let store = match Store::open_reader(path) {
        Ok(store) => store,
        Err(error) if error.is_damage() => return Ok(Some(error.to_string())),
        Err(error) => return Err(error),
    };
    match check(&store.connection) {
        Ok(finding) => Ok(finding),
        Err(source) => {
            let error = store.sqlite(source);
            if error.is_damage() { Ok(Some(error.to_string())) } else { Err(error) }
        }
    }
}

fn create(connection: &Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction
        .execute("INSERT INTO about (name, value) VALUES ('store', ?1)", [Uuid::new_v4().to_string()])?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn add_missing_columns(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('samples')")?;
    let there: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in columns::names().filter(|name| !there.iter().any(|column| column == name)) {
        connection.execute(&format!("ALTER TABLE samples ADD COLUMN {name}"), [])?;
    }
    // Stores of the first days have an inventory without remarks.
    let has_remarks: bool = connection.query_row(
        "SELECT count(*) > 0 FROM pragma_table_info('inventory') WHERE name = 'remarks'",
        [],
        |row| row.get(0),
    )?;
    if !has_remarks {
        connection.execute("ALTER TABLE inventory ADD COLUMN remarks TEXT NOT NULL DEFAULT '[]'", [])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::{Store, check_file};
    use crate::store::StoreError;

    #[test]
    fn what_is_no_store_is_told_from_one_and_nothing_is_made_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::write(place("empty"), b"").unwrap();
        Connection::open(place("other")).unwrap().execute("CREATE TABLE notes (text)", []).unwrap();
        for (name, word) in [("empty", "empty"), ("other", "another program")] {
            let finding = check_file(&place(name)).unwrap().unwrap();
            assert!(finding.contains(word), "{finding}");
        }
        let Err(StoreError::File { source, .. }) = Store::open_reader(folder.path()) else {
            panic!("a folder is no store")
        };
        assert_eq!(source.kind(), std::io::ErrorKind::IsADirectory);
        // Where the node's own file is another program's, it is set aside whole.
        let opened = Store::open(&place("other"), 1 << 20).unwrap();
        let aside = Connection::open(opened.quarantined.unwrap().file).unwrap();
        let tables: u32 =
            aside.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1, "its own and none of ours");
    }

    #[test]
    fn a_file_on_a_medium_that_cannot_be_written_is_read_whatever_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store 100%? #1.sqlite");
        let id = Store::open(&path, 1 << 20).unwrap().store.id();
        let before = fs::read(&path).unwrap();
        let store = Store::open_unchanging(&path).unwrap();
        assert_eq!((store.id(), store.count().unwrap()), (id, 0));
        assert!(store.connection.execute("DELETE FROM about", []).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
