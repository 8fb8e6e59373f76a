//! Remarks: what a person should know and no figure says.

use serde::{Deserialize, Serialize};

use super::ComponentKey;

/// What a person should know of a component, or of the machine where it is of none: pages of one drive that disagree, a
/// set that is degraded, a tool that tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Remark {
    /// Which component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentKey>,
    /// In one sentence.
    pub text: String,
}
