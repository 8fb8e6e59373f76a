//! What every request shares.

use std::sync::Arc;

use super::frame::Frame;
use super::limit::Attempts;
use super::person::SignedIn;
use super::traffic::Traffic;
use crate::config::Settings;
use crate::hub::Hub;

/// The web view's state. A clone is the same state.
#[derive(Clone)]
pub(crate) struct Web(Arc<Inner>);

struct Inner {
    hub: Hub,
    attempts: Attempts,
    traffic: Traffic,
}

impl Web {
    /// For this hub.
    pub(crate) fn new(hub: Hub) -> Self {
        Self(Arc::new(Inner { hub, attempts: Attempts::default(), traffic: Traffic::default() }))
    }

    /// The hub.
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// What the process was told.
    pub(crate) fn settings(&self) -> &Settings {
        self.0.hub.settings()
    }

    /// Failed sign-ins.
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// Requests answered so far.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// A connection that acts as nobody until a transaction names the person.
    pub(crate) async fn connection(&self) -> Result<deadpool_postgres::Object, deadpool_postgres::PoolError> {
        self.0.hub.people_pool().get().await
    }

    /// Whether people reach the web view over TLS: ours, or that of a proxy in front.
    pub(crate) fn secure(&self) -> bool {
        let settings = self.settings();
        settings.web_tls.is_some()
            || settings.web_origin.as_deref().is_some_and(|origin| origin.starts_with("https://"))
    }

    /// The frame around a page of a person. `address` is where live parts are taken anew from.
    pub(crate) fn frame(&self, who: &SignedIn, section: &'static str, address: String) -> Frame {
        let settings = self.settings();
        Frame {
            person: Some(who.clone()),
            section,
            address,
            banner: settings.web_banner.clone(),
            refresh_seconds: settings.web_refresh_seconds,
        }
    }

    /// The frame for who is not signed in.
    pub(crate) fn frame_for_nobody(&self) -> Frame {
        Frame { banner: self.settings().web_banner.clone(), ..Frame::default() }
    }
}
