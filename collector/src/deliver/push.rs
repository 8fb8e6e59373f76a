//! Sends what the hub has not acknowledged, newest first, so that a page is right early after an outage.

use std::sync::Arc;
use std::time::Duration;

use headroom_core::exchange::{Acknowledgement, Batch, Push};
use hyper::StatusCode;
use tokio::sync::watch;

use super::hub_client::{HubClient, HubError};
use crate::credentials::{Credentials, tls};
use crate::failure::one_line;
use crate::node::Node;
use crate::serve::listener::stopped;
use crate::store::{EntryKind, Order};

/// Samples in one push: a few ten kilobytes compressed, so that a slow line finishes one before it breaks off.
const BATCH_SAMPLES: u32 = 1_000;
/// Fewest, where the hub or the line does not take more.
const BATCH_SAMPLES_MIN: u32 = 20;
/// Waits between failures.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// What the sender remembers.
#[derive(Debug)]
struct Sender {
    node: Arc<Node>,
    batch_samples: u32,
    failures: u32,
    trouble: Option<String>,
    /// Version of a withdrawal that the hub has been told.
    told_withdrawal: Option<u64>,
}

/// What became of one turn.
enum Turn {
    /// Everything is acknowledged, or nothing may leave.
    Done,
    /// There is more.
    More,
}

/// Sends after every round, and again after failures, until told to stop.
pub async fn run(
    node: Arc<Node>,
    mut credentials: watch::Receiver<Option<Arc<Credentials>>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut rounds = node.rounds();
    // What was measured before this began is news too.
    rounds.mark_changed();
    let mut sender =
        Sender { node, batch_samples: BATCH_SAMPLES, failures: 0, trouble: None, told_withdrawal: None };
    loop {
        let wait = sender.wait();
        tokio::select! {
            () = stopped(&mut stop) => return,
            // After a failure new rounds are no reason to hurry.
            () = tokio::time::sleep(wait), if sender.failures > 0 => {}
            _ = rounds.changed(), if sender.failures == 0 => {}
            _ = credentials.changed() => {}
        }
        let Some(own) = credentials.borrow_and_update().clone() else { continue };
        let sending = sender.send_all(&own);
        tokio::select! {
            // What was cut off is not acknowledged and is sent again.
            () = stopped(&mut stop) => return,
            outcome = sending => sender.note(outcome),
        }
    }
}

impl Sender {
    /// Doubles with each failure; a share that differs from node to node keeps a fleet from coming back in step.
    fn wait(&self) -> Duration {
        let doubled = BACKOFF_MIN * 2_u32.saturating_pow(self.failures.min(9));
        let own_share = f64::from(self.node.id().as_fields().0) / f64::from(u32::MAX);
        doubled.min(BACKOFF_MAX).mul_f64(0.75 + own_share / 2.0)
    }

    async fn send_all(&mut self, credentials: &Credentials) -> Result<(), anyhow::Error> {
        let address = self.node.settings().hub.clone().or_else(|| credentials.hub_address.clone());
        let Some(address) = address else {
            anyhow::bail!("no hub is known to push to: set `hub` or enrol again");
        };
        let mut client: Option<HubClient> = None;
        while let Some(push) = self.next().await? {
            let connected = match client.take() {
                Some(connected) => connected,
                None => HubClient::connect(&address, Arc::new(tls::client_config(credentials)?)).await?,
            };
            match self.send(connected, push).await? {
                (Turn::More, connected) => client = Some(connected),
                (Turn::Done, _) => break,
            }
        }
        Ok(())
    }

    /// What is to be sent next; `None` where nothing may leave or everything has been told.
    async fn next(&self) -> Result<Option<Push>, anyhow::Error> {
        let (node, most, told) = (Arc::clone(&self.node), self.batch_samples, self.told_withdrawal);
        let next = tokio::task::spawn_blocking(move || {
            let answer = match node.answer() {
                Ok(answer) => answer,
                Err(silence) => {
                    tracing::debug!(%silence, "nothing is sent");
                    return Ok(None);
                }
            };
            let store = answer.description.store;
            if !answer.user.consent.any() {
                let news = told != Some(answer.user.version);
                let empty = || Batch {
                    node: node.id(),
                    store,
                    range: None,
                    gaps: Vec::new(),
                    samples: Vec::new(),
                    more: false,
                };
                return Ok(news.then(|| Push { answer, batch: empty() }));
            }
            let mut keeper = node.keeper();
            let newest = Order::NewestUnacknowledged;
            let batch = keeper.with_store(|store| store.unacknowledged(node.id(), newest, most));
            let Some(batch) = batch.transpose()? else { return Ok(None) };
            // The store may have been made afresh since the answer was put together.
            Ok((batch.store == store && batch.range.is_some()).then_some(Push { answer, batch }))
        });
        next.await?.map_err(|error: crate::store::StoreError| error.into())
    }

    async fn send(&mut self, mut client: HubClient, push: Push) -> Result<(Turn, HubClient), anyhow::Error> {
        let acknowledged: Result<Acknowledgement, HubError> = client.post("/v1/push", &push).await;
        let acknowledgement = match acknowledged {
            Ok(acknowledgement) => acknowledgement,
            Err(error) => {
                let shrink = matches!(error.status(), Some(StatusCode::PAYLOAD_TOO_LARGE))
                    || matches!(error, HubError::Broken { .. } | HubError::TimedOut { .. });
                if shrink {
                    self.batch_samples = (self.batch_samples / 2).max(BATCH_SAMPLES_MIN);
                }
                return Err(error.into());
            }
        };
        self.batch_samples = (self.batch_samples * 2).min(BATCH_SAMPLES);
        let Some(range) = push.batch.range else {
            self.told_withdrawal = Some(push.answer.user.version);
            return Ok((Turn::Done, client));
        };
        anyhow::ensure!(
            acknowledgement.store == push.batch.store && acknowledgement.range == range,
            "the hub acknowledged something that was not sent"
        );
        let node = Arc::clone(&self.node);
        tokio::task::spawn_blocking(move || {
            node.keeper().with_store(|store| store.acknowledge(acknowledgement)).unwrap_or(Ok(()))
        })
        .await??;
        Ok((Turn::More, client))
    }

    fn note(&mut self, outcome: Result<(), anyhow::Error>) {
        match outcome {
            Ok(()) => {
                self.failures = 0;
                if self.trouble.take().is_some() {
                    tracing::info!("the hub takes what this node sends again");
                }
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let text = one_line(&error);
                // Once per trouble, not once per attempt.
                if self.trouble.as_deref() != Some(text.as_str()) {
                    tracing::warn!(
                        error = text,
                        "cannot send to the hub; it is tried again, nothing is lost"
                    );
                    if error.downcast_ref::<HubError>().is_some_and(|error| error.status().is_some()) {
                        self.node.note(EntryKind::Refused, &text);
                    }
                }
                self.trouble = Some(text);
            }
        }
    }
}
