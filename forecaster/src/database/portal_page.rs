//! Consent and the exact data of one unit, as the customer's own page shows them.

use tokio_postgres::{Error, GenericClient};

/// A customer with the hub's copy of its consent.
#[derive(Debug, Clone)]
pub(crate) struct CustomerConsent {
    /// Key.
    pub(crate) customer_id: i64,
    /// Name.
    pub(crate) name: String,
    /// Granted here: support, advice, sales.
    pub(crate) granted: [bool; 3],
    /// What all nodes of the customer grant; `None` where it has none.
    pub(crate) nodes_grant: [Option<bool>; 3],
}

/// The purposes, in the order of the arrays above.
pub(crate) const PURPOSES: [&str; 3] = ["support", "advice", "sales"];

/// The customers that the person sees.
pub(crate) async fn customers(client: &impl GenericClient) -> Result<Vec<CustomerConsent>, Error> {
    let rows = client
        .query(
            "select c.customer_id, c.name, fleet.consent(c.customer_id, 'support'), fleet.consent(c.customer_id, 'advice'),
                    fleet.consent(c.customer_id, 'sales'), bool_and(n.consent_support), bool_and(n.consent_advice),
                    bool_and(n.consent_sales)
               from fleet.customers c left join fleet.nodes n on n.customer_id = c.customer_id and n.revoked_at is null
              group by c.customer_id order by lower(c.name), c.customer_id",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| CustomerConsent {
            customer_id: row.get(0),
            name: row.get(1),
            granted: [row.get(2), row.get(3), row.get(4)],
            nodes_grant: [row.get(5), row.get(6), row.get(7)],
        })
        .collect())
}

/// Notes a decision. What follows from it, triggers do in the same transaction.
pub(crate) async fn decide(
    client: &impl GenericClient,
    customer: i64,
    purpose: &str,
    granted: bool,
    who: &str,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.consents (customer_id, purpose, granted, changed_by) values ($1, $2, $3, $4)",
            &[&customer, &purpose, &granted, &who],
        )
        .await?;
    Ok(())
}

/// Keys and names of the units that the person sees.
pub(crate) async fn units(client: &impl GenericClient) -> Result<Vec<(i64, String)>, Error> {
    let rows = client
        .query("select unit_id, name from fleet.units order by lower(name), unit_id limit 2000", &[])
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Everything that is kept of a unit: specifications, user information, newest status, what is absent, what is remarked.
pub(crate) async fn payload(
    client: &impl GenericClient,
    unit: i64,
) -> Result<Option<serde_json::Value>, Error> {
    let row = client
        .query_opt(
            "select jsonb_build_object(
                'unit', to_jsonb(u),
                'user_information', (select n.user_information from fleet.nodes n where n.node_id = u.node_id),
                'remarks', (select jsonb_agg(to_jsonb(r) - '{node_id,digest}'::text[] order by r.happened_at nulls first, r.sentence)
                              from fleet.remarks r
                             where r.component_id in (select k.component_id from fleet.components k where k.unit_id = u.unit_id)
                                or (r.component_id is null and r.node_id = u.node_id)),
                'identities', (select jsonb_agg(to_jsonb(i) - 'unit_id') from fleet.identities i where i.unit_id = u.unit_id),
                'components', (select jsonb_agg(jsonb_build_object(
                    'component', to_jsonb(k),
                    'newest_status', (select jsonb_strip_nulls(to_jsonb(s)) from fleet.status s
                                       where s.component_id = k.component_id order by s.at desc limit 1),
                    'samples_kept', (select count(*) from fleet.status s where s.component_id = k.component_id),
                    'absences', (select jsonb_agg(to_jsonb(a) - 'component_id') from fleet.absences a where a.component_id = k.component_id))
                    order by k.component_id) from fleet.components k where k.unit_id = u.unit_id))
               from fleet.units u where u.unit_id = $1",
            &[&unit],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// What was done with the customer's data by whom, the newest first.
pub(crate) async fn audit(
    client: &impl GenericClient,
) -> Result<Vec<(jiff::Timestamp, String, String)>, Error> {
    let rows = client
        .query("select happened_at, who, what from fleet.audit_log order by audit_id desc limit 50", &[])
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}
