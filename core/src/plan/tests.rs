//! The three kinds of purchase plan, what binds, and what user information changes.

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    Alternative, Constraint, Installed, Item, Need, PlanAction, Terms, alternatives, lasting::runs_out,
};
use crate::{
    forecast::{Forecast, Observation, Prior, Question, forecast},
    quantity::Bytes,
    unit::Resource,
};

const CONFIDENCE: f64 = 0.9;

fn day(n: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + n * 86_400).unwrap()
}

/// A unit with its history.
struct Scene {
    resource: Resource,
    observations: Vec<Observation>,
    others: Vec<Forecast>,
    installed: Installed,
    terms: Terms,
    lasts_to: Timestamp,
}

impl Scene {
    fn growing(resource: Resource, from: f64, per_day: f64, limit: f64) -> Self {
        Self {
            resource,
            observations: (0..400)
                .map(|n| Observation { at: day(n), used: from + per_day * n as f64, limit: Some(limit) })
                .collect(),
            others: Vec::new(),
            installed: Installed { bays_free: Some(4), ..Installed::default() },
            terms: Terms::default(),
            lasts_to: day(399 + 730),
        }
    }

    fn filling() -> Self {
        Self::growing(Resource::Capacity, 4e12, 1e10, 9e12)
    }

    fn question(&self, limit: Option<f64>) -> Question<'_> {
        let (resource, observations) = (self.resource, &self.observations);
        Question { resource, observations, limit, as_of: day(399), horizon_days: 1_096 }
    }

    fn forecast(&self) -> Forecast {
        forecast(&self.question(None), &Prior::builtin())
    }

    fn plan(&self, catalogue: &[Item]) -> Vec<Alternative> {
        let need = Need {
            question: &self.question(None),
            prior: &Prior::builtin(),
            forecast: &self.forecast(),
            others: &self.others,
            installed: &self.installed,
            terms: &self.terms,
            lasts_to: self.lasts_to,
            confidence: CONFIDENCE,
        };
        alternatives(&need, catalogue)
    }

    /// Whether this much more space lasts to the end of the planning horizon: asked of the forecast, not of the plan.
    fn lasts_with(&self, more: f64) -> bool {
        let limit = self.forecast().limit.unwrap() + more;
        let answer = forecast(&self.question(Some(limit)), &Prior::builtin());
        runs_out(&answer, CONFIDENCE).is_none_or(|until| until >= self.lasts_to)
    }
}

fn item(sku: &str, action: PlanAction, terabytes: u64, price: i64) -> Item {
    Item {
        sku: sku.to_owned(),
        action,
        fits_models: Vec::new(),
        interface: None,
        capacity: Bytes(terabytes * 1_000_000_000_000),
        raid_overhead: 0.0,
        bays: 1,
        load_factor: 2.0,
        rated_write_bytes: None,
        price: Decimal::from(price),
        currency: "EUR".to_owned(),
        lead_time_days: 60,
    }
}

fn catalogue() -> Vec<Item> {
    vec![
        item("EXP-4", PlanAction::Expansion, 4, 400),
        item("UPG-40", PlanAction::Upgrade, 40, 9_000),
        item("CACHE", PlanAction::FunctionalExtension, 0, 1_500),
    ]
}

fn chosen(plans: &[Alternative]) -> &Alternative {
    plans.iter().find(|plan| plan.chosen).unwrap_or_else(|| panic!("nothing is chosen: {plans:?}"))
}

#[test]
fn free_bays_and_little_space_ask_for_expansion() {
    let plans = Scene::filling().plan(&catalogue());
    let best = chosen(&plans);
    assert_eq!((best.action, best.items[0].quantity), (PlanAction::Expansion, 2), "{plans:?}");
    assert!(best.sufficient && best.price == Some((Decimal::from(800), "EUR".to_owned())));
    assert_eq!(best.constraint, Constraint::Horizon);
    assert_eq!((plans[0].action, plans[1].action), (PlanAction::DoNothing, PlanAction::Reclaim));
}

