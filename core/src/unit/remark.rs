//! Remarks: what a person should know and no figure says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ComponentKey;

/// What a person should know of a component, or of the node and its machine where it is of none: pages of one drive that
/// disagree, a tool that tells nothing; and what happened, a clock that jumped or records that were set aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Remark {
    /// Which component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentKey>,
    /// When it happened, by the node's clock; `None` for what holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// In one sentence.
    pub text: String,
}
