//! What units alike have shown, for units with days of history: their growth, fitted once a run from units that stand on
//! their own, with nothing that came after the moment of asking.
//!
//! The growth of a unit is taken as that of its family (what kind of component runs out of what) plus what its model, its
//! customer and its territory add. A group of few units adds little: least squares by linfa, in which every group has
//! [`SHRINKAGE`] units more that grow like the family.

use std::collections::BTreeMap;

use anyhow::Context as _;
use headroom_core::forecast::{Pooled, Prior, Question, UnitGrowth};
use headroom_core::unit::Resource;
use jiff::Timestamp;
use linfa::Dataset;
use linfa::traits::Fit as _;
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::database::histories::{History, Likeness};

/// Units below which nothing is told of a family or of a group.
const UNITS_MIN: usize = 5;
/// Units that every group is taken to have besides its own, growing like the family.
const SHRINKAGE: f64 = 5.0;
/// Most groups that are told apart in a family, the largest: least squares takes their number squared.
const GROUPS_MAX: usize = 150;
/// Growth beyond this share of units, on each side, is taken for that of the unit at the edge: one reset is no pace.
const OUTLIERS: f64 = 0.01;

/// The groups of a unit, the one that says most first.
fn groups_of(likeness: &Likeness) -> impl Iterator<Item = Group> {
    let model = likeness.model.clone().map(Group::Model);
    let customer = likeness.customer.map(Group::Customer);
    let territory = likeness.territory.clone().map(Group::Territory);
    [model, customer, territory].into_iter().flatten()
}

/// What units have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Group {
    Model(String),
    Customer(i64),
    Territory(String),
}

impl Group {
    /// As an answer names it: without the customer's name, which not everybody who reads forecasts may read.
    fn name(&self) -> String {
        match self {
            Self::Model(name) => format!("model {name}"),
            Self::Customer(_) => "the same customer".to_owned(),
            Self::Territory(name) => format!("territory {name}"),
        }
    }
}

/// A unit that stands on its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lender {
    /// What runs out.
    pub(crate) resource: Resource,
    /// By what others are like it.
    pub(crate) likeness: Likeness,
    /// How it has grown.
    pub(crate) growth: UnitGrowth,
}

/// What was fitted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alike {
    families: Vec<Family>,
}

/// Components of one kind and what they run out of. Figures are shares of the limit a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Family {
    resource: Resource,
    kind: String,
    units: u32,
    growth: f64,
    /// Standard deviation of the growth between units that the groups leave.
    spread: f64,
    day_spread: f64,
    groups: Vec<Told>,
}

/// What a group adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Told {
    group: Group,
    units: u32,
    /// To the family's growth.
    growth: f64,
    /// In place of the family's.
    spread: f64,
    day_spread: f64,
}

impl Alike {
    /// Fits what these histories say up to a moment.
    pub(crate) fn of_histories(
        histories: &[History],
        likeness: &BTreeMap<i64, Likeness>,
        as_of: Timestamp,
        prior: &Prior,
    ) -> anyhow::Result<Self> {
        // Load saturates: its growth is not that of what fills up.
        let lenders: Vec<Lender> = histories
            .iter()
            .filter(|one| one.resource != Resource::Load)
            .filter_map(|one| {
                let question = Question {
                    resource: one.resource,
                    observations: &one.observations,
                    limit: None,
                    as_of,
                    horizon_days: 1,
                };
                let growth = UnitGrowth::of(&question, prior)?;
                Some(Lender {
                    resource: one.resource,
                    likeness: likeness.get(&one.component)?.clone(),
                    growth,
                })
            })
            .collect();
        Self::fit(&lenders)
    }

