//! The best purchase of one kind: the cheapest set that lasts, or else the one that lasts longest.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    Constraint, Item, Need, PlanAction,
    cover::{self, Basket, Candidate, Limits, QUANTITY_MAX},
    effect::Effect,
    lasting::{Trial, worn_out},
    timing::order_by,
};
use crate::unit::Resource;

/// Sets tried on the history before the search gives up: each is larger than the one before.
const TRIALS_MAX: usize = 64;

/// A set of items of one kind and what it does.
#[derive(Debug, Clone)]
pub(super) struct Purchase {
    /// Place in the catalogue and number, in the order of order numbers.
    pub lines: Vec<(usize, u16)>,
    /// What it costs.
    pub price: Decimal,
    /// Longest lead time of its items, days.
    pub lead_time_days: u16,
    /// When it runs out again; `None` beyond the horizon.
    pub lasts_until: Option<Timestamp>,
    /// Whether it lasts to the end of the planning horizon.
    pub sufficient: bool,
    /// What keeps it from being smaller, cheaper or sufficient.
    pub constraint: Constraint,
}

/// A kind of purchase for a need.
pub(super) struct Kind<'a, 'n> {
    action: PlanAction,
    need: &'n Need<'n>,
    catalogue: &'a [Item],
    currency: &'a str,
    runs_out: Timestamp,
    effect: Effect,
}

impl<'a, 'n> Kind<'a, 'n> {
    /// `None` where this kind does not help.
    pub(super) fn new(
        action: PlanAction,
        need: &'n Need<'n>,
        catalogue: &'a [Item],
        currency: &'a str,
        runs_out: Timestamp,
    ) -> Option<Self> {
        Some(Self { action, need, catalogue, currency, runs_out, effect: Effect::of(action, need)? })
    }

    /// The cheapest set that lasts and comes in time; else the cheapest that lasts; else the one that lasts longest.
    /// `None` where nothing fits.
    pub(super) fn best(&self, trial: &mut Trial<'_>) -> Option<Purchase> {
        let limits = self.limits();
        let all = self.candidates(|_| true);
        let in_time = self.candidates(|item| self.is_in_time(item));
        if let Some(worn_out) = worn_out(self.need).filter(|_| self.action != PlanAction::Upgrade) {
            let mut purchase = self.longest(&all, limits, trial)?;
            purchase.lasts_until = Some(purchase.lasts_until.map_or(worn_out, |until| until.min(worn_out)));
            purchase.sufficient = false;
            purchase.constraint = Constraint::Resource(Resource::Endurance);
            return Some(purchase);
        }
        if let Some(mut purchase) = self.cheapest(&in_time, limits, trial) {
            purchase.constraint = self.why_not_cheaper(&purchase, &in_time, &all, trial);
            return Some(purchase);
        }
        if let Some(mut purchase) = self.cheapest(&all, limits, trial) {
            purchase.constraint = Constraint::LeadTime;
            return Some(purchase);
        }
        let mut purchase = self.longest(&all, limits, trial)?;
        purchase.constraint = self.why_not_sufficient(&all, limits, trial);
        Some(purchase)
    }

    fn limits(&self) -> Limits {
        Limits { bays: u32::from(self.need.installed.bays_free.unwrap_or(0)), budget: self.need.terms.budget }
    }

    fn is_in_time(&self, item: &Item) -> bool {
        !order_by(self.runs_out, item.lead_time_days, self.need.terms, self.need.forecast.as_of).overdue
    }

    fn candidates(&self, wanted: impl Fn(&Item) -> bool) -> Vec<Candidate> {
        let installed = self.need.installed;
        let quantity_max = if self.action == PlanAction::Expansion { QUANTITY_MAX } else { 1 };
        self.catalogue
            .iter()
            .enumerate()
            .filter(|(_, item)| item.action == self.action && item.currency == self.currency)
            .filter(|(_, item)| item.fits(installed.model.as_deref(), installed.interface.as_deref()))
            .filter(|(_, item)| item.price >= Decimal::ZERO && wanted(item))
            .filter_map(|(index, item)| {
                // An upgrade brings its own bays.
                let bays = if self.action == PlanAction::Expansion { item.bays } else { 0 };
                Some(Candidate {
                    index,
                    gain: self.effect.gain(item)?,
                    price: item.price,
                    bays,
                    quantity_max,
                })
            })
            .collect()
    }

