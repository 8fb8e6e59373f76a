//! The catalogue.

use jiff::civil::Date;
use rust_decimal::Decimal;
use tokio_postgres::{Error, GenericClient};

use super::change::Change;

/// A product, as imported.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    /// Order number.
    pub(crate) sku: String,
    /// Name.
    pub(crate) name: String,
    /// unit, expansion, upgrade or functional_extension.
    pub(crate) action: &'static str,
    /// Models it fits; empty for any.
    pub(crate) fits_models: Vec<String>,
    /// Interface it needs.
    pub(crate) interface: Option<String>,
    /// Bytes that it has or adds.
    pub(crate) capacity_bytes: i64,
    /// Bays that it has or takes.
    pub(crate) bays: i16,
    /// Share that redundancy takes.
    pub(crate) raid_overhead: f64,
    /// Load before divided by load after.
    pub(crate) load_factor: f64,
    /// Bytes that may be written over its life.
    pub(crate) rated_write_bytes: Option<i64>,
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

/// Writes a product.
pub(crate) async fn put(client: &impl GenericClient, product: &Product) -> Result<Change, Error> {
    let row = client
        .query_opt(
            "insert into fleet.products as p (sku, name, action, fits_models, interface, capacity_bytes, bays, raid_overhead,
                    load_factor, rated_write_bytes, price, currency, lead_time_days, lead_time_as_of, withdrawn)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             on conflict (sku) do update
                set (name, action, fits_models, interface, capacity_bytes, bays, raid_overhead, load_factor,
                     rated_write_bytes, price, currency, lead_time_days, lead_time_as_of, withdrawn)
                  = (excluded.name, excluded.action, excluded.fits_models, excluded.interface, excluded.capacity_bytes,
                     excluded.bays, excluded.raid_overhead, excluded.load_factor, excluded.rated_write_bytes,
                     excluded.price, excluded.currency, excluded.lead_time_days, excluded.lead_time_as_of,
                     excluded.withdrawn)
              where (p.name, p.action, p.fits_models, p.interface, p.capacity_bytes, p.bays, p.raid_overhead, p.load_factor,
                     p.rated_write_bytes, p.price, p.currency, p.lead_time_days, p.lead_time_as_of, p.withdrawn)
                    is distinct from
                    (excluded.name, excluded.action, excluded.fits_models, excluded.interface, excluded.capacity_bytes,
                     excluded.bays, excluded.raid_overhead, excluded.load_factor, excluded.rated_write_bytes,
                     excluded.price, excluded.currency, excluded.lead_time_days, excluded.lead_time_as_of,
                     excluded.withdrawn)
             returning xmax = 0",
            &[
                &product.sku,
                &product.name,
                &product.action,
                &product.fits_models,
                &product.interface,
                &product.capacity_bytes,
                &product.bays,
                &product.raid_overhead,
                &product.load_factor,
                &product.rated_write_bytes,
                &product.price,
                &product.currency,
                &product.lead_time_days,
                &product.lead_time_as_of,
                &product.withdrawn,
            ],
        )
        .await?;
    Ok(match row.map(|row| row.get::<_, bool>(0)) {
        Some(true) => Change::Added,
        Some(false) => Change::Changed,
        None => Change::Unchanged,
    })
}
