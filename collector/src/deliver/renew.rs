//! The next certificate, while a third of the present one's time is left.

use std::sync::Arc;
use std::time::Duration;

use headroom_core::exchange::enrol::Grant;
use jiff::Timestamp;
use tokio::sync::watch;

use super::hub_client::HubClient;
use crate::config::Settings;
use crate::credentials::{Credentials, Pending, tls};
use crate::failure::one_line;
use crate::node::Node;
use crate::serve::listener::stopped;
use crate::store::EntryKind;

/// How often it is looked at: often enough for certificates of hours.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Waits between failures double up to this many looks.
const LOOKS_MAX: u32 = 60;

/// Renews in time until told to stop. Whoever waits for the credentials' file sees the new ones.
pub async fn run(
    node: Arc<Node>,
    mut credentials: watch::Receiver<Option<Arc<Credentials>>>,
    mut stop: watch::Receiver<bool>,
) {
    let (mut failures, mut skip) = (0_u32, 0_u32);
    loop {
        let own = credentials.borrow_and_update().clone();
        if let Some(own) = own
            && skip == 0
        {
            match renew_if_due(&node, &own).await {
                Ok(false) => failures = 0,
                Ok(true) => {
                    failures = 0;
                    let node = Arc::clone(&node);
                    let noted = tokio::task::spawn_blocking(move || {
                        node.note(EntryKind::Certificate, "this node's certificate was renewed");
                    });
                    if let Err(error) = noted.await {
                        tracing::error!(%error, "the renewal was not written down");
                    }
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    skip = 2_u32.saturating_pow(failures).min(LOOKS_MAX);
                    let ends = own.validity().map(|(_, ends)| ends.to_string()).unwrap_or_default();
                    tracing::warn!(error = one_line(&error), ends, "the certificate cannot be renewed yet");
                }
            }
        }
        skip = skip.saturating_sub(1);
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            // Fresh ones are no reason to wait, whatever failed with the old ones.
            Ok(()) = credentials.changed() => skip = 0,
        }
    }
}

async fn renew_if_due(node: &Node, own: &Credentials) -> anyhow::Result<bool> {
    let now = Timestamp::now();
    if !own.is_due(now)? {
        return Ok(false);
    }
    let (_, ends) = own.validity()?;
    anyhow::ensure!(
        ends > now,
        "it ended on {ends}: enrol this node again with a new token; nothing is lost"
    );
    renew(node.settings(), node.id(), own).await?;
    Ok(true)
}

/// Asks the hub for the next certificate and writes it.
///
/// # Errors
/// No hub is known, it does not answer or it refuses.
pub async fn renew(settings: &Settings, node: uuid::Uuid, own: &Credentials) -> anyhow::Result<Credentials> {
    let address = settings.hub.as_ref().or(own.hub_address.as_ref());
    let address =
        address.ok_or_else(|| anyhow::anyhow!("no hub is known to ask: the hub renews it by itself"))?;
    let mut client = HubClient::connect(address, Arc::new(tls::client_config(own)?)).await?;
    let pending = Pending::generate()?;
    let request = pending.request(node, String::new(), settings.announced(Some(address)))?;
    let grant: Grant = client.post("/v1/renew", &request).await?;
    let fresh = pending.granted(node, grant)?;
    fresh.write(&settings.data_dir)?;
    Ok(fresh)
}
