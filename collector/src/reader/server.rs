//! The reader's side: one client at a time, one question after the other.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::talk::{self, Question};
use crate::config::Settings;
use crate::probe::survey::Prober;

/// A client that asks nothing for so long makes room for the next. Longer than the longest interval between rounds is
/// not needed: a client connects for each round.
const IDLE: Duration = Duration::from_secs(30);

/// Listens at a path, for the socket's owner and group alone. A socket that a dead reader left is replaced.
///
/// # Errors
/// The path is taken by something else, or cannot be written.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another reader listens there"));
            }
            fs::remove_file(path)?;
        }
        Ok(_) => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Answers until the process ends. `now` tells the time.
pub fn serve(listener: &UnixListener, settings: &Settings, now: fn() -> Timestamp) {
    let mut prober: Option<(Uuid, Prober)> = None;
    for connection in listener.incoming() {
        let outcome = connection.and_then(|mut stream| converse(&mut stream, settings, now, &mut prober));
        if let Err(error) = outcome {
            tracing::warn!(%error, "a conversation with the node broke off");
        }
    }
}

fn converse(
    stream: &mut UnixStream,
    settings: &Settings,
    now: fn() -> Timestamp,
    prober: &mut Option<(Uuid, Prober)>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    while let Some(Question { node }) = talk::receive(stream)? {
        if prober.as_ref().is_none_or(|(known, _)| *known != node) {
            *prober = Some((node, crate::probe::survey::of_machine(settings, node).0));
        }
        let Some((_, prober)) = prober else { continue };
        talk::send(stream, &prober.survey(now()))?;
    }
    Ok(())
}
