//! What was sold to whom, by serial number.

use std::collections::BTreeSet;

use headroom_core::unit::{Evidence, EvidenceKind};
use jiff::Timestamp;
use tokio_postgres::Transaction;

use super::Imported;
use super::sheet::{Column, Mistakes, Row};
use crate::database::sales::{self, Put, Sale};

/// The columns.
pub(crate) const COLUMNS: &[Column] = &[
    Column { name: "serial", is_required: true, about: "serial number" },
    Column { name: "customer", is_required: true, about: "reference of the customer" },
    Column { name: "product", is_required: false, about: "order number of what was sold" },
    Column {
        name: "name",
        is_required: false,
        about: "what people call it; product and serial number where empty",
    },
    Column {
        name: "kind",
        is_required: false,
        about: "drive, server_storage, array, nas or other; empty until a node says",
    },
    Column { name: "model", is_required: false, about: "model; empty until a node says" },
    Column { name: "sold_on", is_required: false, about: "date of sale, as 2026-01-31" },
    Column { name: "site", is_required: false, about: "where it stands" },
    Column { name: "bays_free", is_required: false, about: "free bays, 0 to 1000; empty where unknown" },
    Column { name: "identity", is_required: false, about: "identifiers, as wwn:5000c500a1b2c3d4 nguid:…" },
];

/// Reads the rows; each with its line.
pub(super) fn parse(rows: &[Row], mistakes: &mut Mistakes) -> Vec<(u64, Sale)> {
    let mut seen = BTreeSet::new();
    rows.iter().map(|row| (row.line, sale(row, &mut seen, mistakes))).collect()
}

fn sale(row: &Row, seen: &mut BTreeSet<String>, mistakes: &mut Mistakes) -> Sale {
    let serial = row.bounded("serial", mistakes);
    if !serial.is_empty() && !seen.insert(serial.to_lowercase()) {
        mistakes.add(row.line, Some("serial"), format!("{serial:?} stands in the file twice"));
    }
    let product = row.text("product").map(str::to_owned);
    let name = row.text("name").map(str::to_owned);
    Sale {
        name: name.unwrap_or_else(|| match &product {
            Some(product) => format!("{product} {serial}"),
            None => serial.clone(),
        }),
        customer: row.required("customer"),
        kind: row.one_of("kind", &["drive", "server_storage", "array", "nas", "other"], mistakes),
        model: row.text("model").map(str::to_owned),
        sold_on: row.parsed("sold_on", "date such as 2026-01-31", mistakes),
        site: row.text("site").map(str::to_owned),
        bays_free: row.within("bays_free", 0, 1_000, mistakes),
        identity: identity(row, mistakes),
        serial,
        product,
    }
}

fn identity(row: &Row, mistakes: &mut Mistakes) -> Vec<Evidence> {
    let mut identity = Vec::new();
    for word in row.words("identity") {
        let evidence = word.split_once(':').and_then(|(kind, value)| {
            let kind: EvidenceKind = serde_json::from_value(kind.into()).ok()?;
            (!value.is_empty()).then(|| Evidence { kind, value: value.to_lowercase() })
        });
        match evidence {
            Some(evidence) => identity.push(evidence),
            None => mistakes.add(
                row.line,
                Some("identity"),
                format!("{word:?} is no identifier such as nguid:…, eui64:…, naa:… or wwn:…"),
            ),
        }
    }
    identity
}

/// Writes a sale, unless the file has mistakes already; what it refers to must be there.
pub(super) async fn put(
    transaction: &Transaction<'_>,
    line: u64,
    sale: &Sale,
    now: Timestamp,
    mistakes: &mut Mistakes,
    imported: &mut Imported,
) -> Result<(), tokio_postgres::Error> {
    let outcome = sales::put(transaction, sale, now).await?;
    match outcome {
        Put::Done(change) => imported.count(change),
        Put::NoCustomer => {
            mistakes.add(line, Some("customer"), format!("there is no customer {:?}: import customers first", sale.customer));
        }
        Put::NoProduct => {
            let product = sale.product.as_deref().unwrap_or_default();
            mistakes.add(line, Some("product"), format!("there is no product {product:?}: import the catalogue first"));
        }
        Put::Several => mistakes.add(
            line,
            Some("serial"),
            format!("{:?} is the serial number of several units: retire those that are gone with `headroom unit retire`", sale.serial),
        ),
    }
    Ok(())
}
