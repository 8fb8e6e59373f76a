//! Forecasts of all components, in claimed ranges.

mod compute;
mod validate;

use crate::hub::Hub;

/// The job that forecasts the fleet.
pub(crate) async fn job(_hub: Hub) -> anyhow::Result<String> {
    anyhow::bail!("not yet")
}
