//! `headroom offers`: what people do with offers, from the command line.

use std::io::Write as _;

use clap::Subcommand;
use headroom_core::offer::Event;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{Context, print_json};
use crate::database::offers::{self, Line, Offer};
use crate::failure::Failure;
use crate::offers::{Acted, act, letter};

/// Subcommands of `headroom offers`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// List offers, the open ones first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print an offer as it would be sent, with its life so far
    Show {
        /// Its number
        offer: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take responsibility for a drafted offer
    Approve(Step),
    /// Send an approved offer, where the rules of contact allow it
    Send(Step),
    /// Note that the customer accepted
    Accept(Step),
    /// Note that the customer declined
    Decline(Step),
    /// Take an open offer back
    Withdraw(Step),
}

/// A step of an offer's life.
#[derive(Debug, clap::Args)]
pub(crate) struct Step {
    /// Its number
    offer: i64,
    /// Why
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    offer: Offer,
    lines: Vec<Line>,
    life: Vec<offers::Event>,
    subject: String,
    text: String,
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let (step, event) = match command {
        Commands::List { json } => return list(&hub, json).await,
        Commands::Show { offer, json } => return show(&hub, offer, json).await,
        Commands::Approve(step) => (step, Event::Approve),
        Commands::Send(step) => (step, Event::Send),
        Commands::Accept(step) => (step, Event::Accept),
        Commands::Decline(step) => (step, Event::Decline),
        Commands::Withdraw(step) => (step, Event::Withdraw),
    };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let valid_days = hub.settings().offers_valid_days;
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    match act(&transaction, step.offer, event, "command line", &step.reason, today, valid_days).await? {
        Acted::Now(state) => {
            transaction.commit().await?;
            println!("offer {} is {state}", step.offer);
            Ok(())
        }
        Acted::Unknown => Err(unknown(step.offer)),
        Acted::Refused(why) => Err(Failure::Permission(why).into()),
    }
}

fn unknown(offer: i64) -> anyhow::Error {
    Failure::NotFound(format!("there is no offer {offer}: see `headroom offers list`")).into()
}

async fn list(hub: &crate::hub::Hub, json: bool) -> anyhow::Result<()> {
    let rows = offers::list(&**hub.pool().get().await?).await?;
    if json {
        return print_json(&rows);
    }
    let mut out = std::io::stdout().lock();
    for row in rows {
        let order = row.order_by.map_or_else(|| "no date".to_owned(), |date| format!("order by {date}"));
        writeln!(
            out,
            "{:>6}  {:<9}  {:>12} {}  {order}  {} ({} units), {} <{}>",
            row.offer_id,
            row.state.as_str(),
            row.price,
            row.currency,
            row.customer,
            row.units,
            row.contact_name,
            row.contact_email
        )?;
    }
    Ok(())
}

async fn show(hub: &crate::hub::Hub, id: i64, json: bool) -> anyhow::Result<()> {
    let client = hub.pool().get().await?;
    let offer = offers::one(&**client, id).await?.ok_or_else(|| unknown(id))?;
    let lines = offers::lines(&**client, id).await?;
    let life = offers::events(&**client, id).await?;
    let words = letter(&offer, &lines);
    if json {
        return print_json(&Shown { offer, lines, life, subject: words.subject, text: words.body });
    }
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "To: {} <{}>\nSubject: {}\n\n{}",
        offer.contact_name, offer.contact_email, words.subject, words.body
    )?;
    for event in life {
        writeln!(out, "{}  {} by {} {}", event.happened_at, event.to_state, event.who, event.note)?;
    }
    Ok(())
}
