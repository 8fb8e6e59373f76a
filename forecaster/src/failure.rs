//! What kind of failure it was, as an exit code (sysexits.h) that a script can act on.

use std::process::ExitCode;

use crate::config::ConfigError;

/// A kind of failure with its sentence. Used as an error or as the context of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
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
    /// Not allowed: 77.
    #[error("{0}")]
    Permission(String),
    /// The settings or the installation are wrong: 78.
    #[error("{0}")]
    Configuration(String),
    /// A check found something: 1.
    #[error("{0}")]
    Finding(String),
}

/// The exit code of an error: what a [`Failure`] in its chain says, else what the innermost cause suggests, else 70.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(code(error))
}

fn code(error: &anyhow::Error) -> u8 {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return match failure {
            Failure::Usage(_) => 64,
            Failure::Data(_) => 65,
            Failure::NotFound(_) => 66,
            Failure::Unavailable(_) => 69,
            Failure::CannotCreate(_) => 73,
            Failure::Permission(_) => 77,
            Failure::Configuration(_) => 78,
            Failure::Finding(_) => 1,
        };
    }
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return 78;
        }
        if let Some(terminal) = cause.downcast_ref::<crate::terminal::TerminalError>() {
            return match terminal {
                crate::terminal::TerminalError::Malformed { .. } => 65,
                crate::terminal::TerminalError::Handshake { .. } => 77,
                _ => 69,
            };
        }
        if let Some(postgres) = cause.downcast_ref::<tokio_postgres::Error>() {
            return match postgres
                .code()
                .map(|state| state.code().get(..2).unwrap_or_default().to_owned())
                .as_deref()
            {
                Some("28") => 77,
                Some("42")
                    if postgres.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) =>
                {
                    77
                }
                Some("22" | "23") => 65,
                Some("57" | "53" | "08") | None => 69,
                Some(_) => 70,
            };
        }
        if cause.is::<deadpool_postgres::PoolError>() {
            return 69;
        }
    }
    70
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{Failure, code};

    #[test]
    fn the_kind_survives_context_around_and_under_it() {
        let under: anyhow::Result<()> =
            Err(std::io::Error::other("x")).context(Failure::Unavailable("db".into()));
        assert_eq!(code(&under.expect_err("an error").context("while reading")), 69);
        let around = anyhow::Error::new(Failure::Data("line 3".into())).context("import");
        assert_eq!(code(&around), 65);
        assert_eq!(code(&anyhow::anyhow!("?")), 70);
    }
}
