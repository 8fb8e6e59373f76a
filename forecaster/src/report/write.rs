//! Writes a file whole or not at all.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::failure::Failure;

/// Writes beside the file first, so that a reader never sees half of it.
pub(crate) fn whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().with_context(|| Failure::CannotCreate(format!("cannot write {}", path.display())))
}
