//! Reads the nodes on their schedule: newest first, then what is missing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_core::exchange::{Acknowledgement, Answer, Batch, SequenceRange};
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::commit::{Way, commit};
use super::ranges::{FIRST_SEQUENCE, holes};
use crate::authority::NODE_CERTIFICATE_DAYS;
use crate::database::{nodes, ranges, series};
use crate::hub::Hub;

/// How often the list of nodes is read.
const TICK: Duration = Duration::from_millis(500);
/// Longest wait after failures, seconds.
const BACKOFF_SECONDS_MAX: u64 = 300;
/// Most batches of one node in one reading, so that one node with a long backlog does not keep a place for ever.
const BATCHES_MAX: usize = 200;

/// When a node is read next, and how often it failed since it last answered.
#[derive(Debug, Clone, Copy)]
struct Turn {
    due: Instant,
    failures: u32,
}

/// What a reading brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Reading {
    /// Rows committed.
    pub(crate) rows: u64,
    /// Samples set aside.
    pub(crate) set_aside: u64,
    /// Seconds between two of the node's own measurements.
    pub(crate) interval_seconds: u32,
}

/// A reading that broke off.
#[derive(Debug, Clone, Copy)]
struct Broken {
    /// Rows that it had committed by then.
    had_brought: u64,
}

/// Reads nodes until told to stop.
pub(crate) async fn serve(hub: Hub, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(hub.settings().pull_parallel));
    let mut turns: HashMap<Uuid, Turn> = HashMap::new();
    let mut reading: JoinSet<(Uuid, Result<Reading, Broken>)> = JoinSet::new();
    let mut listed = Instant::now();
    let mut readable = Vec::new();
    loop {
        if listed <= Instant::now() {
            match list(&hub).await {
                Ok(nodes) => {
                    readable = nodes;
                    listed = Instant::now() + Duration::from_secs(2);
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot list the nodes to read");
                    listed = Instant::now() + Duration::from_secs(5);
                }
            }
        }
        for node in &readable {
            let turn = turns.entry(node.node).or_insert(Turn { due: Instant::now(), failures: 0 });
            if turn.due > Instant::now() {
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
            // While it is being read it is not due again; the outcome says when it is.
            turn.due = Instant::now() + Duration::from_secs(86_400);
            let (hub, node) = (hub.clone(), node.clone());
            reading.spawn(async move {
                let outcome = read_and_note(&hub, &node).await;
                drop(place);
                (node.node, outcome)
            });
        }
        while let Some(Ok((node, outcome))) = reading.try_join_next() {
            schedule_next(&hub, &mut turns, node, outcome);
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            Some(Ok((node, outcome))) = reading.join_next(), if !reading.is_empty() => {
                schedule_next(&hub, &mut turns, node, outcome);
            }
            () = crate::listener::stopped(&mut stop) => break,
        }
    }
    // A reading that is cut off loses nothing: what was not acknowledged is read again.
    reading.shutdown().await;
}

async fn list(hub: &Hub) -> anyhow::Result<Vec<nodes::Readable>> {
    let client = hub.pool().get().await?;
    Ok(nodes::readable(&**client).await?)
}

fn schedule_next(hub: &Hub, turns: &mut HashMap<Uuid, Turn>, node: Uuid, outcome: Result<Reading, Broken>) {
    let settings = hub.settings();
    let Some(turn) = turns.get_mut(&node) else { return };
    let wait = match outcome {
        Ok(reading) => {
            turn.failures = 0;
            // A node that measures faster than the hub's interval is read at its own: a page shall show it in time.
            let own = Duration::from_secs(u64::from(reading.interval_seconds.max(1)));
            settings.pull_interval.min(own).max(settings.pull_interval_min)
        }
        Err(broken) => {
            // Over a bad line most readings break off, and each still brings something: that is no reason to come less often.
            turn.failures = if broken.had_brought > 0 { 1 } else { turn.failures.saturating_add(1) };
            let wait = settings.pull_interval_min.as_secs().max(1) << turn.failures.min(10);
            Duration::from_secs(wait.min(BACKOFF_SECONDS_MAX))
        }
    };
    turn.due = Instant::now() + wait;
}

async fn read_and_note(hub: &Hub, node: &nodes::Readable) -> Result<Reading, Broken> {
    let now = Timestamp::now();
    let mut reading = Reading::default();
    match read_and_renew(hub, node, now, &mut reading).await {
        Ok(()) => {
            if reading.set_aside > 0 {
                tracing::warn!(node = %node.node, set_aside = reading.set_aside, "samples were set aside");
            }
            Ok(reading)
        }
        Err(error) => {
            let message = format!("{error:#}");
            tracing::warn!(node = %node.node, address = node.address, error = message, "cannot read a node");
            if let Ok(client) = hub.pool().get().await
                && let Err(error) = nodes::note_failure(&**client, node.node, &message, now).await
            {
                tracing::debug!(%error, "cannot write down that a node was not read");
            }
            Err(Broken { had_brought: reading.rows })
        }
    }
}

