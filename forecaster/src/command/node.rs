//! `headroom node`: the nodes that this hub knows.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use headroom_core::exchange::enrol::{Opening, Request, Token, hexadecimal};
use headroom_peer::{certificate, fingerprint};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Context, carried, enrolment, print_json, random_secret};
use crate::authority::{Credentials, Expected, client_config};
use crate::database::nodes;
use crate::failure::Failure;
use crate::hub::Hub;
use crate::intake;
use crate::terminal::{self, NodeClient};

/// How long a token works.
const TOKEN_HOURS: i64 = 1;

/// Subcommands of `headroom node`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Make a one-time token, with which a node's owner enrols it: headroom-node enrol --hub ADDRESS --token TOKEN
    Token(TokenArguments),
    /// Enrol a node that listens for it, with the token that it printed: headroom-node enrol --listen ADDRESS
    Add(AddArguments),
    /// List the nodes
    List(ListArguments),
    /// Read specifications, user information and status straight from a node; needs no database
    Read(ReadArguments),
    /// Take a node's certificate out of use; its units and history stay
    Remove(RemoveArguments),
    /// Sign the request of a node without a network: headroom-node enrol --request FILE
    Sign(carried::SignArguments),
    /// Import a signed file that a person carried: headroom-node bundle export FILE
    ImportBundle(carried::ImportArguments),
}

/// Arguments of `headroom node token`.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArguments {
    /// Reference of the customer whose node it is to be
    #[arg(long)]
    customer: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `headroom node add`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArguments {
    /// Where the node listens for its enrolment, host:port
    address: String,
    /// The token that the node printed
    #[arg(long)]
    token: String,
    /// Reference of the customer whose node it is
    #[arg(long)]
    customer: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `headroom node list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `headroom node remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArguments {
    /// The node's id
    node: Uuid,
}

/// Arguments of `headroom node read`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadArguments {
    /// The node's read API, host:port
    address: String,
    /// Let the node measure now instead of telling its latest status
    #[arg(long)]
    measure: bool,
    /// Also read every sample that the node holds into the database again; rows that are there stay as they are
    #[arg(long)]
    again: bool,
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
        Commands::Token(arguments) => token(context, &arguments).await,
        Commands::Add(arguments) => add(context, &arguments).await,
        Commands::List(arguments) => list(context, &arguments).await,
        Commands::Read(arguments) => read(context, &arguments).await,
        Commands::Remove(arguments) => remove(context, &arguments).await,
        Commands::Sign(arguments) => carried::sign(context, &arguments).await,
        Commands::ImportBundle(arguments) => carried::import(context, &arguments).await,
    }
}

async fn token(context: &Context, arguments: &TokenArguments) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let secret = random_secret()?;
    let token = Token { secret, fingerprint: certificate::fingerprint(&hub.authority().hub.certificate) };
    let now = Timestamp::now();
    let expires = now + SignedDuration::from_hours(TOKEN_HOURS);
    let client = hub.pool().get().await?;
    let hash = intake::secret_hash(&hexadecimal(&secret));
    let customer = arguments.customer.as_deref();
    if !nodes::add_token(&**client, &hash, customer, now, expires).await? {
        return Err(enrolment::no_customer(customer));
    }
    let address = hub.settings().announced_intake();
    if arguments.json {
        return print_json(&serde_json::json!({
            "token": token.to_string(), "expires_at": expires, "hub_address": address,
        }));
    }
    println!("{token}");
    eprintln!("It works once, until {expires}. The node's owner runs:");
    eprintln!("  headroom-node enrol --hub {address} --token {token}");
    Ok(())
}

/// The hub starts: the node shows a certificate made for this conversation, known by the fingerprint in its token.
async fn add(context: &Context, arguments: &AddArguments) -> anyhow::Result<()> {
    let token: Token =
        arguments.token.parse().map_err(|error| Failure::Usage(format!("--token: {error}")))?;
    let hub = super::hub(context).await?;
    let config = Arc::new(fingerprint::client_config(token.fingerprint)?);
    let mut node = NodeClient::connect(&arguments.address, config, hub.settings().pull_timeout).await?;
    let opening = Opening { secret: hexadecimal(&token.secret) };
    let request: Request = node.post("/v1/enrol/request", &opening, "enrolment request").await?;
    let grant = enrolment::enrol(&hub, &request, arguments.customer.as_deref()).await?;
    node.tell("/v1/enrol/grant", &grant).await?;
    if arguments.json {
        return print_json(&serde_json::json!({ "node": request.node, "address": request.address }));
    }
    println!("enrolled node {}", request.node);
    match &request.address {
        Some(address) => println!("the hub reads it at {address}"),
        None => println!("it has no read API: it pushes to {}", hub.settings().announced_intake()),
    }
    Ok(())
}

async fn list(context: &Context, arguments: &ListArguments) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let client = hub.pool().get().await?;
    let nodes = nodes::list(&**client).await?;
    if arguments.json {
        return print_json(&nodes);
    }
    let mut out = std::io::stdout().lock();
    for node in &nodes {
        let seen = node.last_seen_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let state = if node.revoked_at.is_some() { "removed" } else { "enrolled" };
        writeln!(
            out,
            "{}  {state:<8}  {:<10}  {:<24}  seen {seen}",
            node.node,
            node.placement.as_deref().unwrap_or("?"),
            node.address.as_deref().unwrap_or("pushes")
        )?;
        if let Some(failure) = &node.last_failure {
            writeln!(out, "    {failure}")?;
        }
    }
    Ok(())
}

async fn remove(context: &Context, arguments: &RemoveArguments) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    let tx: &tokio_postgres::Transaction<'_> = &transaction;
    if !nodes::revoke(tx, arguments.node, Timestamp::now()).await? {
        return Err(Failure::NotFound(format!("there is no enrolled node {}", arguments.node)).into());
    }
    transaction.commit().await?;
    println!("node {} may no longer connect; its units and history stay", arguments.node);
    Ok(())
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
    if arguments.again {
        let hub: Hub = super::hub(context).await?;
        let reading = intake::read_again(&hub, answer.description.node, &arguments.address).await?;
        eprintln!("read {} rows again, set aside {}", reading.rows, reading.set_aside);
    }
    if arguments.json {
        return print_json(&answer);
    }
    terminal::print(&mut std::io::stdout().lock(), &answer)?;
    Ok(())
}
