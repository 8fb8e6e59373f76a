//! Judges open offers by the current fleet run: a need that is gone for several runs withdraws its offer, a draft follows
//! its plan, an offer that nobody answered expires.

use headroom_core::offer::{Event, OfferState, Pressure, after_run, due_date, is_due, transition};
use jiff::civil::Date;
use tokio_postgres::Transaction;

use crate::config::Settings;
use crate::database::needs::Need;
use crate::database::open_offers::{self, Open};

/// Who moves an offer when the hub does.
pub(super) const HUB: &str = "headroom";

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reviewed {
    /// Drafts that follow a changed plan.
    pub(super) changed: usize,
    /// Withdrawn, since the need is gone.
    pub(super) withdrawn: usize,
    /// Expired.
    pub(super) expired: usize,
}

/// Whether the offer's need for a resource of a unit still has its ground.
fn stands(need: &Need, today: Date, notice_days: u16) -> bool {
    let pressure = Pressure { order_by: need.order_by, late_probability: need.late_probability };
    is_due(pressure, due_date(need.order_by, &need.buying_months, today), today, notice_days, true)
}

/// Judges every open offer.
pub(super) async fn review(
    transaction: &Transaction<'_>,
    needs: &[Need],
    run: i64,
    today: Date,
    settings: &Settings,
) -> anyhow::Result<Reviewed> {
    let mut reviewed = Reviewed::default();
    for open in open_offers::locked(transaction).await? {
        if open.state == OfferState::Sent && open.valid_until.is_some_and(|last| last < today) {
            move_on(transaction, &open, Event::Expire, "its validity ended without an answer").await?;
            reviewed.expired += 1;
            continue;
        }
        let standing: Vec<bool> = open
            .needs
            .iter()
            .map(|(unit, resource)| {
                needs.iter().any(|need| {
                    need.unit == *unit
                        && need.resource == *resource
                        && stands(need, today, settings.offers_notice_days)
                })
            })
            .collect();
        let any_stands = standing.contains(&true);
        if open.judged_run != Some(run) {
            let (calm_runs, event) = after_run(open.state, any_stands, open.calm_runs);
            open_offers::judged(transaction, open.offer, run, calm_runs).await?;
            if let Some(event) = event {
                let note = format!("the need was gone in {calm_runs} fleet runs in a row");
                move_on(transaction, &open, event, &note).await?;
                reviewed.withdrawn += 1;
                continue;
            }
        }
        // What a person has approved or the customer has is not changed behind their back.
        if matches!(open.state, OfferState::Planned | OfferState::Drafted) && any_stands {
            reviewed.changed += usize::from(follow(transaction, &open, &standing, run).await?);
        }
    }
    Ok(reviewed)
}

/// Lets a draft follow its plans: new lines and prices, and without the needs that went while others stay.
async fn follow(
    transaction: &Transaction<'_>,
    open: &Open,
    standing: &[bool],
    run: i64,
) -> anyhow::Result<bool> {
    let plans = open_offers::plans_that_differ(transaction, open.offer).await?;
    if !plans.is_empty() {
        open_offers::take_plans(transaction, open.offer, &plans).await?;
    }
    let gone: Vec<&(i64, String)> =
        open.needs.iter().zip(standing).filter(|(_, stands)| !**stands).map(|(need, _)| need).collect();
    // Judged once a run like the whole: a need that flaps is not dropped at once.
    let drops = !gone.is_empty() && open.judged_run != Some(run) && open.calm_runs > 0;
    if drops {
        let units: Vec<i64> = gone.iter().map(|(unit, _)| *unit).collect();
        let resources: Vec<&str> = gone.iter().map(|(_, resource)| resource.as_str()).collect();
        open_offers::drop_needs(transaction, open.offer, &units, &resources).await?;
    }
    Ok(!plans.is_empty() || drops)
}

async fn move_on(transaction: &Transaction<'_>, open: &Open, event: Event, note: &str) -> anyhow::Result<()> {
    let to = transition(open.state, event)?;
    open_offers::moved(transaction, open.offer, open.state, to, HUB, note, None).await?;
    Ok(())
}
