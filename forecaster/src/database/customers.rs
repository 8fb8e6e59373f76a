//! Customers with their terms and consent.

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use tokio_postgres::{Error, GenericClient};

use super::change::Change;

/// A customer, as imported.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Customer {
    /// The vendor's reference.
    pub(crate) reference: String,
    /// Name of the organisation.
    pub(crate) name: String,
    /// Territory by name.
    pub(crate) territory: Option<String>,
    /// Whom to contact.
    pub(crate) contact_name: String,
    /// Their address; empty where unknown.
    pub(crate) contact_email: String,
    /// Days that an approval takes.
    pub(crate) approval_days: i16,
    /// Days from delivery to use.
    pub(crate) installation_days: i16,
    /// First month of the fiscal year.
    pub(crate) fiscal_year_start_month: i16,
    /// Months in which offers are welcome; empty for all.
    pub(crate) buying_months: Vec<i16>,
    /// Nothing may be sent.
    pub(crate) no_contact: bool,
    /// Nothing may be sent before.
    pub(crate) no_contact_until: Option<Date>,
    /// Days between two offers.
    pub(crate) cool_down_days: i16,
    /// What can be spent on one offer.
    pub(crate) budget: Option<Decimal>,
    /// Its currency.
    pub(crate) budget_currency: Option<String>,
    /// Each purpose with whether it is granted; `None` leaves consent as it is.
    pub(crate) consent: Option<Vec<(&'static str, bool)>>,
}

/// Writes a customer.
pub(crate) async fn put(
    client: &impl GenericClient,
    customer: &Customer,
    now: Timestamp,
) -> Result<Change, Error> {
    if let Some(territory) = &customer.territory {
        client
            .execute("insert into fleet.territories (name) values ($1) on conflict do nothing", &[territory])
            .await?;
    }
    let row = client
        .query_opt(
            "insert into fleet.customers as c (reference, name, territory_id, contact_name, contact_email, approval_days,
                    installation_days, fiscal_year_start_month, buying_months, no_contact, no_contact_until,
                    cool_down_days, budget, budget_currency, changed_at)
             values ($1, $2, (select territory_id from fleet.territories where name = $3), $4, $5, $6, $7, $8, $9, $10,
                     $11, $12, $13, $14, $15)
             on conflict (reference) do update
                set (name, territory_id, contact_name, contact_email, approval_days, installation_days,
                     fiscal_year_start_month, buying_months, no_contact, no_contact_until, cool_down_days, budget,
                     budget_currency, changed_at)
                  = (excluded.name, excluded.territory_id, excluded.contact_name, excluded.contact_email,
                     excluded.approval_days, excluded.installation_days, excluded.fiscal_year_start_month,
                     excluded.buying_months, excluded.no_contact, excluded.no_contact_until, excluded.cool_down_days,
                     excluded.budget, excluded.budget_currency, excluded.changed_at)
              where (c.name, c.territory_id, c.contact_name, c.contact_email, c.approval_days, c.installation_days,
                     c.fiscal_year_start_month, c.buying_months, c.no_contact, c.no_contact_until, c.cool_down_days,
                     c.budget, c.budget_currency)
                    is distinct from
                    (excluded.name, excluded.territory_id, excluded.contact_name, excluded.contact_email,
                     excluded.approval_days, excluded.installation_days, excluded.fiscal_year_start_month,
                     excluded.buying_months, excluded.no_contact, excluded.no_contact_until, excluded.cool_down_days,
                     excluded.budget, excluded.budget_currency)
             returning xmax = 0",
            &[
                &customer.reference,
                &customer.name,
                &customer.territory,
                &customer.contact_name,
                &customer.contact_email,
                &customer.approval_days,
                &customer.installation_days,
                &customer.fiscal_year_start_month,
                &customer.buying_months,
                &customer.no_contact,
                &customer.no_contact_until,
                &customer.cool_down_days,
                &customer.budget,
                &customer.budget_currency,
                &now,
            ],
        )
        .await?;
    let mut change = match row.map(|row| row.get::<_, bool>(0)) {
        Some(true) => Change::Added,
        Some(false) => Change::Changed,
        None => Change::Unchanged,
    };
    for (purpose, granted) in customer.consent.iter().flatten() {
        // Every change is kept; saying the same again is none. What was never said is the same as withdrawn.
        let said = client
            .execute(
                "insert into fleet.consents (customer_id, purpose, granted, changed_at, changed_by)
                 select c.customer_id, $2, $3, $4, 'import' from fleet.customers c
                  where c.reference = $1 and fleet.consent(c.customer_id, $2) <> $3",
                &[&customer.reference, purpose, granted, &now],
            )
            .await?;
        if said > 0 && change == Change::Unchanged {
            change = Change::Changed;
        }
    }
    Ok(change)
}
