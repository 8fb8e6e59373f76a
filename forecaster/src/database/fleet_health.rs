//! How the hub and its fleet do: figures for monitoring.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Gauge {
    /// Name.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) help: &'static str,
    /// What it is of.
    pub(crate) label: Option<(&'static str, String)>,
    /// The figure.
    pub(crate) value: f64,
}

/// Figures by name: the label's name, the statement that gives (label, value) rows, and what it is.
const QUESTIONS: [(&str, &str, Option<&str>, &str); 7] = [
    (
        "headroom_units",
        "Units in use by the state of what binds first",
        Some("state"),
        "select coalesce(f.state, 'none'), count(*)::double precision
           from fleet.units u
           left join lateral (
                select f.state from fleet.components k join fleet.forecasts f using (component_id)
                  join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
                 where k.unit_id = u.unit_id and k.gone_at is null
                 order by f.state = 'already_exhausted' desc, f.p10 nulls last, f.p50 nulls last,
                          f.resource = 'capacity' desc, f.resource_limit desc nulls last, f.component_id, f.resource
                 limit 1) f on true
          where u.life not in ('replaced', 'retired') group by 1 order by 1",
    ),
    (
        "headroom_offers",
        "Offers by state",
        Some("state"),
        "select state, count(*)::double precision from fleet.offers group by 1 order by 1",
    ),
    (
        "headroom_nodes",
        "Enrolled nodes: seen in the last day, silent, or failing at the last read",
        Some("condition"),
        "select c.condition, count(n.node_id)::double precision
           from (values ('seen'), ('silent'), ('failing')) as c (condition)
           left join (select node_id, case when failed_at > coalesce(seen_at, '-infinity') then 'failing'
                                           when seen_at > $1::timestamptz - interval '1 day' then 'seen'
                                           else 'silent' end as condition
                        from fleet.nodes where revoked_at is null) n using (condition)
          group by 1 order by 1",
    ),
    (
        "headroom_forecast_age_seconds",
        "Age of the current fleet forecast",
        None,
        "select '', extract(epoch from $1::timestamptz - as_of)::double precision from fleet.forecast_runs where is_current",
    ),
    (
        "headroom_job_failures",
        "Failures in a row of each job",
        Some("job"),
        "select name, failures::double precision from fleet.jobs order by 1",
    ),
    (
        "headroom_samples_set_aside",
        "Samples that were not believed in the last day",
        None,
        "select '', count(*)::double precision from fleet.set_aside where noted_at > $1::timestamptz - interval '1 day'",
    ),
    (
        "headroom_messages_waiting",
        "Messages that are not sent yet",
        None,
        "select '', count(*)::double precision from fleet.outbox where sent_at is null",
    ),
];

/// Every figure, by name.
pub(crate) async fn gauges(client: &impl GenericClient, now: Timestamp) -> Result<Vec<Gauge>, Error> {
    let mut gauges = Vec::new();
    for (name, help, label, statement) in QUESTIONS {
        // A statement without the moment still takes it.
        let statement = format!("with now as (select $1::timestamptz) {statement}");
        for row in client.query(&statement, &[&now]).await? {
            gauges.push(Gauge {
                name,
                help,
                label: label.map(|label| (label, row.get(0))),
                value: row.get(1),
            });
        }
    }
    Ok(gauges)
}

/// A node as the engineer looks at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeRow {
    /// Its id.
    pub(crate) node_id: uuid::Uuid,
    /// Whose.
    pub(crate) customer: Option<String>,
    /// host or peripheral.
    pub(crate) placement: String,
    /// Version of its program.
    pub(crate) software: String,
    /// Seconds between two measurements.
    pub(crate) interval_seconds: Option<i32>,
    /// Last answer or push.
    pub(crate) seen_at: Option<Timestamp>,
    /// What the last read failed with.
    pub(crate) failure: Option<String>,
    /// When.
    pub(crate) failed_at: Option<Timestamp>,
    /// What makes two copies of it likely.
    pub(crate) fork: Option<String>,
    /// Its clock minus the hub's.
    pub(crate) clock_ahead_seconds: Option<f64>,
    /// End of its certificate.
    pub(crate) certificate_expires_at: Option<Timestamp>,
    /// Units that it sees.
    pub(crate) units: i64,
}

/// Enrolled nodes, the longest silent first.
pub(crate) async fn nodes(client: &impl GenericClient) -> Result<Vec<NodeRow>, Error> {
    let rows = client
        .query(
            "select n.node_id, c.name, n.placement, n.software, n.interval_seconds, n.seen_at, n.failure, n.failed_at, n.fork,
                    n.clock_ahead_seconds, n.certificate_expires_at,
                    (select count(*) from fleet.units u where u.node_id = n.node_id and u.gone_at is null)
               from fleet.nodes n left join fleet.customers c using (customer_id)
              where n.revoked_at is null order by n.seen_at nulls first, n.node_id limit 1000",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| NodeRow {
            node_id: row.get(0),
            customer: row.get(1),
            placement: row.get(2),
            software: row.get(3),
            interval_seconds: row.get(4),
            seen_at: row.get(5),
            failure: row.get(6),
            failed_at: row.get(7),
            fork: row.get(8),
            clock_ahead_seconds: row.get(9),
            certificate_expires_at: row.get(10),
            units: row.get(11),
        })
        .collect())
}

/// A fleet run.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    /// Key.
    pub(crate) run_id: i64,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// Model and version of its constants.
    pub(crate) model: String,
    /// Begun.
    pub(crate) started_at: Timestamp,
    /// Published.
    pub(crate) published_at: Option<Timestamp>,
    /// What readers see.
    pub(crate) is_current: bool,
    /// Why it was given up.
    pub(crate) given_up: Option<String>,
    /// Its forecasts.
    pub(crate) forecasts: i64,
}

/// The newest fleet runs.
pub(crate) async fn runs(client: &impl GenericClient) -> Result<Vec<RunRow>, Error> {
    let rows = client
        .query(
            "select run_id, as_of, model, started_at, published_at, is_current, given_up, forecasts
               from fleet.forecast_runs order by run_id desc limit 10",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| RunRow {
            run_id: row.get(0),
            as_of: row.get(1),
            model: row.get(2),
            started_at: row.get(3),
            published_at: row.get(4),
            is_current: row.get(5),
            given_up: row.get(6),
            forecasts: row.get(7),
        })
        .collect())
}

/// Why samples were not believed in the last 30 days: reason, times, last time.
pub(crate) async fn set_aside(client: &impl GenericClient) -> Result<Vec<(String, i64, Timestamp)>, Error> {
    let rows = client
        .query(
            "select reason, count(*), max(noted_at) from fleet.set_aside where noted_at > now() - interval '30 days'
              group by reason order by 2 desc limit 50",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}
