//! The alternatives: what could be done, how long each lasts, and which is the cheapest that lasts.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{Alternative, AlternativeItem, Item, Need, PlanAction, order_by};
use crate::{
    forecast::{Forecast, State},
    quantity::Bytes,
    unit::Resource,
};

/// No plan takes more of one item than this.
const QUANTITY_MAX: u16 = 100;

/// Every alternative, the chosen one marked: do nothing, reclaim, then the best of each item that fits, cheapest first.
/// Empty where the forecast has no date: nothing is sold on a guess.
pub fn alternatives(need: &Need<'_>, catalogue: &[Item]) -> Vec<Alternative> {
    let forecast = need.forecast;
    let runs_out = match forecast.state {
        State::Dated => forecast.p10,
        State::AlreadyExhausted => Some(forecast.as_of),
        _ => None,
    };
    let Some(runs_out) = runs_out else { return Vec::new() };
    let currency = need.terms.currency.clone().or_else(|| {
        catalogue.iter().find(|item| item.fits(need.model, need.interface)).map(|i| i.currency.clone())
    });
    let mut bought: Vec<Alternative> = catalogue
        .iter()
        .filter(|item| helps(item.action, forecast.resource) && item.fits(need.model, need.interface))
        .filter(|item| Some(&item.currency) == currency.as_ref())
        .filter_map(|item| buy(need, item, runs_out))
        .collect();
    bought.sort_by(|a, b| {
        (!a.sufficient, &a.price, &a.items.first().map(|i| &i.sku)).cmp(&(
            !b.sufficient,
            &b.price,
            &b.items.first().map(|i| &i.sku),
        ))
    });
    if let Some(first) = bought.first_mut().filter(|first| first.sufficient) {
        first.chosen = true;
    } else if let Some(longest) = bought.iter_mut().max_by_key(|a| a.lasts_until.unwrap_or(Timestamp::MAX)) {
        longest.chosen = true;
    }
    let mut all = vec![do_nothing(runs_out), reclaim(need, runs_out)];
    all.extend(bought);
    all
}

/// Which kind of purchase helps against running out of what.
fn helps(action: PlanAction, resource: Resource) -> bool {
    match action {
        PlanAction::Expansion => {
            matches!(resource, Resource::Capacity | Resource::Inodes | Resource::ThinMetadata)
        }
        PlanAction::Upgrade => true,
        PlanAction::FunctionalExtension => resource == Resource::Load,
        PlanAction::DoNothing | PlanAction::Reclaim => false,
    }
}

fn buy(need: &Need<'_>, item: &Item, runs_out: Timestamp) -> Option<Alternative> {
    let bays_free = need.bays_free.unwrap_or(0);
    let quantity_max = match item.action {
        PlanAction::Expansion => bays_free.checked_div(item.bays).unwrap_or(QUANTITY_MAX).min(QUANTITY_MAX),
        _ => 1,
    };
    if quantity_max == 0 {
        return None;
    }
    let (quantity, lasts_until) = (1..=quantity_max)
        .map(|quantity| (quantity, lasts_until(need.forecast, item, quantity)))
        .find(|(_, until)| until.is_none_or(|until| until >= need.lasts_to))
        .unwrap_or_else(|| (quantity_max, lasts_until(need.forecast, item, quantity_max)));
    let price = item.price.checked_mul(Decimal::from(quantity))?;
    if need.terms.budget.is_some_and(|budget| price > budget) {
        return None;
    }
    let sufficient = lasts_until.is_none_or(|until| until >= need.lasts_to);
    let ordered = order_by(runs_out, item.lead_time_days, need.terms, need.forecast.as_of);
    let binding_constraint = match (sufficient, item.action) {
        (true, PlanAction::Expansion) if quantity > 1 => format!("{} fewer would not last", item.sku),
        (true, _) => "price".to_owned(),
        (false, PlanAction::Expansion) => format!("{bays_free} free bays"),
        (false, _) => "the largest that fits".to_owned(),
    };
    let lasts = match lasts_until {
        Some(until) => format!("lasts until {} with a probability of 90 %", until.strftime("%-d %B %Y")),
        None => "lasts beyond the forecast's horizon".to_owned(),
    };
    Some(Alternative {
        action: item.action,
        items: vec![AlternativeItem { sku: item.sku.clone(), quantity }],
        price: Some((price, item.currency.clone())),
        order_by: Some(ordered.date),
        overdue: ordered.overdue,
        lasts_until,
        sufficient,
        binding_constraint,
        reason: format!("{quantity} × {} {lasts}.", item.sku),
        chosen: false,
    })
}

/// P10 of the exhaustion after a purchase: where the 90 % quantile of the value meets what the purchase makes of the
/// limit. `None` where it does not inside the fan.
fn lasts_until(forecast: &Forecast, item: &Item, quantity: u16) -> Option<Timestamp> {
    let limit = forecast.limit?;
    let added = item.usable_bytes() * f64::from(quantity);
    let factor = if item.load_factor.is_finite() && item.load_factor > 0.0 { item.load_factor } else { 1.0 };
    let last = forecast.last_used.unwrap_or(0.0);
    forecast
        .fan
        .iter()
        .find(|point| match (forecast.resource, item.action) {
            (Resource::Load, _) => point.p90 / factor >= limit,
            (Resource::Endurance, _) => point.p90 - last >= limit, // a fresh one starts at zero
            (_, PlanAction::Upgrade) => point.p90 >= added,
            (Resource::Capacity, _) => point.p90 >= limit + added,
            // Inodes and metadata grow with the space they describe.
            (_, _) => false,
        })
        .map(|point| point.at)
}

fn do_nothing(runs_out: Timestamp) -> Alternative {
    nothing_bought(
        PlanAction::DoNothing,
        Some(runs_out),
        format!("Lasts until {} with a probability of 90 %.", runs_out.strftime("%-d %B %Y")),
    )
}

/// What would have to be freed so that the value stays below the limit to the end of the planning horizon.
fn reclaim(need: &Need<'_>, runs_out: Timestamp) -> Alternative {
    let forecast = need.forecast;
    let peak =
        forecast.fan.iter().take_while(|point| point.at <= need.lasts_to).map(|p| p.p90).fold(0.0, f64::max);
    let excess = forecast.limit.map_or(0.0, |limit| (peak - limit).max(0.0));
    let what = match forecast.resource {
        Resource::Capacity | Resource::ThinMetadata => format!("{} freed", Bytes(excess as u64).iec()),
        Resource::Inodes => format!("{excess:.0} files fewer"),
        Resource::Load => format!("{:.0} percentage points of load moved elsewhere", excess * 100.0),
        Resource::Endurance => format!("writes reduced by {:.1} % of the rating", excess * 100.0),
    };
    nothing_bought(
        PlanAction::Reclaim,
        Some(runs_out),
        format!("With {what} it would last to {}.", need.lasts_to.strftime("%-d %B %Y")),
    )
}

fn nothing_bought(action: PlanAction, lasts_until: Option<Timestamp>, reason: String) -> Alternative {
    Alternative {
        action,
        items: Vec::new(),
        price: None,
        order_by: None,
        overdue: false,
        lasts_until,
        sufficient: false,
        binding_constraint: String::new(),
        reason,
        chosen: false,
    }
}
