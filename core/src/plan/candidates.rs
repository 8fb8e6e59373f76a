//! The alternatives: what could be done, how long each lasts, and which is the cheapest that lasts.

use jiff::{SignedDuration, Timestamp};

use super::{
    Alternative, AlternativeItem, Constraint, Item, Need, PlanAction,
    choose::{Kind, Purchase},
    lasting::{Trial, runs_out},
    timing::{days_to_use, order_by},
};
use crate::{forecast::State, quantity::Bytes, unit::Resource};

/// Every alternative, the chosen one marked: do nothing, reclaim, then the best of each kind of purchase that fits, the
/// chosen first. Empty where the forecast has no date: nothing is sold on a guess.
pub fn alternatives(need: &Need<'_>, catalogue: &[Item]) -> Vec<Alternative> {
    let forecast = need.forecast;
    if !matches!(forecast.state, State::Dated | State::AlreadyExhausted) {
        return Vec::new();
    }
    let until = runs_out(forecast, need.confidence);
    let Some(until) = until.filter(|until| *until < need.lasts_to) else {
        return vec![lasts_by_itself(need, until)];
    };
    let mut all = vec![do_nothing(need, until), reclaim(need, until)];
    all.extend(purchases(need, catalogue, forecast.p10.unwrap_or(forecast.as_of)));
    all
}

fn purchases(need: &Need<'_>, catalogue: &[Item], p10: Timestamp) -> Vec<Alternative> {
    let installed = need.installed;
    let fitting = |item: &&Item| item.fits(installed.model.as_deref(), installed.interface.as_deref());
    let first_currency =
        || catalogue.iter().filter(fitting).min_by_key(|item| &item.sku).map(|i| &i.currency);
    let Some(currency) = need.terms.currency.as_ref().or_else(first_currency) else { return Vec::new() };
    let mut trial = Trial::new(need);
    let mut bought: Vec<Alternative> = PlanAction::PURCHASES
        .into_iter()
        .filter_map(|action| {
            let best = Kind::new(action, need, catalogue, currency, p10)?.best(&mut trial)?;
            Some(offered(need, catalogue, action, &best, p10, currency))
        })
        .collect();
    // What lasts before what does not, and of that the longest; what comes in time before what does not; then the cheaper.
    let lasting = |one: &Alternative| {
        if one.sufficient { Timestamp::MAX } else { one.lasts_until.unwrap_or(Timestamp::MAX) }
    };
    bought.sort_by(|a, b| {
        b.sufficient
            .cmp(&a.sufficient)
            .then(lasting(b).cmp(&lasting(a)))
            .then(a.overdue.cmp(&b.overdue))
            .then(a.price.cmp(&b.price))
            .then(a.action.cmp(&b.action))
    });
    if let Some(first) = bought.first_mut() {
        first.chosen = true;
    }
    bought
}

fn offered(
    need: &Need<'_>,
    catalogue: &[Item],
    action: PlanAction,
    bought: &Purchase,
    p10: Timestamp,
    currency: &str,
) -> Alternative {
    let forecast = need.forecast;
    let ordered = order_by(p10, bought.lead_time_days, need.terms, forecast.as_of);
    let items: Vec<AlternativeItem> = bought
        .lines
        .iter()
        .map(|(index, quantity)| AlternativeItem { sku: catalogue[*index].sku.clone(), quantity: *quantity })
        .collect();
    let names: Vec<String> = items.iter().map(|item| format!("{} × {}", item.quantity, item.sku)).collect();
    let verb = if items.len() == 1 { "lasts" } else { "last" };
    let lasts = match bought.lasts_until {
        Some(until) => format!("until {} with a probability of {:.0} %", day(until), need.confidence * 100.0),
        None => "beyond the forecast's horizon".to_owned(),
    };
    let bound = match &bought.constraint {
        Constraint::Horizon => format!("one fewer would not last to {}", day(need.lasts_to)),
        Constraint::LeadTime if ordered.overdue => "nothing that lasts comes in time".to_owned(),
        Constraint::LeadTime => "what is cheaper comes too late".to_owned(),
        Constraint::Catalogue => "nothing larger fits".to_owned(),
        Constraint::Bays(_) | Constraint::Budget(..) => {
            format!("more is kept out by the {}", bought.constraint)
        }
        other => other.to_string(),
    };
    let use_from =
        forecast.as_of + SignedDuration::from_hours(24 * days_to_use(bought.lead_time_days, need.terms));
    Alternative {
        action,
        reason: format!("{} {verb} {lasts}; {bound}.", names.join(" and ")),
        items,
        price: Some((bought.price, currency.to_owned())),
        order_by: Some(ordered.date),
        overdue: ordered.overdue,
        late_probability: match forecast.state {
            State::AlreadyExhausted => Some(1.0),
            _ => forecast.passage.probability_by(use_from),
        },
        lasts_until: bought.lasts_until,
        sufficient: bought.sufficient,
        constraint: bought.constraint.clone(),
        chosen: false,
    }
}

