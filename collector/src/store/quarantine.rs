//! Damaged files are set aside, never deleted, and what is readable in them is taken over.

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
    Ok(Quarantined { file, reason: reason.to_string(), saved: 0 })
}

/// Takes over what can be read.
pub(super) fn save_readable(
    store: &mut Store,
    mut quarantined: Quarantined,
) -> Result<Quarantined, StoreError> {
    let rows: Vec<Row> = export_readable(&quarantined.file)
        .into_iter()
        .map(|Sample { component, at, boot, status, .. }| Row { component, at, boot, status })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        store.append(chunk)?;
    }
    quarantined.saved = rows.len() as u64;
    Ok(quarantined)
}

/// Every sample that can be read in a damaged file, from both ends towards the damage, in rising sequence.
pub fn export_readable(file: &Path) -> Vec<Sample> {
    let mut saved = readable(file, "ASC", 0);
    let reached = saved.last().map_or(0, |sample| sample.sequence);
    let mut from_the_end = readable(file, "DESC", reached);
    from_the_end.reverse();
    saved.extend(from_the_end);
    saved
}

/// Samples above `above` in one direction, up to the first that cannot be read.
fn readable(file: &Path, direction: &str, above: u64) -> Vec<Sample> {
    let read = |samples: &mut Vec<Sample>| -> Result<(), rusqlite::Error> {
        let connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let condition = format!("WHERE s.sequence > ?1 ORDER BY s.sequence {direction}");
        let mut statement = connection.prepare(&samples::select(&condition))?;
        let mut rows = statement.query([above.cast_signed()])?;
        while let Some(row) = rows.next()? {
            // A damaged row between good ones is left out.
            samples.extend(samples::sample(row));
        }
        Ok(())
    };
    let mut samples = Vec::new();
    if let Err(error) = read(&mut samples) {
        tracing::warn!(file = %file.display(), %error, saved = samples.len(), "the damaged store reads so far");
    }
    samples
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

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
