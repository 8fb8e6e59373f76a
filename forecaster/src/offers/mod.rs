//! From plan to offer, and back when the need is gone. Core's machine decides; the database refuses what it forbids.
//!
//! [`review`] judges open offers by the current fleet run, [`draft`] makes offers for needs without one, [`act`] is what
//! people do with them, [`letter`] their words, [`send`] empties the outbox.

mod act;
mod draft;
mod letter;
mod review;
mod send;

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};

use crate::database::{needs, outbox, runs};
use crate::hub::Hub;

pub(crate) use act::{Acted, act};
pub(crate) use letter::letter;

/// The job that reviews open offers, drafts new ones and sends what was approved and released.
pub(crate) async fn job(hub: Hub) -> anyhow::Result<String> {
    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut told = String::new();
    let mut client = hub.pool().get().await?;
    if let Some(run) = runs::current_id(&**client).await? {
        let transaction = client.transaction().await?;
        let needs = needs::current(&*transaction, now).await?;
        let reviewed = review::review(&transaction, &needs, run, today, hub.settings()).await?;
        let drafted = draft::draft(&transaction, &needs, today, hub.settings()).await?;
        transaction.commit().await?;
        write!(
            told,
            "{} needs, {} offers drafted, {} joined, {} changed, {} withdrawn, {} expired",
            needs.len(),
            drafted.made,
            drafted.joined,
            reviewed.changed,
            reviewed.withdrawn,
            reviewed.expired
        )?;
    } else {
        told.push_str("no fleet run yet");
    }
    drop(client);
    let sent = send::send_due(&hub).await?;
    let waiting = outbox::waiting(&**hub.pool().get().await?).await?;
    write!(told, "; {sent} messages sent, {waiting} waiting")?;
    if waiting > 0 && hub.settings().smtp.is_none() {
        told.push_str(" for smtp.host to be set");
    }
    Ok(told)
}