    /// Larger and larger sets, each the cheapest above what is known to be too small, until one lasts.
    fn cheapest(&self, candidates: &[Candidate], limits: Limits, trial: &mut Trial<'_>) -> Option<Purchase> {
        let mut above = self.effect.gain_for(trial.too_low);
        for _ in 0..TRIALS_MAX {
            let basket = self.pick(candidates, Some(above), limits)?;
            let (until, enough) = trial.try_limit(self.effect.limit_after(basket.gain)?);
            if enough {
                return Some(self.purchase(basket, until, true));
            }
            above = basket.gain; // not by way of the limit, where the last digits are lost
        }
        None
    }

    fn longest(&self, candidates: &[Candidate], limits: Limits, trial: &mut Trial<'_>) -> Option<Purchase> {
        let basket = self.pick(candidates, None, limits)?;
        let (until, enough) = trial.try_limit(self.effect.limit_after(basket.gain)?);
        Some(self.purchase(basket, until, enough))
    }

    /// The cheapest above a gain, or the largest. Of upgrades one: a unit is replaced by one other.
    fn pick(&self, candidates: &[Candidate], above: Option<f64>, limits: Limits) -> Option<Basket> {
        if self.action != PlanAction::Upgrade {
            return match above {
                Some(above) => cover::cheapest(candidates, above, limits),
                None => cover::largest(candidates, limits),
            };
        }
        let single = candidates.iter().filter_map(|one| match above {
            Some(above) => cover::cheapest(std::slice::from_ref(one), above, limits),
            None => cover::largest(std::slice::from_ref(one), limits),
        });
        match above {
            Some(_) => single.min_by(|a, b| a.price.cmp(&b.price).then(b.gain.total_cmp(&a.gain))),
            None => single.min_by(|a, b| b.gain.total_cmp(&a.gain).then(a.price.cmp(&b.price))),
        }
    }

    fn purchase(&self, basket: Basket, lasts_until: Option<Timestamp>, sufficient: bool) -> Purchase {
        let mut lines = basket.lines;
        lines.sort_by(|a, b| self.catalogue[a.0].sku.cmp(&self.catalogue[b.0].sku));
        let lead_time_days =
            lines.iter().map(|(index, _)| self.catalogue[*index].lead_time_days).max().unwrap_or(0);
        Purchase {
            lines,
            price: basket.price,
            lead_time_days,
            lasts_until,
            sufficient,
            constraint: Constraint::Horizon,
        }
    }

    /// What a cheaper purchase that lasts would need.
    fn why_not_cheaper(
        &self,
        bought: &Purchase,
        in_time: &[Candidate],
        all: &[Candidate],
        trial: &mut Trial<'_>,
    ) -> Constraint {
        let cheaper = |found: Option<Purchase>| found.is_some_and(|other| other.price < bought.price);
        let limits = self.limits();
        if all.len() > in_time.len() && cheaper(self.cheapest(all, limits, trial)) {
            return Constraint::LeadTime;
        }
        let roomy = Limits { bays: u32::MAX, ..limits };
        if self.takes_bays(in_time) && cheaper(self.cheapest(in_time, roomy, trial)) {
            return self.bays();
        }
        Constraint::Horizon
    }

    /// What a purchase that lasts would need.
    fn why_not_sufficient(&self, all: &[Candidate], limits: Limits, trial: &mut Trial<'_>) -> Constraint {
        let rich = Limits { budget: None, ..limits };
        if let (Some(budget), true) = (limits.budget, self.cheapest(all, rich, trial).is_some()) {
            return Constraint::Budget(budget, self.currency.to_owned());
        }
        let roomy = Limits { bays: u32::MAX, ..rich };
        if self.takes_bays(all) && self.cheapest(all, roomy, trial).is_some() {
            return self.bays();
        }
        Constraint::Catalogue
    }

    fn takes_bays(&self, candidates: &[Candidate]) -> bool {
        candidates.iter().any(|candidate| candidate.bays > 0)
    }

    fn bays(&self) -> Constraint {
        self.need.installed.bays_free.map_or(Constraint::BaysUnknown, Constraint::Bays)
    }
}
