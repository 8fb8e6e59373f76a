//! `headroom-node reader`: the privileged part, a process of its own without a network.

use std::path::PathBuf;

use anyhow::Context as _;

use super::Context;
use crate::failure::Failure;
use crate::measure::clock::{Clock as _, SystemClock};
use crate::reader::server;

/// Arguments of `reader`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Socket to listen at; the one of the setting `reader` where not given
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Answers the networked part until the process ends. It keeps nothing, so nothing is lost when it does.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let path = args.socket.clone().or_else(|| context.settings.reader.clone()).ok_or_else(|| {
        Failure::Usage("--socket PATH is missing, and the settings name no reader".to_owned())
    })?;
    let listener = server::listen(&path)
        .with_context(|| Failure::CannotCreate(format!("cannot listen at {}", path.display())))?;
    tracing::info!(path = %path.display(), "reading for the node");
    server::serve(&listener, &context.settings, || SystemClock.now());
    Ok(())
}
