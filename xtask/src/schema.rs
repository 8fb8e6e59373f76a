//! The extension's install script. pgrx leaves a description of every SQL entity in a section of the library; this
//! turns it into SQL, so the script can never disagree with the library.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow, bail};
use object::{Object as _, ObjectSection as _};
use pgrx_sql_entity_graph::{ControlFile, PgrxSql, SqlGraphEntity, section};

/// The version of every crate of the workspace, and so of the extension.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The control file as it is in the source tree, with the version still to be filled in.
const CONTROL: &str = include_str!("../../pg_extension/headroom.control");

/// The control file as PostgreSQL reads it.
pub fn control() -> String {
    CONTROL.replace("@CARGO_VERSION@", VERSION)
}

/// The install script of the extension in this library.
///
/// # Errors
/// When the file is no library or does not describe its SQL.
pub fn script(library: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(library)
        .with_context(|| format!("cannot read the library {}: build headroom-pg first", library.display()))?;
    let file =
        object::File::parse(&*bytes).with_context(|| format!("{} is no library", library.display()))?;
    let section =
        file.sections().find(|s| s.name().is_ok_and(section::is_schema_section_name)).with_context(|| {
            format!("{} was stripped of the section that describes its SQL", library.display())
        })?;
    let mut entities = section::decode_entities(section.data()?).map_err(|e| anyhow!("{e}"))?;
    let control = ControlFile::from_str_with_cargo_version(CONTROL, VERSION).map_err(|e| anyhow!("{e}"))?;
    entities.push(SqlGraphEntity::ExtensionRoot(control));
    let sql =
        PgrxSql::build(entities.into_iter(), "headroom".to_owned(), false).map_err(|e| anyhow!("{e}"))?;
    sql.to_sql().map_err(|e| anyhow!("{e}"))
}

/// Writes the install script to a file or to standard output.
///
/// # Errors
/// As [`script`], and when the file cannot be written.
pub fn write(library: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    let script = script(library)?;
    if script.trim().is_empty() {
        bail!("{} describes no SQL at all", library.display());
    }
    match out {
        Some(path) => fs::write(path, script).with_context(|| format!("cannot write {}", path.display())),
        None => {
            print!("{script}");
            Ok(())
        }
    }
}
