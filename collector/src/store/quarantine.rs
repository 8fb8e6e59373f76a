//! Damaged files are set aside, never deleted, and what is readable in them is taken over.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use headroom_core::unit::Sample;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::{Row, Store, StoreError, samples};

/// Folder beside the store.
const FOLDER: &str = "quarantine";
/// Rows taken over in one transaction.
const CHUNK: usize = 1_000;

/// A file that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Where it lies now.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
    /// Samples that were readable and live on in the fresh store.
    pub saved: u64,
    /// Samples between them that could not be read.
    pub unreadable: u64,
}

/// Moves the store, its log and its index aside.
pub(super) fn set_aside(path: &Path, reason: &StoreError) -> Result<Quarantined, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new(".")).join(FOLDER);
    fs::create_dir_all(&folder).map_err(failed)?;
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string();
    let mut file = folder.join(format!("store-{stamp}.sqlite"));
    let mut attempt = 1;
    while file.exists() {
        file = folder.join(format!("store-{stamp}-{attempt}.sqlite"));
        attempt += 1;
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(path, suffix);
        if from.exists() {
            fs::rename(&from, with_suffix(&file, suffix)).map_err(failed)?;
        }
    }
    Ok(Quarantined { file, reason: reason.to_string(), saved: 0, unreadable: 0 })
}

/// Takes over what can be read.
pub(super) fn save_readable(
    store: &mut Store,
    mut quarantined: Quarantined,
) -> Result<Quarantined, StoreError> {
    let (samples, unreadable) = export_readable(&quarantined.file);
    let rows: Vec<Row> = samples
        .into_iter()
        .map(|Sample { component, at, boot, status, .. }| Row { component, at, boot, status })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        store.append(chunk)?;
    }
    (quarantined.saved, quarantined.unreadable) = (rows.len() as u64, unreadable);
    Ok(quarantined)
}

/// Every sample that can be read in a damaged file, from both ends towards the damage, in rising sequence; and how many
/// between them are there and cannot be read.
pub fn export_readable(file: &Path) -> (Vec<Sample>, u64) {
    let (mut saved, mut unreadable) = readable(file, "ASC", 0);
    let reached = saved.last().map_or(0, |sample| sample.sequence);
    let (mut from_the_end, more) = readable(file, "DESC", reached);
    from_the_end.reverse();
    saved.extend(from_the_end);
    unreadable.extend(more);
    (saved, unreadable.len() as u64)
}

/// Samples above `above` in one direction, up to where the file cannot be read, and the numbers of those that make no
/// sense.
fn readable(file: &Path, direction: &str, above: u64) -> (Vec<Sample>, BTreeSet<i64>) {
    let mut unreadable = BTreeSet::new();
    let mut read = |samples: &mut Vec<Sample>| -> Result<(), rusqlite::Error> {
        let connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let condition = format!("WHERE s.sequence > ?1 ORDER BY s.sequence {direction}");
        let mut statement = connection.prepare(&samples::select(&condition))?;
        let mut rows = statement.query([above.cast_signed()])?;
        while let Some(row) = rows.next()? {
            match samples::sample(row) {
                Ok(sample) => samples.push(sample),
                Err(_) => {
                    unreadable.insert(row.get(0)?);
                }
            }
        }
        Ok(())
    };
    let mut samples = Vec::new();
    if let Err(error) = read(&mut samples) {
        tracing::warn!(file = %file.display(), %error, saved = samples.len(), "the damaged store reads so far");
    }
    (samples, unreadable)
}

/// Files that were set aside beside a store.
///
/// # Errors
/// The folder cannot be read.
pub fn list(store: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = store.parent().unwrap_or(Path::new(".")).join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sqlite") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