    /// Fits all families with enough units.
    pub(crate) fn fit(lenders: &[Lender]) -> anyhow::Result<Self> {
        let mut families: BTreeMap<(Resource, &str), Vec<&Lender>> = BTreeMap::new();
        for lender in lenders {
            families.entry((lender.resource, &lender.likeness.kind)).or_default().push(lender);
        }
        families.retain(|_, lenders| lenders.len() >= UNITS_MIN);
        let families = families
            .into_iter()
            .map(|((resource, kind), lenders)| {
                family(resource, kind, &lenders).with_context(|| {
                    format!("the growth of {} {resource} of {kind}s is not fitted", lenders.len())
                })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { families })
    }

    /// Units that it rests on.
    pub(crate) fn units(&self) -> i64 {
        self.families.iter().map(|family| i64::from(family.units)).sum()
    }

    /// What is known of units like this one; `None` where there are too few.
    pub(crate) fn pooled(&self, resource: Resource, likeness: &Likeness) -> Option<Pooled> {
        let family =
            self.families.iter().find(|one| one.resource == resource && one.kind == likeness.kind)?;
        let told: Vec<&Told> = groups_of(likeness)
            .filter_map(|group| family.groups.iter().find(|told| told.group == group))
            .collect();
        let Some(nearest) = told.first() else {
            return Some(Pooled {
                group: "the whole fleet".to_owned(),
                units: family.units,
                growth_mean: family.growth,
                growth_spread: family.spread,
                day_spread: family.day_spread,
            });
        };
        Some(Pooled {
            group: told.iter().map(|told| told.group.name()).collect::<Vec<_>>().join(", "),
            // The first that is named: the others add to what it says.
            units: nearest.units,
            growth_mean: family.growth + told.iter().map(|told| told.growth).sum::<f64>(),
            growth_spread: nearest.spread,
            day_spread: nearest.day_spread,
        })
    }
}

fn family(resource: Resource, kind: &str, lenders: &[&Lender]) -> anyhow::Result<Family> {
    let growth = without_outliers(lenders.iter().map(|lender| lender.growth.mean).collect());
    let groups = groups(lenders);
    let (base, effects) = effects(lenders, &growth, &groups)?;
    let left: Vec<f64> = lenders
        .iter()
        .zip(&growth)
        .map(|(lender, growth)| {
            growth - base - told_of(lender, &groups).map(|place| effects[place]).sum::<f64>()
        })
        .collect();
    let square = |places: &[usize]| places.iter().map(|place| left[*place].powi(2)).sum::<f64>();
    let all: Vec<usize> = (0..lenders.len()).collect();
    let variance = square(&all) / lenders.len() as f64;
    let day_spread =
        |places: &[usize]| median(places.iter().map(|i| lenders[*i].growth.day_spread).collect());
    let of_family = day_spread(&all);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let told = groups
        .iter()
        .zip(effects)
        .map(|((group, members), growth)| {
            let units = members.len() as f64;
            let shrunk =
                |own: f64, of_family: f64| (units * own + SHRINKAGE * of_family) / (units + SHRINKAGE);
            Told {
                group: group.clone(),
                units: count(members.len()),
                growth,
                spread: shrunk(square(members) / units, variance).sqrt(),
                day_spread: shrunk(day_spread(members), of_family),
            }
        })
        .collect();
    Ok(Family {
        resource,
        kind: kind.to_owned(),
        units: count(lenders.len()),
        growth: base,
        spread: variance.sqrt(),
        day_spread: of_family,
        groups: told,
    })
}

/// The groups that are told apart, each with the places of its units, in their order.
fn groups(lenders: &[&Lender]) -> BTreeMap<Group, Vec<usize>> {
    let mut all: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    for (place, lender) in lenders.iter().enumerate() {
        for group in groups_of(&lender.likeness) {
            all.entry(group).or_default().push(place);
        }
    }
    // A group of all says nothing of its own; its name does.
    all.retain(|_, members| members.len() >= UNITS_MIN);
    let mut sizes: Vec<usize> = all.values().map(Vec::len).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    if let Some(least) = sizes.get(GROUPS_MAX) {
        all.retain(|_, members| members.len() > *least);
    }
    all
}

/// The places of a unit's groups.
fn told_of(lender: &Lender, groups: &BTreeMap<Group, Vec<usize>>) -> impl Iterator<Item = usize> {
    groups_of(&lender.likeness).filter_map(|group| groups.keys().position(|known| *known == group))
}

/// The family's growth and what each group adds.
fn effects(
    lenders: &[&Lender],
    growth: &[f64],
    groups: &BTreeMap<Group, Vec<usize>>,
) -> anyhow::Result<(f64, Vec<f64>)> {
    let columns = 1 + groups.len();
    let mut facts = Array2::zeros((lenders.len() + groups.len(), columns));
    let mut told = Array1::zeros(lenders.len() + groups.len());
    for (row, (lender, growth)) in lenders.iter().zip(growth).enumerate() {
        facts[[row, 0]] = 1.0;
        for place in told_of(lender, groups) {
            facts[[row, 1 + place]] = 1.0;
        }
        told[row] = *growth;
    }
    // The units besides its own: they say that the group adds nothing.
    for place in 0..groups.len() {
        facts[[lenders.len() + place, 1 + place]] = SHRINKAGE.sqrt();
    }
    let fitted = LinearRegression::new().with_intercept(false).fit(&Dataset::new(facts, told))?;
    let params = fitted.params();
    Ok((params[0], params.iter().skip(1).copied().collect()))
}

fn without_outliers(mut growth: Vec<f64>) -> Vec<f64> {
    let mut sorted = growth.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let edge = (sorted.len() as f64 * OUTLIERS) as usize;
    let (low, high) = (sorted[edge], sorted[sorted.len() - 1 - edge]);
    growth.iter_mut().for_each(|one| *one = one.clamp(low, high));
    growth
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::UnitGrowth;
    use headroom_core::unit::Resource;

    use super::{Alike, Lender};
    use crate::database::histories::Likeness;

    fn likeness(model: &str, customer: i64) -> Likeness {
        Likeness {
            kind: "pool".to_owned(),
            model: Some(model.to_owned()),
            customer: Some(customer),
            territory: Some("North".to_owned()),
        }
    }

    /// Forty units: model `quick` grows by .003 a day, `slow` by .001, customer 7 by .0005 more than the others.
    fn lenders() -> Vec<Lender> {
        (0..40)
            .map(|n| {
                let (model, customer) = (if n % 2 == 0 { "quick" } else { "slow" }, 7 + n / 20);
                let wobble = [-1e-4, 1e-4, 0.0][n as usize % 3];
                let mean =
                    if n % 2 == 0 { 0.003 } else { 0.001 } + if customer == 7 { 5e-4 } else { 0.0 } + wobble;
                Lender {
                    resource: Resource::Capacity,
                    likeness: likeness(model, customer),
                    growth: UnitGrowth { mean, day_spread: 1e-3 },
                }
            })
            .collect()
    }

    #[test]
    fn a_unit_is_expected_to_grow_as_its_model_and_its_customer() {
        let alike = Alike::fit(&lenders()).unwrap();
        let growth = |model, customer| alike.pooled(Resource::Capacity, &likeness(model, customer)).unwrap();
        let quick = growth("quick", 7);
        assert!((quick.growth_mean - 0.0035).abs() < 4e-4, "{quick:?}");
        assert_eq!(
            (quick.group.as_str(), quick.units),
            ("model quick, the same customer, territory North", 20)
        );
        assert!(quick.growth_spread < 4e-4 && (quick.day_spread - 1e-3).abs() < 1e-9, "{quick:?}");
        let slow = growth("slow", 8);
        assert!((slow.growth_mean - 0.001).abs() < 4e-4, "{slow:?}");
        let stranger = growth("never seen", 99);
        assert_eq!((stranger.group.as_str(), stranger.units), ("territory North", 40));
        assert!((stranger.growth_mean - 0.00225).abs() < 2e-4, "{stranger:?}");
    }

    #[test]
    fn too_few_units_say_nothing_and_other_kinds_say_nothing_of_this_one() {
        assert_eq!(Alike::fit(&lenders()[..4]).unwrap(), Alike::default());
        let alike = Alike::fit(&lenders()).unwrap();
        assert_eq!(alike.units(), 40);
        assert_eq!(alike.pooled(Resource::Inodes, &likeness("quick", 7)), None);
        let drive = Likeness { kind: "drive".to_owned(), ..likeness("quick", 7) };
        assert_eq!(alike.pooled(Resource::Capacity, &drive), None);
    }

    #[test]
    fn the_order_of_units_does_not_matter_and_a_reset_is_no_pace() {
        let mut turned = lenders();
        turned.reverse();
        let figures = |lenders: &[Lender]| {
            Alike::fit(lenders).unwrap().pooled(Resource::Capacity, &likeness("slow", 8)).unwrap().growth_mean
        };
        assert!((figures(&lenders()) - figures(&turned)).abs() < 1e-12);
        let many: Vec<Lender> = (0..5).flat_map(|_| lenders()).collect();
        let mut reset = many.clone();
        reset[1].growth.mean = -100.0;
        assert!((figures(&many) - figures(&reset)).abs() < 1e-4);
    }
}
