//! `headroom certificate`: the hub's own certificate.

use anyhow::Context as _;
use clap::Subcommand;
use headroom_peer::certificate::{serial_of, validity};
use jiff::Timestamp;

use super::Context;
use crate::authority::{Authority, Credentials, replace_hub_certificate};
use crate::database::certificates;
use crate::failure::Failure;

/// Subcommands of `headroom certificate`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Revoke the hub's certificate and make a new one, where its key was seen by others
    Replace,
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    match command {
        Commands::Replace => replace(context).await,
    }
}

async fn replace(context: &Context) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let data_dir = &context.settings.data_dir;
    let old = Credentials::of_hub(data_dir)?;
    let (serial, (_, ends)) = (serial_of(&old.certificate)?, validity(&old.certificate)?);
    let now = Timestamp::now();
    let client = hub.pool().get().await?;
    // Written first: after a crash in between the same command goes on, and no serial number is lost.
    certificates::revoke_hub(&**client, &serial, ends, now).await?;
    replace_hub_certificate(data_dir)?;
    Authority::open(data_dir, now)
        .context(Failure::CannotCreate("the hub's new certificate cannot be made".to_owned()))?;
    println!(
        "revoked the hub's certificate {serial} and made a new one: restart `headroom serve` to show it"
    );
    println!(
        "nodes that the hub reads learn it at their next reading, nodes that push at their next renewal"
    );
    Ok(())
}
