//! What every part of the running service shares.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use headroom_core::exchange::Answer;
use uuid::Uuid;

use crate::authority::{self, Authority, Expected};
use crate::config::Settings;
use crate::database::pool::Pools;
use crate::terminal::{NodeClient, TerminalError};

/// Settings, connections and the authority. A clone is the same hub.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    settings: Settings,
    pools: Pools,
    authority: Authority,
}

impl Hub {
    /// Puts the parts together.
    pub(crate) fn new(settings: Settings, pools: Pools, authority: Authority) -> Self {
        Self(Arc::new(Inner { settings, pools, authority }))
    }

    /// What this process was told.
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Connections that act as the service itself: intake, schedule, commands.
    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pools.service
    }

    /// Connections that act as nobody until a transaction names the person: pages and REST.
    pub(crate) fn people_pool(&self) -> &Pool {
        &self.0.pools.people
    }

    /// The certificate authority.
    pub(crate) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// A connection to a node's read API. `node` must be in its certificate.
    pub(crate) async fn node(
        &self,
        node: Uuid,
        address: &str,
        timeout: Duration,
    ) -> anyhow::Result<NodeClient> {
        let config = authority::client_config(&self.authority().hub, Expected::Node(node))?;
        Ok(NodeClient::connect(address, Arc::new(config), timeout).await?)
    }

    /// Asks a node to measure now, and takes its answer: *ask the unit now* of the unit page.
    pub(crate) async fn ask_now(&self, node: Uuid, address: &str) -> anyhow::Result<Answer> {
        let mut client = self.node(node, address, self.settings().pull_timeout).await?;
        match client.measure().await {
            // A node that cannot measure now still tells what it has.
            Err(TerminalError::Refused { .. }) => Ok(client.answer().await?),
            other => Ok(other?),
        }
    }
}
