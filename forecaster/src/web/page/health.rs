//! `GET /health`: nodes, jobs and fleet runs, for the engineer who keeps them alive.

use askama::Template as _;
use axum::extract::State;
use axum::response::Html;
use jiff::Timestamp;

use super::listing::{Cell, ListingPage, Table};
use crate::database::fleet_health::{self, NodeRow, RunRow};
use crate::database::{acting, jobs};
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::{ago, moment};

/// A node that was not heard of for so many of its own intervals, and at least an hour, is silent.
const SILENT_INTERVALS: i64 = 10;

/// `GET /health`
pub(crate) async fn page(State(web): State<Web>, who: SignedIn) -> Result<Html<String>, Problem> {
    who.role.require_section("/health")?;
    let now = Timestamp::now();
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let nodes = fleet_health::nodes(&transaction).await?;
    let runs = fleet_health::runs(&transaction).await?;
    let jobs = jobs::list(&transaction).await?;
    let aside = fleet_health::set_aside(&transaction).await?;
    drop(transaction);
    let (troubled, well): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| trouble(node, now).is_some());
    let nodes_table = |title: String, nodes: &[&NodeRow], empty: &'static str| Table {
        title,
        note: None,
        columns: vec![
            "Node",
            "Customer",
            "Condition",
            "Seen",
            "Runs",
            "Program",
            "Certificate until",
            "Units",
        ],
        rows: nodes.iter().map(|node| node_row(node, now)).collect(),
        empty,
    };
    let page = ListingPage {
        frame: web.frame(&who, "/health", "/health".to_owned()),
        title: "Fleet health",
        intro: vec!["What is silent is found here before a forecast goes stale.".to_owned()],
        tables: vec![
            nodes_table(format!("Nodes to look after: {}", troubled.len()), &troubled, "Every node is well."),
            Table {
                title: "Jobs".to_owned(),
                note: None,
                columns: vec!["Job", "What it does", "Next start", "Last run", "Failures in a row"],
                rows: jobs.iter().map(|job| job_row(job, now)).collect(),
                empty: "No job is known yet: jobs.enabled is off, or the hub has just begun.",
            },
            Table {
                title: "Fleet runs".to_owned(),
                note: None,
                columns: vec!["Run", "As of", "State", "Forecasts", "Model"],
                rows: runs.iter().map(|run| run_row(run, now)).collect(),
                empty: "The fleet was not forecast yet.",
            },
            Table {
                title: "Samples that were not believed".to_owned(),
                note: Some("The last 30 days, by reason.".to_owned()),
                columns: vec!["Reason", "Times", "Last"],
                rows: aside
                    .into_iter()
                    .map(|(reason, times, last)| {
                        vec![Cell::text(reason), Cell::text(times.to_string()), Cell::text(ago(last, now))]
                    })
                    .collect(),
                empty: "None.",
            },
            nodes_table(format!("Nodes that are well: {}", well.len()), &well, "None."),
        ],
    };
    Ok(Html(page.render()?))
}

/// What is wrong with a node.
fn trouble(node: &NodeRow, now: Timestamp) -> Option<String> {
    if let Some(fork) = &node.fork {
        return Some(format!("two copies speak: {fork}"));
    }
    if let (Some(failure), Some(failed)) = (&node.failure, node.failed_at)
        && node.seen_at.is_none_or(|seen| failed > seen)
    {
        return Some(format!("{} ({})", failure, ago(failed, now)));
    }
    let Some(seen) = node.seen_at else { return Some("never heard of".to_owned()) };
    let silent = (i64::from(node.interval_seconds.unwrap_or(60)) * SILENT_INTERVALS).max(3_600);
    if now.as_second() - seen.as_second() > silent {
        return Some("silent".to_owned());
    }
    match node.clock_ahead_seconds {
        Some(ahead) if ahead.abs() > 60.0 => Some(format!("its clock is {ahead:.0} s ahead of the hub's")),
        _ => None,
    }
}

fn node_row(node: &NodeRow, now: Timestamp) -> Vec<Cell> {
    vec![
        Cell::text(node.node_id.to_string()),
        Cell::text(node.customer.clone().unwrap_or_else(|| "–".to_owned())),
        Cell::text(trouble(node, now).unwrap_or_else(|| "well".to_owned())),
        Cell::text(node.seen_at.map_or_else(|| "never".to_owned(), |seen| ago(seen, now))),
        Cell::text(node.placement.clone()),
        Cell::text(node.software.clone()),
        Cell::text(node.certificate_expires_at.map_or_else(|| "–".to_owned(), crate::web::wording::day)),
        Cell::text(node.units.to_string()),
    ]
}

fn job_row(job: &jobs::JobRow, now: Timestamp) -> Vec<Cell> {
    let last = match (job.last_started_at, &job.last_outcome) {
        (Some(at), Some(outcome)) => {
            format!("{}: {outcome}. {}", ago(at, now), job.last_detail.as_deref().unwrap_or_default())
        }
        (Some(at), None) => format!("{}: still runs, or was cut off", ago(at, now)),
        (None, _) => "never".to_owned(),
    };
    vec![
        Cell::text(job.name.clone()),
        Cell::text(job.about.clone()),
        Cell::text(match job.parked_at {
            Some(at) => format!("parked since {}", moment(at)),
            None => moment(job.next_start),
        }),
        Cell::text(last),
        Cell::text(job.failures.to_string()),
    ]
}

fn run_row(run: &RunRow, now: Timestamp) -> Vec<Cell> {
    let state = match (run.is_current, run.published_at, &run.given_up) {
        (true, ..) => "current".to_owned(),
        (_, Some(at), _) => format!("published {}", ago(at, now)),
        (_, None, Some(why)) => format!("given up: {why}"),
        (_, None, None) => format!("running since {}", moment(run.started_at)),
    };
    vec![
        Cell::text(run.run_id.to_string()),
        Cell::text(moment(run.as_of)),
        Cell::text(state),
        Cell::text(run.forecasts.to_string()),
        Cell::text(run.model.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{NodeRow, trouble};

    #[test]
    fn a_node_is_judged_by_its_own_interval() {
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let node = |seconds_ago: i64, interval: i32| NodeRow {
            seen_at: Some(Timestamp::from_second(1_800_000_000 - seconds_ago).expect("a time")),
            interval_seconds: Some(interval),
            ..NodeRow::default()
        };
        assert_eq!(trouble(&node(60, 5), now), None);
        assert_eq!(trouble(&node(3_000, 5), now), None, "an hour is nothing");
        assert_eq!(trouble(&node(4_000, 5), now).as_deref(), Some("silent"));
        assert_eq!(trouble(&node(5 * 86_400, 86_400), now), None, "a node that measures once a day");
        assert_eq!(trouble(&NodeRow::default(), now).as_deref(), Some("never heard of"));
        let failing = NodeRow { failure: Some("refused".to_owned()), failed_at: Some(now), ..node(60, 5) };
        assert!(trouble(&failing, now).expect("trouble").contains("refused"));
    }
}
