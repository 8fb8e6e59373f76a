//! From plan to offer, and back when the need is gone.

use crate::hub::Hub;

/// The job that plans, drafts and withdraws.
pub(crate) async fn job(_hub: Hub) -> anyhow::Result<String> {
    anyhow::bail!("not yet")
}
