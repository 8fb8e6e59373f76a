//! The cheapest set of items whose gains add up to more than is wanted, and the largest set that can be had.
//!
//! An exact depth-first search: items in the order of price for their gain, cut off where the rest cannot become cheaper
//! even if fractions were sold. It is bounded by [`NODES_MAX`], far beyond what real catalogues need.

use rust_decimal::{Decimal, prelude::ToPrimitive as _};

/// No plan takes more of one item than this.
pub(super) const QUANTITY_MAX: u16 = 100;
/// Steps after which the best set found so far is taken.
const NODES_MAX: u32 = 100_000;
/// Gains that differ by less, relatively, are equal: sums of the same items in another order.
const EQUAL: f64 = 1e-12;

/// An item as the search sees it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Its place in the catalogue.
    pub index: usize,
    /// What one of it brings, more than 0.
    pub gain: f64,
    /// Price of one, not negative.
    pub price: Decimal,
    /// Bays that one takes.
    pub bays: u16,
    /// No more than this many.
    pub quantity_max: u16,
}

/// What limits a set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Free bays.
    pub bays: u32,
    /// What it may cost.
    pub budget: Option<Decimal>,
}

/// A set of items.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Basket {
    /// Place in the catalogue and number, only what is taken.
    pub lines: Vec<(usize, u16)>,
    /// What it brings in all.
    pub gain: f64,
    /// What it costs in all.
    pub price: Decimal,
}

/// The cheapest set that brings more than `above`; of equally cheap ones the one that brings more.
pub(super) fn cheapest(candidates: &[Candidate], above: f64, limits: Limits) -> Option<Basket> {
    search(candidates, limits, Aim::Cheapest { above })
}

/// The set that brings most; of equal ones the cheapest.
pub(super) fn largest(candidates: &[Candidate], limits: Limits) -> Option<Basket> {
    search(candidates, limits, Aim::Largest)
}

#[derive(Debug, Clone, Copy)]
enum Aim {
    Cheapest { above: f64 },
    Largest,
}

fn search(candidates: &[Candidate], limits: Limits, aim: Aim) -> Option<Basket> {
    let mut sorted: Vec<&Candidate> = candidates.iter().collect();
    let per_gain = |c: &Candidate| c.price.to_f64().unwrap_or(f64::MAX) / c.gain;
    let per_bay = |c: &Candidate| -c.gain / f64::from(c.bays.max(1));
    sorted.sort_by(|a, b| match aim {
        Aim::Cheapest { .. } => per_gain(a).total_cmp(&per_gain(b)).then(a.index.cmp(&b.index)),
        Aim::Largest => per_bay(a).total_cmp(&per_bay(b)).then(a.index.cmp(&b.index)),
    });
    let mut search = Search { aim, best: None, nodes: 0, lines: Vec::new() };
    search.descend(&sorted, Spent { gain: 0.0, price: Decimal::ZERO }, limits);
    search.best
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    gain: f64,
    price: Decimal,
}

struct Search {
    aim: Aim,
    best: Option<Basket>,
    nodes: u32,
    lines: Vec<(usize, u16)>,
}

impl Search {
    fn descend(&mut self, rest: &[&Candidate], spent: Spent, left: Limits) {
        self.nodes += 1;
        self.consider(spent);
        let Some((item, rest_after)) = rest.split_first() else { return };
        if self.nodes > NODES_MAX || self.hopeless(rest, spent, left) {
            return;
        }
        for quantity in (0..=self.quantity_max(item, spent, left)).rev() {
            let Some(price) = item.price.checked_mul(Decimal::from(quantity)) else { continue };
            let Some(total) = spent.price.checked_add(price) else { continue };
            if left.budget.is_some_and(|budget| total > budget) {
                continue;
            }
            let bays = left.bays - u32::from(quantity) * u32::from(item.bays);
            let gained = spent.gain + item.gain * f64::from(quantity);
            if quantity > 0 {
                self.lines.push((item.index, quantity));
            }
            self.descend(rest_after, Spent { gain: gained, price: total }, Limits { bays, ..left });
            if quantity > 0 {
                self.lines.pop();
            }
        }
    }

    /// More of it than this cannot be had or is of no use.
    fn quantity_max(&self, item: &Candidate, spent: Spent, left: Limits) -> u16 {
        let in_bays = left.bays.checked_div(u32::from(item.bays)).unwrap_or(u32::MAX);
        let useful = match self.aim {
            Aim::Largest => u32::MAX,
            // One more than the quotient: the sum must exceed what is wanted. `as` saturates.
            Aim::Cheapest { above } => (((above - spent.gain) / item.gain).max(0.0) as u32).saturating_add(1),
        };
        let quantity = in_bays.min(useful).min(u32::from(item.quantity_max.min(QUANTITY_MAX)));
        u16::try_from(quantity).unwrap_or(QUANTITY_MAX)
    }

