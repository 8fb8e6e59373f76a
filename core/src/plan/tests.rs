//! The three kinds of purchase plan, and what user information changes.

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Alternative, Item, Need, PlanAction, Terms, alternatives};
use crate::{
    forecast::{Forecast, Observation, Prior, Question, forecast},
    quantity::Bytes,
    unit::Resource,
};

fn day(n: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + n * 86_400).unwrap()
}

fn growing(resource: Resource, from: f64, per_day: f64, limit: f64) -> Forecast {
    let observations: Vec<Observation> = (0..400)
        .map(|n| Observation { at: day(n), used: from + per_day * n as f64, limit: Some(limit) })
        .collect();
    let question =
        Question { resource, observations: &observations, limit: None, as_of: day(399), horizon_days: 1_096 };
    forecast(&question, &Prior::builtin())
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

fn plan(forecast: &Forecast, bays_free: Option<u16>, terms: &Terms) -> Vec<Alternative> {
    let need = Need { forecast, model: None, interface: None, bays_free, terms, lasts_to: day(399 + 730) };
    alternatives(&need, &catalogue())
}

fn chosen(plans: &[Alternative]) -> Option<&Alternative> {
    plans.iter().find(|plan| plan.chosen)
}

#[test]
fn free_bays_and_little_space_ask_for_expansion() {
    let forecast = growing(Resource::Capacity, 4e12, 1e10, 9e12);
    let plans = plan(&forecast, Some(4), &Terms::default());
    let best = chosen(&plans).unwrap();
    assert_eq!((best.action, best.items[0].quantity), (PlanAction::Expansion, 2), "{plans:?}");
    assert!(best.sufficient && best.price == Some((Decimal::from(800), "EUR".to_owned())));
    assert_eq!((plans[0].action, plans[1].action), (PlanAction::DoNothing, PlanAction::Reclaim));
}

#[test]
fn no_bays_ask_for_an_upgrade_and_load_for_a_functional_extension() {
    let full = growing(Resource::Capacity, 4e12, 1e10, 9e12);
    assert_eq!(chosen(&plan(&full, Some(0), &Terms::default())).unwrap().action, PlanAction::Upgrade);
    let busy = growing(Resource::Load, 0.3, 0.001, 0.8);
    let plans = plan(&busy, Some(4), &Terms::default());
    assert_eq!(chosen(&plans).unwrap().action, PlanAction::FunctionalExtension, "{plans:?}");
    let worn = growing(Resource::Endurance, 0.3, 0.001, 1.0);
    assert_eq!(chosen(&plan(&worn, Some(4), &Terms::default())).unwrap().action, PlanAction::Upgrade);
}

#[test]
fn user_information_changes_timing_and_plan_of_equal_units() {
    let forecast = growing(Resource::Capacity, 4e12, 1e10, 9e12);
    let slow = Terms { approval_days: 40, installation_days: 10, ..Terms::default() };
    let (quick, slow) = (plan(&forecast, Some(4), &Terms::default()), plan(&forecast, Some(4), &slow));
    let days = chosen(&quick).unwrap().order_by.unwrap() - chosen(&slow).unwrap().order_by.unwrap();
    assert_eq!(days.get_days(), 50);
    let poor = Terms { budget: Some(Decimal::from(500)), ..Terms::default() };
    assert_eq!(chosen(&plan(&forecast, Some(4), &poor)), None, "the only plans that last cost more");
}

#[test]
fn what_is_flat_is_not_sold_anything() {
    let flat = growing(Resource::Capacity, 4e12, 0.0, 9e12);
    assert!(plan(&flat, Some(4), &Terms::default()).is_empty());
}

#[test]
fn an_order_that_comes_too_late_is_overdue() {
    let forecast = growing(Resource::Capacity, 4e12, 1e10, 8.2e12);
    assert!(chosen(&plan(&forecast, Some(9), &Terms::default())).unwrap().overdue);
}

proptest! {
    #[test]
    fn one_is_chosen_at_most_and_nothing_exceeds_bays_or_budget(
        per_day in 0.0..1e11_f64,
        limit in 1e9..1e16_f64,
        bays in proptest::option::of(0..50_u16),
        budget in proptest::option::of(0..20_000_i64),
        overhead in any::<f64>(),
        capacity in any::<u64>(),
    ) {
        let forecast = growing(Resource::Capacity, 1e12, per_day, limit);
        let terms = Terms { budget: budget.map(Decimal::from), ..Terms::default() };
        let mut items = catalogue();
        items[0].raid_overhead = overhead;
        items[1].capacity = Bytes(capacity);
        let need = Need {
            forecast: &forecast, model: None, interface: None, bays_free: bays, terms: &terms, lasts_to: day(1_100),
        };
        let plans = alternatives(&need, &items);
        prop_assert!(plans.iter().filter(|plan| plan.chosen).count() <= 1);
        for plan in &plans {
            if let Some(budget) = terms.budget {
                prop_assert!(plan.price.as_ref().is_none_or(|(price, _)| *price <= budget));
            }
            if plan.action == PlanAction::Expansion {
                prop_assert!(plan.items[0].quantity <= bays.unwrap_or(0));
            }
        }
    }
}