#[test]
fn no_more_is_to_be_freed_than_is_there() {
    let reclaim = |scene: &Scene| scene.plan(&catalogue())[1].reason.clone();
    assert!(reclaim(&Scene::filling()).starts_with("With about "), "{}", reclaim(&Scene::filling()));
    let steep = Scene::growing(Resource::Capacity, 1e11, 2.2e10, 9e12);
    assert!(reclaim(&steep).contains("more would have to go than is there"), "{}", reclaim(&steep));
    let full = Scene::growing(Resource::Capacity, 4e12, 1e10, 7.9e12);
    assert!(reclaim(&full).contains("not known"), "{}", reclaim(&full));
}

#[test]
fn no_bays_or_worn_out_ask_for_an_upgrade() {
    let mut full = Scene::filling();
    full.installed.bays_free = Some(0);
    assert_eq!(chosen(&full.plan(&catalogue())).action, PlanAction::Upgrade);
    let worn = Scene::growing(Resource::Endurance, 0.3, 0.001, 1.0);
    assert_eq!(chosen(&worn.plan(&catalogue())).action, PlanAction::Upgrade);
    // Short of space with bays free, but worn out before new drives would be full: not worth extending.
    let mut both = Scene::filling();
    both.others = vec![worn.forecast()];
    let plans = both.plan(&catalogue());
    assert_eq!(chosen(&plans).action, PlanAction::Upgrade, "{plans:?}");
    let expansion = plans.iter().find(|plan| plan.action == PlanAction::Expansion).unwrap();
    assert_eq!(expansion.constraint, Constraint::Resource(Resource::Endurance));
}

#[test]
fn load_at_its_limit_asks_for_a_functional_extension() {
    let plans = Scene::growing(Resource::Load, 0.3, 0.001, 0.8).plan(&catalogue());
    assert_eq!(chosen(&plans).action, PlanAction::FunctionalExtension, "{plans:?}");
    assert!(plans.iter().all(|plan| plan.action != PlanAction::Expansion), "more space does not help");
}

#[test]
fn inodes_grow_with_the_space_where_that_is_known() {
    let mut scene = Scene::growing(Resource::Inodes, 1e6, 3e3, 2.5e6);
    assert!(scene.plan(&catalogue()).iter().all(|plan| plan.action != PlanAction::Expansion));
    scene.installed.space = Some(Bytes(4_000_000_000_000));
    let plans = scene.plan(&catalogue());
    assert_eq!(chosen(&plans).action, PlanAction::Expansion, "{plans:?}");
}

#[test]
fn user_information_changes_timing_and_plan_of_equal_units() {
    let (mut slow, mut poor) = (Scene::filling(), Scene::filling());
    slow.terms = Terms { approval_days: 40, installation_days: 10, ..Terms::default() };
    let (quick, slow) = (Scene::filling().plan(&catalogue()), slow.plan(&catalogue()));
    let days = chosen(&quick).order_by.unwrap() - chosen(&slow).order_by.unwrap();
    assert_eq!(days.get_days(), 50);
    poor.terms = Terms { budget: Some(Decimal::from(500)), ..Terms::default() };
    let poor = poor.plan(&catalogue());
    let best = chosen(&poor);
    assert_eq!((best.items[0].quantity, best.sufficient), (1, false), "what it can afford does not last");
    assert_eq!(best.constraint, Constraint::Budget(Decimal::from(500), "EUR".to_owned()));
}

#[test]
fn what_binds_is_named() {
    let mut crowded = Scene::filling();
    crowded.installed.bays_free = Some(1);
    let large =
        [item("EXP-4", PlanAction::Expansion, 4, 400), item("EXP-9", PlanAction::Expansion, 9, 1_500)];
    let plans = crowded.plan(&large);
    assert_eq!(chosen(&plans).items[0].sku, "EXP-9", "two of the cheaper ones have no bays");
    assert_eq!(chosen(&plans).constraint, Constraint::Bays(1));
    let plans = crowded.plan(&large[..1]);
    assert_eq!((chosen(&plans).sufficient, &chosen(&plans).constraint), (false, &Constraint::Bays(1)));
    let small = [item("UPG-10", PlanAction::Upgrade, 10, 400)];
    assert_eq!(chosen(&crowded.plan(&small)).constraint, Constraint::Catalogue);
    let mut late = catalogue();
    late[0].lead_time_days = 700;
    let plans = Scene::filling().plan(&late);
    assert_eq!(chosen(&plans).action, PlanAction::Upgrade, "the drives come after it is full");
    let expansion = plans.iter().find(|plan| plan.action == PlanAction::Expansion).unwrap();
    assert!(expansion.overdue && expansion.constraint == Constraint::LeadTime);
}