    fn consider(&mut self, spent: Spent) {
        let better = match (self.aim, &self.best) {
            (Aim::Cheapest { above }, _) if spent.gain <= above * (1.0 + EQUAL) => false,
            (_, None) => !self.lines.is_empty(),
            (Aim::Cheapest { .. }, Some(best)) => {
                spent.price < best.price || (spent.price == best.price && spent.gain > best.gain)
            }
            (Aim::Largest, Some(best)) => {
                spent.gain > best.gain * (1.0 + EQUAL)
                    || (spent.gain >= best.gain * (1.0 - EQUAL) && spent.price < best.price)
            }
        };
        if better && !self.lines.is_empty() {
            self.best = Some(Basket { lines: self.lines.clone(), gain: spent.gain, price: spent.price });
        }
    }

    /// Whether nothing that still can be added beats the best, even if fractions of items were sold.
    fn hopeless(&self, rest: &[&Candidate], spent: Spent, left: Limits) -> bool {
        match (self.aim, &self.best) {
            (Aim::Cheapest { above }, _) if spent.gain > above * (1.0 + EQUAL) => true, // enough: more only costs more
            (_, None) => false,
            (Aim::Cheapest { above }, Some(best)) => {
                let Some(first) = rest.first() else { return true };
                let per_gain = first.price.to_f64().unwrap_or(f64::MAX) / first.gain;
                let least = spent.price.to_f64().unwrap_or(f64::MAX) + (above - spent.gain) * per_gain;
                least > best.price.to_f64().unwrap_or(f64::MAX) * (1.0 + 1e-9)
            }
            (Aim::Largest, Some(best)) => {
                let most: f64 =
                    rest.iter().map(|item| item.gain * f64::from(self.quantity_max(item, spent, left))).sum();
                spent.gain + most <= best.gain * (1.0 - EQUAL)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::{Basket, Candidate, Limits, cheapest, largest};

    /// Every set there is, tried one by one.
    fn all(candidates: &[Candidate], limits: Limits) -> Vec<Basket> {
        let mut sets = vec![(Vec::new(), 0.0, Decimal::ZERO, 0_u32)];
        for item in candidates {
            let mut more = Vec::new();
            for (lines, gain, price, bays) in &sets {
                for quantity in 0..=item.quantity_max {
                    let mut lines: Vec<(usize, u16)> = lines.clone();
                    if quantity > 0 {
                        lines.push((item.index, quantity));
                    }
                    more.push((
                        lines,
                        gain + item.gain * f64::from(quantity),
                        price + item.price * Decimal::from(quantity),
                        bays + u32::from(item.bays) * u32::from(quantity),
                    ));
                }
            }
            sets = more;
        }
        sets.into_iter()
            .filter(|(lines, _, price, bays)| {
                !lines.is_empty()
                    && *bays <= limits.bays
                    && limits.budget.is_none_or(|budget| *price <= budget)
            })
            .map(|(lines, gain, price, _)| Basket { lines, gain, price })
            .collect()
    }

    fn candidate() -> impl Strategy<Value = Candidate> {
        (1..40_u32, 0..60_i64, 0..4_u16).prop_map(|(gain, price, bays)| Candidate {
            index: 0,
            gain: f64::from(gain),
            price: Decimal::from(price),
            bays,
            quantity_max: 4,
        })
    }

    proptest! {
        #[test]
        fn no_set_beats_what_is_found(
            mut candidates in proptest::collection::vec(candidate(), 0..5),
            above in 0.0..150.0_f64,
            bays in 0..14_u32,
            budget in proptest::option::of(0..200_i64),
        ) {
            for (index, candidate) in candidates.iter_mut().enumerate() {
                candidate.index = index;
            }
            let limits = Limits { bays, budget: budget.map(Decimal::from) };
            let sets = all(&candidates, limits);
            let best = sets.iter().filter(|set| set.gain > above).map(|set| set.price).min();
            let found = cheapest(&candidates, above, limits);
            prop_assert_eq!(found.as_ref().map(|set| set.price), best);
            prop_assert!(found.is_none_or(|set| set.gain > above));
            let most = sets.iter().map(|set| set.gain).reduce(f64::max);
            prop_assert_eq!(largest(&candidates, limits).map(|set| set.gain), most);
        }
    }
}
