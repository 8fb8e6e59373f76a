//! What kind of failure it was, as an exit code (sysexits.h) that a script can act on: the same codes as the hub's.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::durable::DurableError;
use crate::store::StoreError;

/// A kind of failure with its sentence. Used as an error or as the context of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A check found something: 1.
    #[error("{0}")]
    Finding(String),
    /// The command line makes no sense: 64.
    #[error("{0}")]
    Usage(String),
    /// What was given to read is wrong: 65.
    #[error("{0}")]
    Data(String),
    /// What was named does not exist here: 66.
    #[error("{0}")]
    NotFound(String),
    /// A service does not answer: 69.
    #[error("{0}")]
    Unavailable(String),
    /// Something could not be written: 73.
    #[error("{0}")]
    CannotCreate(String),
    /// Not allowed, or not granted by the owner: 77.
    #[error("{0}")]
    Permission(String),
    /// The settings or the installation are wrong: 78.
    #[error("{0}")]
    Configuration(String),
}

/// The error and its causes in one line. A cause that the sentence before it tells already is left out.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

/// The exit code of an error: what a [`Failure`] in its chain says, else what a cause suggests, else 70.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(code(error))
}

fn code(error: &anyhow::Error) -> u8 {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return match failure {
            Failure::Finding(_) => 1,
            Failure::Usage(_) => 64,
            Failure::Data(_) => 65,
            Failure::NotFound(_) => 66,
            Failure::Unavailable(_) => 69,
            Failure::CannotCreate(_) => 73,
            Failure::Permission(_) => 77,
            Failure::Configuration(_) => 78,
        };
    }
    error.chain().find_map(of_cause).unwrap_or(70)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if cause.is::<ConfigError>() {
        return Some(78);
    }
    if let Some(DurableError::Damaged { .. }) = cause.downcast_ref() {
        return Some(65);
    }
    match cause.downcast_ref::<StoreError>() {
        Some(StoreError::File { .. }) | None => {}
        Some(error) if error.is_damage() => return Some(65),
        Some(StoreError::TooNew { .. }) => return Some(78),
        Some(_) => return Some(73),
    }
    cause.downcast_ref::<std::io::Error>().map(of_io)
}

fn of_io(error: &std::io::Error) -> u8 {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => 77,
        std::io::ErrorKind::NotFound => 66,
        std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::TimedOut => 69,
        std::io::ErrorKind::IsADirectory | std::io::ErrorKind::InvalidData => 65,
        _ => 73,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{Failure, code, one_line};

    #[test]
    fn a_cause_is_told_once() {
        let inner = std::io::Error::other("no such thing");
        let told = crate::config::ConfigError::Unreadable { path: "/x".into(), source: inner };
        let error = anyhow::Error::new(told).context("cannot start");
        assert_eq!(one_line(&error), "cannot start: cannot read /x: no such thing");
    }

    #[test]
    fn the_kind_survives_context_around_and_under_it() {
        let under: anyhow::Result<()> =
            Err(std::io::Error::other("x")).context(Failure::Unavailable("hub".into()));
        assert_eq!(code(&under.unwrap_err().context("while sending")), 69);
        let around = anyhow::Error::new(Failure::Data("line 3".into())).context("import");
        assert_eq!(code(&around), 65);
        let denied = anyhow::Error::new(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert_eq!(code(&denied.context("cannot write")), 77);
        assert_eq!(code(&anyhow::anyhow!("?")), 70);
    }
}
