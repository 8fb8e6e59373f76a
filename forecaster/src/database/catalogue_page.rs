//! The catalogue as its page shows it.

use jiff::civil::Date;
use rust_decimal::Decimal;
use tokio_postgres::{Error, GenericClient};

/// A product.
#[derive(Debug, Clone)]
pub(crate) struct ProductRow {
    /// Order number.
    pub(crate) sku: String,
    /// Name.
    pub(crate) name: String,
    /// unit, expansion, upgrade or functional_extension.
    pub(crate) action: String,
    /// Models it fits; empty for any.
    pub(crate) fits_models: Vec<String>,
    /// Capacity, bytes, before redundancy.
    pub(crate) capacity_bytes: i64,
    /// Interface.
    pub(crate) interface: Option<String>,
    /// Price of one.
    pub(crate) price: Decimal,
    /// Its currency.
    pub(crate) currency: String,
    /// Days from order to delivery.
    pub(crate) lead_time_days: i16,
    /// When that was last confirmed.
    pub(crate) lead_time_as_of: Date,
    /// No longer sold.
    pub(crate) withdrawn: bool,
}

/// Every product, what is sold first.
pub(crate) async fn products(client: &impl GenericClient) -> Result<Vec<ProductRow>, Error> {
    let rows = client
        .query(
            "select sku, name, action, fits_models, capacity_bytes, interface, price, currency, lead_time_days,
                    lead_time_as_of, withdrawn
               from fleet.products order by withdrawn, action, sku",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| ProductRow {
            sku: row.get(0),
            name: row.get(1),
            action: row.get(2),
            fits_models: row.get(3),
            capacity_bytes: row.get(4),
            interface: row.get(5),
            price: row.get(6),
            currency: row.get(7),
            lead_time_days: row.get(8),
            lead_time_as_of: row.get(9),
            withdrawn: row.get(10),
        })
        .collect())
}
