//! Files that are there as a whole or not at all, and that nobody else may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

/// Why a file of the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurableError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error("{path} is damaged ({source}): mend it or move it away")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// Makes a folder, and those around it, for this user alone.
///
/// # Errors
/// As the system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Replaces a file: a crash leaves the old one or the new one.
///
/// # Errors
/// As the system says.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = folder.join(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    give_to_owner_of(folder, &file)?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

/// A command that root runs beside a service with a user of its own must leave files that the service can read.
fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let (wanted, own) = (fs::metadata(folder)?, file.metadata()?);
    if own.uid() == 0 && wanted.uid() != 0 {
        std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    Ok(())
}

/// Reads a value from JSON; `None` where there is no file.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DurableError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| DurableError::Damaged { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DurableError::File { path: path.to_owned(), source }),
    }
}

/// Replaces a file by a value as JSON.
///
/// # Errors
/// It cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DurableError> {
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(|source| DurableError::Damaged { path: path.to_owned(), source })?;
    replace(path, &bytes).map_err(|source| DurableError::File { path: path.to_owned(), source })
}

/// Moves a file into a folder under its own name; nothing where there is no such file.
///
/// # Errors
/// It cannot be moved.
pub fn move_into(path: &Path, folder: &Path) -> Result<(), DurableError> {
    if !path.exists() {
        return Ok(());
    }
    let moved = make_folder(folder)
        .and_then(|()| fs::rename(path, folder.join(path.file_name().unwrap_or_default())));
    moved.map_err(|source| DurableError::File { path: path.to_owned(), source })
}

/// A lock over read-modify-write of the data folder's files, between commands and the running node. It goes with the
/// process, however that ends.
///
/// # Errors
/// The folder cannot be written.
pub fn lock(data_dir: &Path) -> Result<File, DurableError> {
    let path = data_dir.join("lock");
    let locked = make_folder(data_dir).and_then(|()| {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        give_to_owner_of(data_dir, &file)?;
        file.lock()?;
        Ok(file)
    });
    locked.map_err(|source| DurableError::File { path, source })
}
