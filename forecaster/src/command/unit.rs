//! `headroom unit`: sold and discovered units, and what a person decides about them.

use std::io::Write as _;

use clap::Subcommand;
use jiff::Timestamp;

use super::{Context, print_json};
use crate::database::lifecycle::{self, Decided};
use crate::failure::Failure;

/// Subcommands of `headroom unit`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// List the units
    List {
        /// Only those that a node sees and that match no sale, with the reason
        #[arg(long)]
        unmatched: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that a discovered unit is a sold one; it takes over customer, product and name
    Match {
        /// The unit that a node sees
        unit: i64,
        /// The sold unit that no node sees yet
        sale: i64,
    },
    /// A unit took another one's place
    Replace {
        /// The unit that is no longer in use
        unit: i64,
        /// The unit in its place
        by: i64,
    },
    /// A unit is no longer in use; its history stays
    Retire {
        /// The unit
        unit: i64,
    },
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let mut client = hub.pool().get().await?;
    let now = Timestamp::now();
    let (unit, decided, what) = match command {
        Commands::List { unmatched, json } => {
            return print(&lifecycle::list(&**client, unmatched).await?, json);
        }
        Commands::Match { unit, sale } => {
            let transaction = client.transaction().await?;
            let tx: &tokio_postgres::Transaction<'_> = &transaction;
            let decided = lifecycle::match_to(tx, unit, sale, now).await?;
            transaction.commit().await?;
            (unit, decided, format!("is the sold unit {sale}"))
        }
        Commands::Replace { unit, by } => {
            (unit, lifecycle::end(&**client, unit, Some(by), now).await?, format!("was replaced by {by}"))
        }
        Commands::Retire { unit } => {
            (unit, lifecycle::end(&**client, unit, None, now).await?, "is retired".to_owned())
        }
    };
    match decided {
        Decided::Done => {
            println!("unit {unit} {what}");
            Ok(())
        }
        Decided::NoUnit(which) => {
            Err(Failure::NotFound(format!("there is no unit {which}: see `headroom unit list`")).into())
        }
        Decided::NotSo(why) => Err(Failure::Data(why).into()),
    }
}

fn print(rows: &[lifecycle::UnitRow], json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&rows);
    }
    let mut out = std::io::stdout().lock();
    for row in rows {
        let (serial, customer) =
            (row.serial.as_deref().unwrap_or("–"), row.customer.as_deref().unwrap_or("–"));
        let gone = if row.gone_at.is_some() { ", gone" } else { "" };
        writeln!(out, "{:>6}  {:<32} {serial:<20} {customer:<12} {}{gone}", row.unit_id, row.name, row.life)?;
        if let Some(why) = &row.unmatched {
            writeln!(out, "        {why}")?;
        }
    }
    Ok(())
}
