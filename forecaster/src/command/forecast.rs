//! `headroom forecast`: forecasts the fleet and publishes the result, or prints what stands.

use std::io::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, print_json, progress};
use crate::database::forecasts::{self, Stored};
use crate::database::runs::{self, Scope};
use crate::failure::Failure;
use crate::fleet::{self, Request, Summary};

/// Arguments of `headroom forecast`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Forecast every unit; so it does without any flag
    #[arg(long, conflicts_with = "changed")]
    all: bool,
    /// Forecast the units that have new status, and carry the other forecasts over
    #[arg(long)]
    changed: bool,
    /// Forecast as of this moment, with nothing later known, such as 2026-05-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// Print the forecasts as JSON. Alone it prints those of the current run as they stand, and forecasts only where
    /// there are none
    #[arg(long)]
    json: bool,
    /// Print those of this unit alone
    #[arg(long, requires = "json")]
    unit: Option<i64>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed {
    run: i64,
    as_of: Timestamp,
    model: String,
    forecasts: Vec<Stored>,
}

/// Runs the fleet, or prints.
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let asks_for_a_run = arguments.all || arguments.changed || arguments.as_of.is_some() || !arguments.json;
    let standing = match asks_for_a_run {
        true => None,
        false => runs::current_head(&**hub.pool().get().await?).await?,
    };
    let (run, as_of, model) = match standing {
        Some(head) => head,
        None => {
            let scope = if arguments.changed { Scope::Changed } else { Scope::All };
            let bar = progress::bar(0, "units forecast");
            let request = Request { as_of: arguments.as_of, scope };
            let summary: Summary = fleet::run(&hub, request, &|done, total| {
                bar.set_length(u64::try_from(total).unwrap_or(0));
                bar.set_position(u64::try_from(done).unwrap_or(0));
            })
            .await?;
            bar.finish_and_clear();
            if !arguments.json {
                writeln!(std::io::stdout(), "run {}: {summary}", summary.run)?;
            }
            (summary.run, summary.as_of, summary.model)
        }
    };
    if !arguments.json {
        return Ok(());
    }
    let client = hub.pool().get().await?;
    let stored = forecasts::of_run(&**client, run, arguments.unit).await?;
    if let (Some(unit), true) = (arguments.unit, stored.is_empty()) {
        return Err(Failure::NotFound(format!("unit {unit} has no forecast in run {run}")).into());
    }
    print_json(&Printed { run, as_of, model, forecasts: stored })
}
