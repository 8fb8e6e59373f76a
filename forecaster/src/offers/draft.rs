//! Makes offers for needs that have none: bundled by customer, drafted to the contact that the user information names.

use std::collections::BTreeSet;

use headroom_core::offer::{Due, Event, OfferState, Pressure, bundle, due_date, is_due, transition};
use jiff::civil::Date;
use tokio_postgres::Transaction;

use super::review::HUB;
use crate::config::Settings;
use crate::database::needs::Need;
use crate::database::open_offers::{self, Open};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Drafted {
    /// Offers made.
    pub(super) made: usize,
    /// Needs that joined an offer which was a draft already.
    pub(super) joined: usize,
}

/// Makes what is due. Without the sales purpose there is no offer; without a contact it stays planned until there is one.
pub(super) async fn draft(
    transaction: &Transaction<'_>,
    needs: &[Need],
    today: Date,
    settings: &Settings,
) -> anyhow::Result<Drafted> {
    let open = open_offers::locked(transaction).await?;
    let answered: BTreeSet<(i64, &str)> = open
        .iter()
        .flat_map(|offer| offer.needs.iter().map(|(unit, resource)| (*unit, resource.as_str())))
        .collect();
    let due = |need: &Need| due_date(need.order_by, &need.buying_months, today);
    let wanted: Vec<&Need> = needs
        .iter()
        .filter(|need| need.sales_granted && !need.rests)
        .filter(|need| !answered.contains(&(need.unit, need.resource.as_str())))
        .filter(|need| {
            let pressure = Pressure { order_by: need.order_by, late_probability: need.late_probability };
            is_due(pressure, due(need), today, settings.offers_notice_days, false)
        })
        .collect();
    let dues: Vec<Due> = wanted.iter().map(|need| Due { to: need.to.clone(), on: due(need) }).collect();
    let drafts: Vec<&Open> = open
        .iter()
        .filter(|offer| matches!(offer.state, OfferState::Planned | OfferState::Drafted))
        .collect();
    let draft_dues: Vec<Due> = drafts
        .iter()
        .map(|offer| Due { to: offer.to.clone(), on: offer.order_by.unwrap_or(today).max(today) })
        .collect();
    let mut drafted = Drafted::default();
    for bundle in bundle(&dues, &draft_dues, settings.offers_bundle_days) {
        let plans: Vec<i64> = bundle.needs.iter().map(|index| wanted[*index].plan).collect();
        if let Some(place) = bundle.draft {
            open_offers::take_plans(transaction, drafts[place].offer, &plans).await?;
            drafted.joined += plans.len();
            continue;
        }
        let Some(first) = bundle.needs.first().map(|index| wanted[*index]) else { continue };
        let offer = open_offers::make(transaction, &first.to, &first.contact_name).await?;
        open_offers::take_plans(transaction, offer, &plans).await?;
        drafted.made += 1;
        if !first.to.address.trim().is_empty() {
            let to = transition(OfferState::Planned, Event::Draft)?;
            let note = format!("to {} <{}>", first.contact_name, first.to.address);
            open_offers::moved(transaction, offer, OfferState::Planned, to, HUB, &note, None).await?;
        }
    }
    Ok(drafted)
}
