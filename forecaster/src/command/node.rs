//! `headroom node`: the nodes that this hub knows.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;

use super::{Context, print_json};
use crate::authority::{Credentials, Expected, client_config};
use crate::failure::Failure;
use crate::terminal::{self, NodeClient};

/// Subcommands of `headroom node`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Read specifications, user information and status straight from a node; needs no database
    Read(ReadArguments),
}

/// Arguments of `headroom node read`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadArguments {
    /// The node's read API, host:port
    address: String,
    /// Let the node measure now instead of telling its latest status
    #[arg(long)]
    measure: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The authority's certificate (PEM); the hub's own where not given
    #[arg(long, requires_all = ["cert", "key"])]
    ca: Option<PathBuf>,
    /// Certificate to show (PEM)
    #[arg(long, requires = "ca")]
    cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, requires = "ca")]
    key: Option<PathBuf>,
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    match command {
        Commands::Read(arguments) => read(context, &arguments).await,
    }
}

async fn read(context: &Context, arguments: &ReadArguments) -> anyhow::Result<()> {
    let credentials = match (&arguments.ca, &arguments.cert, &arguments.key) {
        (Some(ca), Some(cert), Some(key)) => Credentials::read(ca, cert, key),
        _ => Credentials::of_hub(&context.settings.data_dir),
    }
    .context(Failure::Configuration("there is no certificate to show to the node".to_owned()))?;
    let config = Arc::new(client_config(&credentials, Expected::AnyNode)?);
    let mut client = NodeClient::connect(&arguments.address, config, context.settings.pull_timeout).await?;
    let answer = if arguments.measure { client.measure().await? } else { client.answer().await? };
    if arguments.json {
        return print_json(&answer);
    }
    terminal::print(&mut std::io::stdout().lock(), &answer)?;
    Ok(())
}
