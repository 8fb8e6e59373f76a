//! Offers that are open: made, filled from plans, judged, moved on.

use headroom_core::offer::{Addressee, ContactRules, OfferState};
use headroom_core::unit::Consent;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::{Error, GenericClient};

use super::needs;

/// An offer of which something may still come.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// Key.
    pub(crate) offer: i64,
    /// Where it is.
    pub(crate) state: OfferState,
    /// To whom.
    pub(crate) to: Addressee,
    /// Order by, the earliest of its lines.
    pub(crate) order_by: Option<Date>,
    /// Fleet runs in a row in which no need was seen.
    pub(crate) calm_runs: u16,
    /// The run by which it was judged last.
    pub(crate) judged_run: Option<i64>,
    /// Expires after this date.
    pub(crate) valid_until: Option<Date>,
    /// The needs that it answers.
    pub(crate) needs: Vec<(i64, String)>,
}

/// Every open offer, locked against other services until the transaction ends.
pub(crate) async fn locked(client: &impl GenericClient) -> Result<Vec<Open>, Error> {
    let rows = client
        .query(
            "select o.offer_id, o.state, o.customer_id, o.contact_email, o.currency, o.order_by, o.calm_runs, o.judged_run,
                    o.valid_until,
                    array(select i.unit_id || ' ' || i.resource from fleet.offer_items i where i.offer_id = o.offer_id
                           group by i.unit_id, i.resource order by i.unit_id, i.resource)
               from fleet.offers o where o.state in ('planned', 'drafted', 'approved', 'sent')
              order by o.offer_id for update of o",
            &[],
        )
        .await?;
    let mut open = Vec::with_capacity(rows.len());
    for row in &rows {
        let Ok(state) = row.try_get::<_, &str>(1)?.parse() else { continue };
        let needs = row
            .try_get::<_, Vec<String>>(9)?
            .iter()
            .filter_map(|need| need.split_once(' '))
            .filter_map(|(unit, resource)| Some((unit.parse().ok()?, resource.to_owned())))
            .collect();
        open.push(Open {
            offer: row.try_get(0)?,
            state,
            to: Addressee { customer: row.try_get(2)?, address: row.try_get(3)?, currency: row.try_get(4)? },
            order_by: row.try_get(5)?,
            calm_runs: u16::try_from(row.try_get::<_, i16>(6)?).unwrap_or(0),
            judged_run: row.try_get(7)?,
            valid_until: row.try_get(8)?,
            needs,
        });
    }
    Ok(open)
}

/// Makes an offer in the state planned, and writes that down.
pub(crate) async fn make(
    client: &impl GenericClient,
    to: &Addressee,
    contact_name: &str,
) -> Result<i64, Error> {
    let row = client
        .query_one(
            "with made as (
                 insert into fleet.offers (customer_id, contact_name, contact_email, currency) values ($1, $2, $3, $4)
                 returning offer_id)
             insert into fleet.offer_events (offer_id, to_state, who, note)
             select offer_id, 'planned', 'headroom', 'a need was seen' from made returning offer_id",
            &[&to.customer, &contact_name, &to.address, &to.currency],
        )
        .await?;
    Ok(row.get(0))
}

/// Takes the lines of these plans into an offer in place of what it has for the same needs, and sums it up anew.
pub(crate) async fn take_plans(client: &impl GenericClient, offer: i64, plans: &[i64]) -> Result<(), Error> {
    client
        .execute(
            "delete from fleet.offer_items i using fleet.plans p
              where i.offer_id = $1 and p.plan_id = any ($2) and i.unit_id = p.unit_id and i.resource = p.resource",
            &[&offer, &plans],
        )
        .await?;
    client
        .execute(
            "insert into fleet.offer_items (offer_id, unit_id, resource, product_id, action, quantity, price)
             select $1, p.unit_id, p.resource, i.product_id, p.action, i.quantity, i.quantity * d.price
               from fleet.plans p join fleet.plan_items i using (plan_id) join fleet.products d using (product_id)
              where p.plan_id = any ($2)",
            &[&offer, &plans],
        )
        .await?;
    sum_up(client, offer).await
}

/// Drops the lines of needs that an offer shall no longer answer, and sums it up anew.
pub(crate) async fn drop_needs(
    client: &impl GenericClient,
    offer: i64,
    units: &[i64],
    resources: &[&str],
) -> Result<(), Error> {
    client
        .execute(
            "delete from fleet.offer_items i using unnest($2::bigint[], $3::text[]) as gone (unit_id, resource)
              where i.offer_id = $1 and i.unit_id = gone.unit_id and i.resource = gone.resource",
            &[&offer, &units, &resources],
        )
        .await?;
    sum_up(client, offer).await
}

