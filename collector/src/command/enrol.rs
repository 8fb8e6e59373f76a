//! `headroom-node enrol`: this node gets its certificate, once, whichever side starts; also with no network between.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use headroom_core::exchange::enrol::{Grant, Token, hexadecimal};
use headroom_peer::fingerprint;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{Context, print_json, runtime};
use crate::config::Settings;
use crate::credentials::identity::Identity;
use crate::credentials::{Credentials, Pending};
use crate::deliver::hub_client::{HubClient, HubError};
use crate::failure::Failure;
use crate::serve::enrol::Waiting;

/// Arguments of `enrol`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// This node starts: the one-time token that the hub's operator made; the hub is the one of --hub or the settings
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["request", "grant"])]
    token: Option<String>,
    /// The hub starts: wait for it here, host:port, and print the token to give to its operator
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["request", "grant"])]
    listen: Option<String>,
    /// No network between: write a request that a person carries to the hub
    #[arg(long, value_name = "FILE", conflicts_with = "grant")]
    request: Option<PathBuf>,
    /// No network between: take the grant that a person brings back
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Enrols. A node that was enrolled before keeps its id and its history.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let settings = &context.settings;
    let (identity, copied) = Identity::settle(&settings.data_dir)?;
    if let Some(copied) = copied {
        eprintln!("headroom-node: {}", super::run::copied_sentence(&copied));
    }
    let node = identity.node;
    let credentials = match (&args.token, &args.listen, &args.request, &args.grant) {
        (Some(token), ..) => runtime()?.block_on(with_hub(settings, node, token))?,
        (None, Some(listen), ..) => runtime()?.block_on(wait_for_hub(settings, node, listen))?,
        (None, None, Some(file), _) => return write_request(settings, node, file),
        (None, None, None, Some(file)) => take_grant(settings, node, file)?,
        _ => {
            let sentence =
                "how? --token TOKEN with --hub ADDRESS, --listen ADDRESS, --request FILE or --grant FILE";
            return Err(Failure::Usage(sentence.to_owned()).into());
        }
    };
    Pending::forget(&settings.data_dir);
    let (_, ends) = credentials.validity()?;
    if args.json {
        return print_json(
            &json!({ "node": node, "hub": credentials.hub_address, "certificate_ends": ends }),
        );
    }
    println!("node {node} is enrolled; its certificate holds until {ends} and is renewed in time");
    hint(settings, &credentials);
    Ok(())
}

/// What else is needed before the hub sees anything.
fn hint(settings: &Settings, credentials: &Credentials) {
    let hub = settings.hub.as_ref().or(credentials.hub_address.as_ref());
    if !settings.push && settings.announced(hub.map(String::as_str)).is_none() {
        eprintln!(
            "headroom-node: the hub cannot read this node at {}: set `address`, or `push = true`",
            settings.listen.as_deref().unwrap_or("no address")
        );
    }
}

/// This node starts.
async fn with_hub(settings: &Settings, node: Uuid, token: &str) -> anyhow::Result<Credentials> {
    let token: Token = token.parse().map_err(|error| Failure::Usage(format!("--token: {error}")))?;
    let address = settings
        .hub
        .as_ref()
        .ok_or_else(|| Failure::Usage("--hub ADDRESS is missing, and the settings name no hub".to_owned()))?;
    let config = Arc::new(fingerprint::client_config(token.fingerprint)?);
    let pending = Pending::generate()?;
    let request = pending.request(node, hexadecimal(&token.secret), settings.announced(Some(address)))?;
    let granted = async {
        let mut hub = HubClient::connect(address, config).await?;
        hub.post::<Grant>("/v1/enrol", &request).await
    };
    let grant = granted.await.map_err(|error| {
        let failure = match &error {
            HubError::Handshake { .. } => Failure::Permission(
                "this is not the hub that made the token, or the token is damaged".to_owned(),
            ),
            HubError::Refused { .. } => Failure::Permission("the hub refused the enrolment".to_owned()),
            _ => Failure::Unavailable("the hub does not answer".to_owned()),
        };
        anyhow::Error::from(error).context(failure)
    })?;
    let credentials = pending.granted(node, grant)?;
    credentials.write(&settings.data_dir)?;
    Ok(credentials)
}

/// The hub starts.
async fn wait_for_hub(settings: &Settings, node: Uuid, listen: &str) -> anyhow::Result<Credentials> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| Failure::CannotCreate(format!("cannot listen on {listen}")))?;
    let address = listener.local_addr()?;
    let waiting = Waiting::new()?;
    println!("{}", waiting.token);
    eprintln!("It works once, within an hour. The hub's operator runs:");
    eprintln!("  headroom node add {address} --token {}", waiting.token);
    let announced = settings.announced(Some(&address.to_string()));
    waiting.wait(listener, node, settings.data_dir.clone(), announced).await
}

fn write_request(settings: &Settings, node: Uuid, file: &Path) -> anyhow::Result<()> {
    let pending = Pending::generate()?;
    let request = pending.request(node, String::new(), None)?;
    pending.keep(&settings.data_dir)?;
    std::fs::write(file, serde_json::to_vec_pretty(&request)?)
        .with_context(|| Failure::CannotCreate(format!("cannot write {}", file.display())))?;
    eprintln!("{} holds no secret. It is for the hub's operator;", file.display());
    eprintln!("the grant that comes back is taken with: headroom-node enrol --grant FILE");
    Ok(())
}

fn take_grant(settings: &Settings, node: Uuid, file: &Path) -> anyhow::Result<Credentials> {
    let pending = Pending::kept(&settings.data_dir)?.ok_or_else(|| {
        Failure::NotFound("no request waits: headroom-node enrol --request FILE comes first".to_owned())
    })?;
    let bytes =
        std::fs::read(file).with_context(|| Failure::NotFound(format!("cannot read {}", file.display())))?;
    let grant: Grant = serde_json::from_slice(&bytes)
        .with_context(|| Failure::Data(format!("{} holds no grant of a hub", file.display())))?;
    let credentials =
        pending.granted(node, grant).context(Failure::Data("this grant is of no use here".to_owned()))?;
    credentials.write(&settings.data_dir)?;
    Ok(credentials)
}
