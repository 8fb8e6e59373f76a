//! Settings: one list ([`setting`]), merged from file, environment and flags ([`merge`]), read once into
//! [`Settings`]. Nothing else reads the environment.

mod merge;
mod setting;
mod settings;

pub(crate) use merge::{ConfigError, Merged, Origin, merge};
pub(crate) use setting::SETTINGS;
pub(crate) use settings::{LogFormat, Settings, Smtp, SmtpTls};
