//! Passwords and keys of this installation: made once, in files that only their owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;

/// The password in a file; made there when the file is missing.
///
/// # Errors
/// When the file cannot be read or made.
pub fn password(path: &Path) -> anyhow::Result<String> {
    if let Ok(text) = fs::read_to_string(path) {
        return Ok(text.trim().to_owned());
    }
    let mut random = [0; 20];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .context("no random numbers")?;
    // Without letters that are mistaken for digits: people type it from a terminal.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let made: String = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    write(path, &made)?;
    Ok(made)
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{text}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::password;

    #[test]
    fn a_password_is_made_once_and_is_nobody_elses() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        let made = password(&path).expect("made");
        assert!(made.len() == 20 && made.chars().all(|c| c.is_ascii_alphanumeric()), "{made}");
        assert_eq!(password(&path).expect("read"), made);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_ne!(password(&folder.path().join("other")).expect("made"), made);
    }
}