#[test]
fn what_is_flat_or_lasts_is_not_sold_anything() {
    assert!(Scene::growing(Resource::Capacity, 4e12, 0.0, 9e12).plan(&catalogue()).is_empty());
    let mut patient = Scene::filling();
    patient.lasts_to = day(399 + 30);
    let plans = patient.plan(&catalogue());
    assert_eq!(plans.len(), 1);
    assert_eq!((plans[0].action, plans[0].chosen, plans[0].order_by), (PlanAction::DoNothing, true, None));
}

#[test]
fn an_order_that_comes_too_late_is_overdue_and_says_how_likely_that_hurts() {
    let plans = Scene::growing(Resource::Capacity, 4e12, 1e10, 8.2e12).plan(&catalogue());
    let best = chosen(&plans);
    assert!(best.overdue && best.late_probability.unwrap() > 0.9, "{best:?}");
    let early = Scene::filling().plan(&catalogue());
    assert!(!chosen(&early).overdue && chosen(&early).late_probability.unwrap() < 0.1);
}

/// Drives of several sizes and prices.
fn drives() -> impl Strategy<Value = Vec<Item>> {
    let drive = (1..12_u64, 1..2_000_i64, 1..3_u16, 0..400_u16);
    proptest::collection::vec(drive, 1..4).prop_map(|drives| {
        drives
            .into_iter()
            .enumerate()
            .map(|(index, (terabytes, price, bays, lead_time_days))| Item {
                bays,
                lead_time_days,
                ..item(&format!("EXP-{index}"), PlanAction::Expansion, terabytes, price)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sold_as_lasting_lasts_and_nothing_less_does(
        items in drives(),
        bays in 0..12_u16,
        per_day in 2e9..3e10_f64,
        noise in proptest::collection::vec(-3e10..3e10_f64, 400),
    ) {
        let mut scene = Scene::growing(Resource::Capacity, 4e12, per_day, 4e12 + per_day * 700.0);
        for (observation, noise) in scene.observations.iter_mut().zip(noise) {
            observation.used += noise;
        }
        scene.installed.bays_free = Some(bays);
        let adds = |sku: &str| items.iter().find(|item| item.sku == sku).unwrap().usable_bytes();
        for plan in scene.plan(&items).iter().filter(|plan| plan.sufficient && !plan.items.is_empty()) {
            let total: f64 = plan.items.iter().map(|line| adds(&line.sku) * f64::from(line.quantity)).sum();
            prop_assert!(scene.lasts_with(total), "{plan:?}");
            for line in &plan.items {
                prop_assert!(!scene.lasts_with(total - adds(&line.sku)), "{} is not needed: {plan:?}", line.sku);
            }
        }
    }

    #[test]
    fn one_is_chosen_at_most_and_nothing_exceeds_bays_or_budget(
        per_day in 0.0..1e11_f64,
        limit in 1e9..1e16_f64,
        bays in proptest::option::of(0..50_u16),
        budget in proptest::option::of(0..20_000_i64),
        overhead in any::<f64>(),
        factor in any::<f64>(),
        capacity in any::<u64>(),
        space in proptest::option::of(any::<u64>()),
        which in 0..5_usize,
    ) {
        let mut scene = Scene::growing(Resource::ALL[which], 1e12, per_day, limit);
        scene.terms.budget = budget.map(Decimal::from);
        scene.installed.bays_free = bays;
        scene.installed.space = space.map(Bytes);
        let mut items = catalogue();
        items[0].raid_overhead = overhead;
        items[1].capacity = Bytes(capacity);
        items[2].load_factor = factor;
        let plans = scene.plan(&items);
        prop_assert!(plans.iter().filter(|plan| plan.chosen).count() <= 1);
        for plan in &plans {
            if let Some(budget) = scene.terms.budget {
                prop_assert!(plan.price.as_ref().is_none_or(|(price, _)| *price <= budget));
            }
            if plan.action == PlanAction::Expansion {
                let taken: u16 = plan.items.iter().map(|line| line.quantity).sum();
                prop_assert!(taken <= bays.unwrap_or(0));
            }
            prop_assert!(!plan.reason.is_empty());
        }
    }
}
