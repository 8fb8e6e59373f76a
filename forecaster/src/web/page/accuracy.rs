//! `GET /accuracy`: did past forecasts come true, over the units that the person sees.

use askama::Template as _;
use axum::extract::State;
use axum::response::Html;

use super::listing::{Cell, ListingPage, Table};
use crate::database::acting;
use crate::database::judged::{self, Accuracy, Horizon, OfResource};
use crate::web::chart::measure::{grouped, percent};
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::{day, words};

/// What a band from P10 to P90 promises.
const PROMISE: &str = "80 %";

/// `GET /accuracy`
pub(crate) async fn page(State(web): State<Web>, who: SignedIn) -> Result<Html<String>, Problem> {
    who.role.require_section("/accuracy")?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let accuracy = judged::accuracy(&transaction, None).await?;
    let horizons = judged::by_horizon(&transaction).await?;
    let resources = judged::by_resource(&transaction).await?;
    drop(transaction);
    let page = ListingPage {
        frame: web.frame(&who, "/accuracy", "/accuracy".to_owned()),
        title: "Did past forecasts come true?",
        intro: vec![
            "Each forecast is made again from what was known on an earlier day alone, and compared with what came.".to_owned(),
            verdict(&accuracy),
        ],
        tables: vec![band(&accuracy), by_horizon(&horizons), what(&resources)],
    };
    Ok(Html(page.render()?))
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), percent)
}

fn verdict(accuracy: &Accuracy) -> String {
    match accuracy.coverage80 {
        Some(coverage) if accuracy.judged > 0 => format!(
            "Of {} forecasts, {} came true inside their band; the band promises {PROMISE}.",
            grouped(accuracy.judged.unsigned_abs()),
            percent(coverage)
        ),
        _ => "No forecast can be judged yet: the table fills with the fleet runs.".to_owned(),
    }
}

fn band(accuracy: &Accuracy) -> Table {
    let row = |name: &str, value: String, meaning: &str| {
        vec![Cell::text(name), Cell::text(value), Cell::text(meaning)]
    };
    let rows = if accuracy.judged == 0 {
        Vec::new()
    } else {
        vec![
            row(
                "Inside P10 – P90",
                share(accuracy.coverage80),
                "80 % is right: more would be too careful, less too bold",
            ),
            row("Earlier than P10", share(accuracy.too_early), "10 % is right: these units surprise"),
            row("Later than P90", share(accuracy.too_late), "10 % is right: these are ordered for too soon"),
            row(
                "Median error of P50",
                share(accuracy.median_error),
                "of the true distance, where the limit was reached",
            ),
            row(
                "Skill against a straight line",
                accuracy.skill.map_or_else(|| "–".to_owned(), |skill| format!("{skill:.2}")),
                "1 is perfect, 0 no better than drift over the last year, below 0 worse",
            ),
        ]
    };
    Table {
        title: "The band".to_owned(),
        note: Some(format!("{} forecasts judged.", grouped(accuracy.judged.unsigned_abs()))),
        columns: vec!["Figure", "Measured", "What it means"],
        rows,
        empty: "Nothing judged yet.",
    }
}

fn by_horizon(horizons: &[Horizon]) -> Table {
    let rows = horizons
        .iter()
        .filter(|horizon| horizon.judged > 0)
        .map(|horizon| {
            let distance = match horizon.below_days {
                Some(below) => format!("{} to {below} days", horizon.from_days),
                None => format!("{} days and more", horizon.from_days),
            };
            vec![
                Cell::text(distance),
                Cell::text(grouped(horizon.judged.unsigned_abs())),
                Cell::text(share(horizon.coverage80)),
                Cell::text(share(horizon.median_error)),
                Cell::text(share(horizon.drift_error)),
            ]
        })
        .collect();
    Table {
        title: "By how far ahead the limit was reached".to_owned(),
        note: Some(
            "Only forecasts whose limit was reached; the error is relative to the true distance.".to_owned(),
        ),
        columns: vec![
            "Reached after",
            "Forecasts",
            "Inside the band",
            "Median error of P50",
            "The straight line's",
        ],
        rows,
        empty: "No limit was reached yet in the time that can be judged.",
    }
}

fn what(resources: &[OfResource]) -> Table {
    let rows = resources
        .iter()
        .map(|of| {
            vec![
                Cell::text(words(&of.resource)),
                Cell::text(of.model.clone()),
                Cell::text(grouped(of.components.unsigned_abs())),
                Cell::text(grouped(of.judged.unsigned_abs())),
                Cell::text(grouped(of.reached.unsigned_abs())),
                Cell::text(format!("{} to {}", day(of.origins.0), day(of.origins.1))),
            ]
        })
        .collect();
    Table {
        title: "What was judged".to_owned(),
        note: None,
        columns: vec!["Resource", "Model", "Components", "Forecasts", "Limit reached", "Made from … to"],
        rows,
        empty: "Nothing judged yet.",
    }
}
