//! What the vendor sells.

use std::collections::BTreeSet;

use super::sheet::{Column, Mistakes, Row};
use crate::database::products::Product;

/// The columns.
pub(crate) const COLUMNS: &[Column] = &[
    Column { name: "sku", is_required: true, about: "order number" },
    Column { name: "name", is_required: true, about: "name" },
    Column { name: "action", is_required: true, about: "unit, expansion, upgrade or functional_extension" },
    Column {
        name: "fits_models",
        is_required: false,
        about: "models it fits, apart by blanks, or by ; where names have blanks; empty for any",
    },
    Column {
        name: "interface",
        is_required: false,
        about: "interface it needs: nvme, sas, sata …; empty for any",
    },
    Column {
        name: "capacity_bytes",
        is_required: false,
        about: "bytes that it has or adds, before redundancy",
    },
    Column { name: "bays", is_required: false, about: "bays that it has or takes, 0 to 1000" },
    Column { name: "raid_overhead", is_required: false, about: "share that redundancy takes, 0 to below 1" },
    Column {
        name: "load_factor",
        is_required: false,
        about: "load before divided by load after: 2 halves it",
    },
    Column {
        name: "rated_write_bytes",
        is_required: false,
        about: "bytes that may be written over its life",
    },
    Column { name: "price", is_required: true, about: "price of one" },
    Column { name: "currency", is_required: true, about: "its currency, as EUR" },
    Column { name: "lead_time_days", is_required: true, about: "days from order to delivery, 0 to 1500" },
    Column {
        name: "lead_time_as_of",
        is_required: true,
        about: "when that was last confirmed, as 2026-11-30",
    },
    Column { name: "withdrawn", is_required: false, about: "yes where it is no longer sold" },
];

/// Reads the rows.
pub(super) fn parse(rows: &[Row], mistakes: &mut Mistakes) -> Vec<Product> {
    let mut seen = BTreeSet::new();
    rows.iter().filter_map(|row| product(row, &mut seen, mistakes)).collect()
}

fn product(row: &Row, seen: &mut BTreeSet<String>, mistakes: &mut Mistakes) -> Option<Product> {
    let sku = row.bounded("sku", mistakes);
    if !sku.is_empty() && !seen.insert(sku.clone()) {
        mistakes.add(row.line, Some("sku"), format!("{sku:?} stands in the file twice"));
    }
    let raid_overhead = row.within("raid_overhead", 0.0, 1.0, mistakes).unwrap_or(0.0);
    if raid_overhead >= 1.0 {
        mistakes.add(row.line, Some("raid_overhead"), "leaves nothing: it must be below 1");
    }
    let load_factor: f64 = row.within("load_factor", 0.0, 1_000.0, mistakes).unwrap_or(1.0);
    if load_factor <= 0.0 {
        mistakes.add(row.line, Some("load_factor"), "must be above 0");
    }
    let action = row.one_of("action", &["unit", "expansion", "upgrade", "functional_extension"], mistakes);
    let price = row.money("price", mistakes);
    let currency = row.currency("currency", mistakes);
    let lead_time_days = row.within("lead_time_days", 0, 1_500, mistakes);
    let lead_time_as_of = row.parsed("lead_time_as_of", "date such as 2026-11-30", mistakes);
    Some(Product {
        name: row.bounded("name", mistakes),
        fits_models: row.words("fits_models").map(str::to_owned).collect(),
        interface: row.text("interface").map(str::to_owned),
        capacity_bytes: row.within("capacity_bytes", 0, i64::MAX, mistakes).unwrap_or(0),
        bays: row.within("bays", 0, 1_000, mistakes).unwrap_or(0),
        rated_write_bytes: row.within("rated_write_bytes", 1, i64::MAX, mistakes),
        withdrawn: row.yes("withdrawn", mistakes).unwrap_or(false),
        sku,
        raid_overhead,
        load_factor,
        action: action?,
        price: price?,
        currency: currency?,
        lead_time_days: lead_time_days?,
        lead_time_as_of: lead_time_as_of?,
    })
}
