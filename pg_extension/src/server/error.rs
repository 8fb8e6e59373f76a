//! What can go wrong, and how it is told: SQLSTATE, message, detail and a hint with the SQL that mends it.
//!
//! Everything in this library returns [`Error`]; only the functions that the server calls turn it into a raised
//! error, with [`or_raise`].

use pgrx::{pg_sys::panic::ErrorReport, prelude::*};

/// What the caller can do about it; each kind is one SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Kind {
    /// 42809: the thing named is not of the kind that is needed.
    WrongObject,
    /// 42704: the thing named does not exist.
    Undefined,
    /// 42883: the function that is needed does not exist.
    UndefinedFunction,
    /// 42P01: the relation named does not exist.
    UndefinedTable,
    /// 42703: the column named does not exist.
    UndefinedColumn,
    /// 42804: a value of another type is needed.
    WrongType,
    /// 22023: an argument that cannot be.
    InvalidArgument,
    /// 22008: a moment that the server does not have.
    MomentOutOfRange,
    /// 22003: a number that its type does not have.
    NumberOutOfRange,
    /// 42710: it is there already.
    Duplicate,
    /// 23505: a row has the key already.
    UniqueViolation,
    /// 23514: a row breaks a constraint.
    CheckViolation,
    /// 42501: the caller may not do this.
    NotPermitted,
    /// 0A000: it cannot be kept, so it is refused.
    Unsupported,
    /// 55000: not in this state of things; the hint says how to change it.
    NotReady,
    /// 40001: something else was faster; to be tried again.
    Serialization,
    /// 53100: the disk has too little space left.
    DiskFull,
    /// XX001: stored bytes are not what was written.
    Damaged,
    /// XX000: the server answered what it should not; a fault of this library.
    Internal,
}

impl Kind {
    fn code(self) -> PgSqlErrorCode {
        match self {
            Self::WrongObject => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            Self::Undefined => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            Self::UndefinedFunction => PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
            Self::UndefinedTable => PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            Self::UndefinedColumn => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            Self::WrongType => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            Self::InvalidArgument => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::MomentOutOfRange => PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW,
            Self::NumberOutOfRange => PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Self::Duplicate => PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
            Self::UniqueViolation => PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
            Self::CheckViolation => PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
            Self::NotPermitted => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Unsupported => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::NotReady => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::Serialization => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::DiskFull => PgSqlErrorCode::ERRCODE_DISK_FULL,
            Self::Damaged => PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            Self::Internal => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        }
    }
}

/// One refusal or failure.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    kind: Kind,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

/// The result of everything that can fail in this library.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with the thing's name in the message.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, hint: None }
    }

    /// Adds why.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do, best as SQL.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Raises it in the server: the statement ends here.
    pub(crate) fn raise(self) -> ! {
        let mut report = ErrorReport::new(self.kind.code(), self.message, "headroom");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("the server does not return from an error")
    }
}

impl From<pgrx::spi::SpiError> for Error {
    fn from(error: pgrx::spi::SpiError) -> Self {
        Self::new(Kind::Internal, format!("a query of headroom itself failed: {error}"))
    }
}

/// An argument that must be given.
pub(crate) fn given<T>(argument: Option<T>, name: &str) -> Result<T> {
    argument.ok_or_else(|| Error::new(Kind::InvalidArgument, format!("{name} must not be null")))
}

/// The value, or the error raised in the server.
pub(crate) fn or_raise<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| error.raise())
}