/// Price and order-by date from the lines and the plans of the current run. The price is that of the lines.
async fn sum_up(client: &impl GenericClient, offer: i64) -> Result<(), Error> {
    client
        .execute(
            "update fleet.offers o
                set price = (select coalesce(sum(i.price), 0) from fleet.offer_items i where i.offer_id = o.offer_id),
                    order_by = coalesce(
                        (select min(p.order_by) from fleet.plans p
                           join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current
                           join fleet.offer_items i on i.unit_id = p.unit_id and i.resource = p.resource
                          where i.offer_id = o.offer_id and p.chosen), o.order_by)
              where o.offer_id = $1",
            &[&offer],
        )
        .await?;
    Ok(())
}

/// Plans of the current run that differ in lines or price from what an offer has for the same need.
pub(crate) async fn plans_that_differ(client: &impl GenericClient, offer: i64) -> Result<Vec<i64>, Error> {
    let rows = client
        .query(
            "with mine as (
                 select i.unit_id, i.resource, jsonb_agg(jsonb_build_array(i.product_id, i.quantity, i.price)
                                                         order by i.product_id) as lines
                   from fleet.offer_items i where i.offer_id = $1 group by i.unit_id, i.resource)
             select p.plan_id
               from mine m
               join fleet.plans p on p.unit_id = m.unit_id and p.resource = m.resource and p.chosen
               join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current
               join lateral (select jsonb_agg(jsonb_build_array(i.product_id, i.quantity, (i.quantity * d.price)::numeric(14, 2))
                                              order by i.product_id) as lines
                               from fleet.plan_items i join fleet.products d using (product_id)
                              where i.plan_id = p.plan_id) l on l.lines is not null
               join fleet.offers o on o.offer_id = $1 and o.currency = p.currency
              where l.lines is distinct from m.lines or o.order_by is distinct from least(o.order_by, p.order_by)",
            &[&offer],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Writes down by which run an offer's need was judged.
pub(crate) async fn judged(
    client: &impl GenericClient,
    offer: i64,
    run: i64,
    calm_runs: u16,
) -> Result<(), Error> {
    client
        .execute(
            "update fleet.offers set judged_run = $2, calm_runs = $3 where offer_id = $1",
            &[&offer, &run, &i16::try_from(calm_runs).unwrap_or(i16::MAX)],
        )
        .await?;
    Ok(())
}

/// Moves an offer on and writes that down; `false` where somebody else moved it first.
pub(crate) async fn moved(
    client: &impl GenericClient,
    offer: i64,
    from: OfferState,
    to: OfferState,
    who: &str,
    note: &str,
    valid_until: Option<Date>,
) -> Result<bool, Error> {
    let reason =
        matches!(to, OfferState::Declined | OfferState::Withdrawn).then_some(note).filter(|n| !n.is_empty());
    let changed = client
        .execute(
            "update fleet.offers set state = $3, changed_at = now(), outcome_reason = coalesce($4, outcome_reason),
                    valid_until = coalesce($5, valid_until)
              where offer_id = $1 and state = $2",
            &[&offer, &from.as_str(), &to.as_str(), &reason, &valid_until],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    client
        .execute(
            "insert into fleet.offer_events (offer_id, from_state, to_state, who, note) values ($1, $2, $3, $4, $5)",
            &[&offer, &from.as_str(), &to.as_str(), &who, &note],
        )
        .await?;
    Ok(true)
}

/// What decides whether an offer may be sent.
pub(crate) async fn contact_rules(
    client: &impl GenericClient,
    offer: i64,
) -> Result<Option<ContactRules>, Error> {
    let row = client
        .query_opt(
            "select c.no_contact, c.no_contact_until, c.buying_months, c.cool_down_days, o.contact_email,
                    (select max(e.happened_at) from fleet.offers x join fleet.offer_events e using (offer_id)
                      where x.customer_id = o.customer_id and x.offer_id <> o.offer_id and e.to_state = 'sent'),
                    (select bool_and(fleet.unit_consent(i.unit_id, 'sales')) from fleet.offer_items i
                      where i.offer_id = o.offer_id)
               from fleet.offers o join fleet.customers c using (customer_id) where o.offer_id = $1",
            &[&offer],
        )
        .await?;
    row.map(|row| {
        let last_sent: Option<Timestamp> = row.try_get(5)?;
        Ok(ContactRules {
            consent: Consent {
                sales: row.try_get::<_, Option<bool>>(6)? == Some(true),
                ..Consent::default()
            },
            no_contact: row.try_get(0)?,
            no_contact_until: row.try_get(1)?,
            buying_months: needs::months(row.try_get(2)?),
            cool_down_days: u16::try_from(row.try_get::<_, i16>(3)?).unwrap_or(0),
            last_sent: last_sent.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date()),
            address: row.try_get(4)?,
        })
    })
    .transpose()
}
