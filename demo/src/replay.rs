//! Tells the hub what the demo fleet's nodes would tell, day after day, as a node tells it: pushes over mutual TLS.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use headroom_core::{
    exchange::{
        Acknowledgement, Answer, Batch, NodeDescription, PROTOCOL_VERSION, Placement, Push, SequenceRange,
    },
    unit::{Sample, UserInformation},
};
use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use crate::{
    calendar::Calendar,
    fleet::{HISTORY_DAYS, Unit},
    node_client::{Identity, send},
    report,
};

/// Seconds between two samples of a demo unit: a day.
const INTERVAL_SECONDS: u32 = 86_400;
/// Most samples in one push.
const BATCH_SAMPLES: usize = 4_000;

/// One customer's node in the demo fleet.
#[derive(Debug, Clone)]
pub struct DemoNode {
    /// Reference of the customer.
    pub customer: String,
    /// What it shows to the hub.
    pub identity: Identity,
    /// What its owner says.
    pub user: UserInformation,
    /// Whether it runs in the units themselves.
    pub placement: Placement,
    /// Its units.
    pub units: Vec<Unit>,
}

impl DemoNode {
    /// Sends every day after `sent` up to `through` and gives back how many samples that were. `done` hears each day
    /// that the hub has acknowledged.
    ///
    /// # Errors
    /// When the hub is away or refuses; what was acknowledged before stays.
    pub async fn send(
        &self,
        hub: &str,
        calendar: &Calendar,
        sent: Option<i64>,
        through: i64,
        mut done: impl FnMut(i64) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let store = store_of(calendar.store, &self.customer);
        let mut day = sent.map_or(-HISTORY_DAYS, |sent| sent + 1);
        let mut count = 0;
        while day <= through {
            let mut samples = Vec::new();
            let mut latest = Vec::new();
            while day <= through && samples.len() < BATCH_SAMPLES {
                latest = self.samples(calendar, day, store)?;
                samples.extend_from_slice(&latest);
                day += 1;
            }
            count += samples.len();
            self.push(hub, store, samples, latest, day <= through).await?;
            done(day - 1)?;
        }
        Ok(count)
    }

    fn samples(&self, calendar: &Calendar, day: i64, boot: Uuid) -> anyhow::Result<Vec<Sample>> {
        let on = report::day_after(calendar.first_day, day).context("the calendar ends")?;
        let mut statuses = Vec::new();
        for unit in &self.units {
            let status = report::status(unit, day, on);
            statuses.extend(status.with_context(|| format!("{} has nothing on day {day}", unit.row.serial))?);
        }
        let index = u64::try_from(day + HISTORY_DAYS).context("a day before the history")?;
        Ok(report::number(index, statuses, boot))
    }

    async fn push(
        &self,
        hub: &str,
        store: Uuid,
        samples: Vec<Sample>,
        latest: Vec<Sample>,
        more: bool,
    ) -> anyhow::Result<()> {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            bail!("a push without samples")
        };
        let range = SequenceRange { first: first.sequence, last: last.sequence };
        let push = Push {
            answer: Answer {
                protocol: PROTOCOL_VERSION,
                description: NodeDescription {
                    node: self.identity.node,
                    placement: self.placement,
                    software: concat!("headroom-demo ", env!("CARGO_PKG_VERSION")).to_owned(),
                    store,
                    interval_seconds: INTERVAL_SECONDS,
                },
                answered_at: Timestamp::now(),
                user: self.user.clone(),
                units: self.units.iter().map(report::describe).collect(),
                status: latest,
                absences: self.units.iter().flat_map(report::absences).collect(),
                gone: Vec::new(),
                notices: Vec::new(),
                remarks: Vec::new(),
            },
            batch: Batch {
                node: self.identity.node,
                store,
                range: Some(range),
                gaps: Vec::new(),
                samples,
                more,
            },
        };
        let (status, body) =
            send(hub, self.identity.config()?, "/v1/push", serde_json::to_vec(&push)?).await?;
        ensure!(
            status.is_success(),
            "the hub refused a push of {}: {}",
            self.customer,
            String::from_utf8_lossy(&body)
        );
        let acknowledged: Acknowledgement =
            serde_json::from_slice(&body).context("the hub's acknowledgement")?;
        ensure!(
            acknowledged.range == range,
            "the hub acknowledged {:?} instead of {range:?}",
            acknowledged.range
        );
        Ok(())
    }
}

/// Each node has a store of its own; the same calendar always gives the same ids.
fn store_of(calendar: Uuid, customer: &str) -> Uuid {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::new().chain_update(calendar.as_bytes()).chain_update(customer.as_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Sends what is due on `today` for all nodes, and notes in the calendar what was acknowledged.
///
/// # Errors
/// As [`DemoNode::send`].
pub async fn send_due(
    nodes: &[DemoNode],
    hub: &str,
    calendar: &mut Calendar,
    today: Date,
    mut note: impl FnMut(&Calendar) -> anyhow::Result<()>,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let through = calendar.day(today);
    let mut counts = BTreeMap::new();
    for node in nodes {
        let before = calendar.clone();
        let sent = before.sent.get(&node.customer).copied();
        let count = node
            .send(hub, &before, sent, through, |day| {
                calendar.sent.insert(node.customer.clone(), day);
                note(calendar)
            })
            .await?;
        counts.insert(node.customer.clone(), count);
    }
    Ok(counts)
}
