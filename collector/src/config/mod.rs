//! What the node's owner decides: a file, then the environment, then flags. Nothing else reads the environment.
//!
//! | Room | What it is |
//! |---|---|
//! | [`setting`] | the list of settings: name, default, help |
//! | [`merge`] | who said what, the later winning |
//! | [`settings`] | the values as types, checked |

mod merge;
mod setting;
mod settings;

pub use merge::{ConfigError, Merged, Origin, merge};
pub use setting::{SETTINGS, Setting};
pub use settings::{LogFormat, Settings, is_mail_address};

/// The file that is read where it exists and no other is named.
pub const DEFAULT_FILE: &str = "/etc/headroom-node.toml";
/// The variable that names another file.
pub const FILE_VARIABLE: &str = "HEADROOM_NODE_CONFIG";
