//! A private, relocated copy of the installed PostgreSQL.
//!
//! PostgreSQL finds its library and share folders relative to its own executable. A copy therefore has an extension
//! folder of its own: the demo, the tests and the benchmarks install the extension there, and neither the system's
//! server nor each other's library is touched.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::schema;

/// Where Debian puts the programs of PostgreSQL, below `/usr`; the copy keeps the shape.
const PROGRAMS: &str = "lib/postgresql/15/bin";

/// The folder of programs in a private installation.
pub fn programs(prefix: &Path) -> PathBuf {
    prefix.join(PROGRAMS)
}

/// Makes or refreshes the private installation in `prefix`. Quick when nothing changed.
///
/// # Errors
/// When PostgreSQL or the library is missing, or the copy cannot be written.
pub fn make(prefix: &Path, library: &Path, pg_config: &Path) -> anyhow::Result<()> {
    let ask = |what: &str| -> anyhow::Result<PathBuf> {
        let out = Command::new(pg_config).arg(what).output().with_context(|| {
            format!("cannot run {}: install postgresql-15 and postgresql-server-dev-15", pg_config.display())
        })?;
        if !out.status.success() {
            bail!("{} {what} failed", pg_config.display());
        }
        Ok(PathBuf::from(String::from_utf8(out.stdout)?.trim()))
    };
    let version = ask("--version")?;
    let mut folders = Vec::new();
    for what in ["--bindir", "--pkglibdir", "--sharedir"] {
        let from = ask(what)?;
        let below_root = from
            .strip_prefix("/usr")
            .with_context(|| format!("PostgreSQL is not where Debian puts it: {}", from.display()))?;
        folders.push((from.clone(), prefix.join(below_root)));
    }
    let stamp = prefix.join("copied-from");
    if fs::read_to_string(&stamp).ok().as_deref() != version.to_str() {
        for (from, to) in &folders {
            copy_folder(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        fs::write(&stamp, version.to_string_lossy().as_bytes())?;
    }
    let (library_folder, share) = (&folders[1].1, &folders[2].1);
    install(library, &library_folder.join("headroom.so"))?;
    write_if_changed(&share.join("extension/headroom.control"), schema::control().as_bytes())?;
    let script = share.join(format!("extension/headroom--{}.sql", schema::VERSION));
    write_if_changed(&script, schema::script(library)?.as_bytes())?;
    for upgrade in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../pg_extension/sql")).into_iter().flatten()
    {
        let path = upgrade?.path();
        if let Some(name) = path.file_name() {
            write_if_changed(&share.join("extension").join(name), &fs::read(&path)?)?;
        }
    }
    Ok(())
}

/// Puts a library in place under a new inode: a server that has the old one loaded keeps it.
fn install(from: &Path, to: &Path) -> anyhow::Result<()> {
    let new =
        fs::read(from).with_context(|| format!("cannot read {}: build headroom-pg first", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let fresh = to.with_extension(format!("so.{}", std::process::id()));
    fs::write(&fresh, new)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    fs::rename(&fresh, to).with_context(|| format!("cannot install {}", to.display()))
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (source, target) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        // Links are followed: the copy must not depend on where it lies.
        let kind = fs::metadata(&source)?;
        if kind.is_dir() {
            if source.file_name().is_some_and(|n| n == "bitcode" || n == "pgxs") {
                continue; // for building and for JIT, which the copies do not use
            }
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
