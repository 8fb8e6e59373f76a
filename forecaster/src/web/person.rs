//! Who asks.

use super::role::Role;

/// The person who asks. A handler that takes this is closed to everybody else.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// Their key.
    pub(crate) person_id: i64,
    /// Their name.
    pub(crate) name: String,
    /// With which role.
    pub(crate) role: Role,
}
