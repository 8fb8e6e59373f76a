//! Whose unit it is, what was sold, and which node sees it.

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// Whose unit it is and which node sees it.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Name of the customer.
    pub(crate) customer: Option<String>,
    /// The vendor's reference for it.
    pub(crate) reference: Option<String>,
    /// Territory.
    pub(crate) territory: Option<String>,
    /// Whom to contact.
    pub(crate) contact_name: Option<String>,
    /// Their address.
    pub(crate) contact_email: Option<String>,
    /// Days that the customer takes to approve.
    pub(crate) approval_days: Option<i16>,
    /// Days from delivery to use.
    pub(crate) installation_days: Option<i16>,
    /// First month of its fiscal year.
    pub(crate) fiscal_year_start_month: Option<i16>,
    /// Nothing may be sent.
    pub(crate) no_contact: bool,
    /// Purposes that both sides grant, in order.
    pub(crate) granted: Vec<String>,
    /// Date of sale.
    pub(crate) sold_on: Option<Date>,
    /// What was sold.
    pub(crate) product: Option<String>,
    /// Free bays.
    pub(crate) bays_free: Option<i16>,
    /// The node that sees it.
    pub(crate) node_id: Option<Uuid>,
    /// host or peripheral.
    pub(crate) placement: Option<String>,
    /// Version of its program.
    pub(crate) software: Option<String>,
    /// Where its read API is.
    pub(crate) address: Option<String>,
    /// Seconds between two measurements.
    pub(crate) interval_seconds: Option<i32>,
    /// Last answer or push.
    pub(crate) node_seen_at: Option<Timestamp>,
    /// What the last read failed with.
    pub(crate) failure: Option<String>,
    /// Its key inside the node.
    pub(crate) node_key: Option<String>,
}

/// Customer, consent, sale and node of a unit.
pub(crate) async fn surroundings(
    client: &impl GenericClient,
    unit: i64,
) -> Result<Option<Surroundings>, Error> {
    let row = client
        .query_opt(
            "select c.name, c.reference, t.name, c.contact_name, c.contact_email, c.approval_days, c.installation_days,
                    c.fiscal_year_start_month, coalesce(c.no_contact, false),
                    array(select f.purpose from fleet.consent_in_force f where f.unit_id = u.unit_id and f.in_force order by 1),
                    u.sold_on, p.name, u.bays_free, n.node_id, n.placement, n.software, n.address, n.interval_seconds,
                    n.seen_at, n.failure, u.node_key
               from fleet.units u
               left join fleet.customers c using (customer_id)
               left join fleet.territories t using (territory_id)
               left join fleet.products p using (product_id)
               left join fleet.nodes n on n.node_id = u.node_id and n.revoked_at is null
              where u.unit_id = $1",
            &[&unit],
        )
        .await?;
    Ok(row.map(|row| Surroundings {
        customer: row.get(0),
        reference: row.get(1),
        territory: row.get(2),
        contact_name: row.get(3),
        contact_email: row.get(4),
        approval_days: row.get(5),
        installation_days: row.get(6),
        fiscal_year_start_month: row.get(7),
        no_contact: row.get(8),
        granted: row.get(9),
        sold_on: row.get(10),
        product: row.get(11),
        bays_free: row.get(12),
        node_id: row.get(13),
        placement: row.get(14),
        software: row.get(15),
        address: row.get(16),
        interval_seconds: row.get(17),
        node_seen_at: row.get(18),
        failure: row.get(19),
        node_key: row.get(20),
    }))
}
