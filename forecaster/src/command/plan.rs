//! `headroom plan`: what should be bought, on the current forecasts and today's catalogue.

use super::{Context, print_json, progress};
use crate::database::plans::{self, PlanRow};
use crate::failure::Failure;
use crate::fleet;

/// Arguments of `headroom plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print the plans as they stand, without planning anew
    #[arg(long)]
    stored: bool,
    /// Print the plan of this unit alone, with every alternative
    #[arg(long)]
    unit: Option<i64>,
    /// Print JSON, with every alternative
    #[arg(long)]
    json: bool,
}

/// Plans and lists.
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    if !arguments.stored {
        let bar = progress::bar(0, "ranges planned");
        let planned = fleet::plan_again(&hub, &|done, total| {
            bar.set_length(u64::try_from(total).unwrap_or(0));
            bar.set_position(u64::try_from(done).unwrap_or(0));
        })
        .await?;
        bar.finish_and_clear();
        if planned.is_none() {
            return Err(Failure::NotFound(
                "there is no fleet run yet: `headroom forecast` makes one".to_owned(),
            )
            .into());
        }
    }
    let rows = plans::current(&**hub.pool().get().await?, arguments.unit).await?;
    if arguments.json {
        return print_json(&rows);
    }
    if let (Some(unit), true) = (arguments.unit, rows.is_empty()) {
        return Err(Failure::NotFound(format!("unit {unit} has no plan: nothing of it runs out")).into());
    }
    let mut out = std::io::stdout().lock();
    for row in rows.iter().filter(|row| row.chosen || arguments.unit.is_some()) {
        print(&mut out, row)?;
    }
    Ok(())
}

fn print(out: &mut impl std::io::Write, row: &PlanRow) -> std::io::Result<()> {
    let order = match (row.order_by, row.overdue) {
        (Some(date), true) => format!("order by {date}, which has passed"),
        (Some(date), false) => format!("order by {date}"),
        (None, _) => "no order".to_owned(),
    };
    let price = match (&row.price, &row.currency) {
        (Some(price), Some(currency)) => format!(", {price} {currency}"),
        _ => String::new(),
    };
    writeln!(
        out,
        "{} unit {} {} ({}): {}{price}, {order}\n  {}",
        if row.chosen { "*" } else { " " },
        row.unit_id,
        row.unit,
        row.customer.as_deref().unwrap_or("of nobody"),
        row.action.replace('_', " "),
        row.reason
    )
}
