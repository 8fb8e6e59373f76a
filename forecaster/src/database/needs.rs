//! Needs: units whose chosen plan is a purchase.

use headroom_core::offer::Addressee;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::{Error, GenericClient};

/// A unit whose chosen plan is a purchase, with whom to ask.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The unit.
    pub(crate) unit: i64,
    /// What runs out.
    pub(crate) resource: String,
    /// The chosen plan.
    pub(crate) plan: i64,
    /// Order by.
    pub(crate) order_by: Date,
    /// Probability that it runs out before an order of today is in use.
    pub(crate) late_probability: Option<f64>,
    /// To whom an offer goes.
    pub(crate) to: Addressee,
    /// Name of the contact.
    pub(crate) contact_name: String,
    /// Months in which the customer buys; empty for all.
    pub(crate) buying_months: Vec<u8>,
    /// Whether node and hub both grant the sales purpose.
    pub(crate) sales_granted: bool,
    /// An offer for it ended so recently that the next one waits.
    pub(crate) rests: bool,
}

// The contact is the unit's own where its node names one: the node's owner decides who the user is.
const NEEDS: &str = "
    select p.unit_id, p.resource, p.plan_id, p.order_by, p.late_probability, u.customer_id,
           coalesce(nullif(btrim(n.user_information -> 'contact' ->> 'email'), ''), c.contact_email),
           coalesce(nullif(btrim(n.user_information -> 'contact' ->> 'name'), ''), c.contact_name),
           p.currency, c.buying_months, fleet.unit_consent(p.unit_id, 'sales'),
           exists (select from fleet.offer_items i join fleet.offers o using (offer_id)
                    where i.unit_id = p.unit_id and i.resource = p.resource
                      and (o.state in ('declined', 'expired')
                               and o.changed_at > $1::timestamptz - make_interval(days => c.cool_down_days)
                           or o.state = 'accepted' and o.changed_at > $1::timestamptz - make_interval(days => 30
                               + c.installation_days + (select max(d.lead_time_days) from fleet.products d
                                                         where d.product_id = i.product_id))))
      from fleet.plans p
      join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current
      join fleet.units u using (unit_id)
      join fleet.customers c using (customer_id)
      left join fleet.nodes n using (node_id)
     where p.chosen and p.order_by is not null and p.currency is not null
       and p.action in ('expansion', 'upgrade', 'functional_extension')
       and u.life in ('matched', 'moved', 'expanded')
     order by p.order_by, p.unit_id";

/// Every unit of a known sale whose chosen plan is a purchase, the most urgent first.
pub(crate) async fn current(client: &impl GenericClient, now: Timestamp) -> Result<Vec<Need>, Error> {
    let rows = client.query(NEEDS, &[&now]).await?;
    rows.iter()
        .map(|row| {
            Ok(Need {
                unit: row.try_get(0)?,
                resource: row.try_get(1)?,
                plan: row.try_get(2)?,
                order_by: row.try_get(3)?,
                late_probability: row.try_get(4)?,
                to: Addressee {
                    customer: row.try_get(5)?,
                    address: row.try_get(6)?,
                    currency: row.try_get(8)?,
                },
                contact_name: row.try_get(7)?,
                buying_months: months(row.try_get(9)?),
                sales_granted: row.try_get(10)?,
                rests: row.try_get(11)?,
            })
        })
        .collect()
}

/// Months as the database has them.
pub(super) fn months(months: Vec<i16>) -> Vec<u8> {
    months.into_iter().filter_map(|month| u8::try_from(month).ok()).collect()
}