/// Reads a node; renews its certificate where a third of its time is left, or where it must learn that one of the hub's
/// own was revoked.
async fn read_and_renew(
    hub: &Hub,
    node: &nodes::Readable,
    now: Timestamp,
    reading: &mut Reading,
) -> anyhow::Result<()> {
    read(hub, node.node, &node.address, reading).await?;
    let left = node.certificate_expires_at.map(|end| end.duration_since(now).as_hours());
    if node.has_old_revocations || left.is_some_and(|hours| hours < NODE_CERTIFICATE_DAYS * 24 / 3) {
        let mut terminal = hub.node(node.node, &node.address, hub.settings().pull_timeout).await?;
        if let Err(error) = super::enrol::renew_over(hub, &mut terminal, node.node).await {
            // It holds for weeks yet, and the next reading tries again.
            tracing::warn!(node = %node.node, error = format!("{error:#}"), "cannot renew a node's certificate");
        }
    }
    Ok(())
}

/// Reads one node: what it is, its newest samples, then whatever this hub lacks. `reading` counts what was committed, also
/// where it breaks off.
async fn read(hub: &Hub, node: Uuid, address: &str, reading: &mut Reading) -> anyhow::Result<()> {
    let most = hub.settings().pull_batch;
    let mut terminal = hub.node(node, address, hub.settings().pull_timeout).await?;
    let answer = terminal.answer().await?;
    anyhow::ensure!(
        answer.description.node == node,
        "{address} answers as node {}, but its certificate is of {node}",
        answer.description.node
    );
    let store = answer.description.store;
    reading.interval_seconds = answer.description.interval_seconds;
    let client = hub.pool().get().await?;
    let is_bereft = series::forget_what_is_gone(&**client, node).await?;
    drop(client);
    if is_bereft {
        tracing::warn!(%node, "rows of this node are gone: everything is read again");
    }
    let mut highest = 0;
    for turn in 0..BATCHES_MAX {
        let batch = terminal.newest(most).await?;
        let Some(range) = batch.range else {
            if turn == 0 {
                // Nothing new to write, but specifications and user information may have changed.
                commit(hub, &answer, batch, Way::Direct, Timestamp::now()).await?;
            }
            break;
        };
        highest = highest.max(range.last);
        take(hub, &answer, batch, reading).await?;
        terminal.acknowledge(&Acknowledgement { store, range }).await?;
    }
    backfill(hub, &answer, &mut terminal, highest, reading).await
}

/// Reads everything that a node holds again, whatever was acknowledged. Rows that are there stay as they are.
pub(crate) async fn read_again(hub: &Hub, node: Uuid, address: &str) -> anyhow::Result<Reading> {
    let client = hub.pool().get().await?;
    ranges::forget(&**client, node).await?;
    drop(client);
    let mut reading = Reading::default();
    read(hub, node, address, &mut reading).await?;
    Ok(reading)
}

async fn take(hub: &Hub, answer: &Answer, batch: Batch, reading: &mut Reading) -> anyhow::Result<()> {
    let committed = commit(hub, answer, batch, Way::Direct, Timestamp::now()).await?;
    reading.rows += committed.rows;
    reading.set_aside += committed.set_aside;
    Ok(())
}

async fn note_gap(hub: &Hub, answer: &Answer, gone: SequenceRange) -> anyhow::Result<()> {
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    let (node, store) = (answer.description.node, answer.description.store);
    ranges::note_gap(&transaction, node, store, gone, Timestamp::now()).await?;
    Ok(transaction.commit().await?)
}

/// Reads what the node holds acknowledged but this hub lacks: after the hub lost rows, or was set up anew.
async fn backfill(
    hub: &Hub,
    answer: &Answer,
    terminal: &mut crate::terminal::NodeClient,
    highest: u64,
    reading: &mut Reading,
) -> anyhow::Result<()> {
    let (node, store) = (answer.description.node, answer.description.store);
    let client = hub.pool().get().await?;
    let have = ranges::acknowledged(&**client, node, store).await?;
    drop(client);
    let newest_told = answer.status.iter().map(|sample| sample.sequence).max().unwrap_or(0);
    let last = have.iter().map(|range| range.last).max().unwrap_or(0).max(highest).max(newest_told);
    let mut budget = BATCHES_MAX;
    // The newest hole first, so that a page is right early.
    for hole in holes(&have, last).into_iter().rev() {
        let mut after = hole.first - FIRST_SEQUENCE;
        while after < hole.last && budget > 0 {
            budget -= 1;
            let most = u32::try_from((hole.last - after).min(u64::from(hub.settings().pull_batch)))
                .unwrap_or(hub.settings().pull_batch);
            let batch = terminal.after(after, most).await?;
            let Some(range) = batch.range else {
                // The node has nothing above: the rest of the hole is gone for good.
                note_gap(hub, answer, SequenceRange { first: after + 1, last: hole.last }).await?;
                break;
            };
            anyhow::ensure!(range.first > after, "the node answered with samples that were not asked for");
            if range.first > after + 1 {
                // Older than what the node still has.
                let gone = SequenceRange { first: after + 1, last: (range.first - 1).min(hole.last) };
                note_gap(hub, answer, gone).await?;
            }
            after = range.last;
            take(hub, answer, batch, reading).await?;
            terminal.acknowledge(&Acknowledgement { store, range }).await?;
        }
    }
    Ok(())
}