/// The forecast reaches its date only after the planning horizon: waiting is the plan.
fn lasts_by_itself(need: &Need<'_>, until: Option<Timestamp>) -> Alternative {
    let reason = format!("Nothing needs to be bought: it lasts to {} by itself.", day(need.lasts_to));
    Alternative { sufficient: true, chosen: true, ..nothing_bought(PlanAction::DoNothing, until, reason) }
}

fn do_nothing(need: &Need<'_>, until: Timestamp) -> Alternative {
    let reason = match need.forecast.state {
        State::AlreadyExhausted => "It has run out already.".to_owned(),
        _ => format!("Lasts until {} with a probability of {:.0} %.", day(until), need.confidence * 100.0),
    };
    nothing_bought(PlanAction::DoNothing, Some(until), reason)
}

/// What would have to be freed so that the value stays below the limit to the end of the planning horizon.
fn reclaim(need: &Need<'_>, until: Timestamp) -> Alternative {
    let forecast = need.forecast;
    if forecast.fan.is_empty() {
        // As of what has run out already: nothing is told of the values to come.
        let reason = "How much would have to go to make it last is not known.".to_owned();
        return nothing_bought(PlanAction::Reclaim, Some(until), reason);
    }
    let climbs = forecast.fan.iter().take_while(|point| point.at <= need.lasts_to);
    let peak = climbs.map(|point| point.p90).fold(forecast.last_used.unwrap_or(0.0), f64::max);
    let excess = forecast.limit.map_or(0.0, |limit| (peak - limit).max(0.0));
    let last = forecast.last_used.unwrap_or(0.0);
    // What can be taken away: what is there, or of wear only what is still to come.
    let most = if forecast.resource == Resource::Endurance { peak - last } else { last };
    if excess >= most {
        let (how, why) = match forecast.resource {
            Resource::Capacity | Resource::ThinMetadata | Resource::Inodes => {
                ("Freeing alone", "more would have to go than is there")
            }
            Resource::Load => ("Moving load away", "more would have to go than is there"),
            Resource::Endurance => ("Writing less", "it is worn already"),
        };
        let reason = format!("{how} does not make it last to {}: {why}.", day(need.lasts_to));
        return nothing_bought(PlanAction::Reclaim, Some(until), reason);
    }
    let what = match forecast.resource {
        Resource::Capacity | Resource::ThinMetadata => format!("{} freed", Bytes(excess as u64).iec()),
        Resource::Inodes => format!("{excess:.0} files fewer"),
        Resource::Load => format!("{:.0} percentage points of load moved elsewhere", excess * 100.0),
        Resource::Endurance => format!("writes reduced by {:.1} % of the rating", excess * 100.0),
    };
    nothing_bought(
        PlanAction::Reclaim,
        Some(until),
        format!("With about {what} it would last to {}.", day(need.lasts_to)),
    )
}

fn nothing_bought(action: PlanAction, lasts_until: Option<Timestamp>, reason: String) -> Alternative {
    Alternative {
        action,
        items: Vec::new(),
        price: None,
        order_by: None,
        overdue: false,
        late_probability: None,
        lasts_until,
        sufficient: false,
        constraint: Constraint::None,
        reason,
        chosen: false,
    }
}

fn day(at: Timestamp) -> impl core::fmt::Display {
    at.strftime("%-d %B %Y")
}
