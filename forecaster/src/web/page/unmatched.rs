//! `GET /unmatched`: what nodes see and nobody has sold; `POST /unmatched/{unit}` says which sale it is.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{Html, Redirect};
use jiff::Timestamp;
use serde::Deserialize;

use crate::database::{acting, matching, unmatched_page};
use crate::web::frame::Frame;
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::ago;

struct FoundRow {
    unit_id: i64,
    name: String,
    identity: String,
    customer: String,
    why: String,
    since: String,
}

#[derive(Template)]
#[template(path = "unmatched.html")]
struct UnmatchedPage {
    frame: Frame,
    found: Vec<FoundRow>,
    sales: Vec<(i64, String)>,
}

/// `GET /unmatched`
pub(crate) async fn page(State(web): State<Web>, who: SignedIn) -> Result<Html<String>, Problem> {
    who.role.require_section("/unmatched")?;
    let now = Timestamp::now();
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let found = unmatched_page::found(&transaction).await?;
    let sales = unmatched_page::unseen_sales(&transaction).await?;
    drop(transaction);
    let rows = found.into_iter().map(|unit| FoundRow {
        unit_id: unit.unit_id,
        name: unit.name,
        identity: match (unit.model, unit.serial) {
            (None, None) => "names neither model nor serial number".to_owned(),
            (model, serial) => [model, serial].into_iter().flatten().collect::<Vec<_>>().join(" · "),
        },
        customer: unit.customer.unwrap_or_else(|| "nobody's node".to_owned()),
        why: unit.unmatched.unwrap_or_else(|| "no sold unit has its serial number or identity".to_owned()),
        since: ago(unit.discovered_at, now),
    });
    let page = UnmatchedPage {
        frame: web.frame(&who, "/unmatched", "/unmatched".to_owned()),
        found: rows.collect(),
        sales,
    };
    Ok(Html(page.render()?))
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    sale: String,
}

/// `POST /unmatched/{unit}`
pub(crate) async fn choose(
    State(web): State<Web>,
    who: SignedIn,
    Path(unit): Path<String>,
    Form(choice): Form<Choice>,
) -> Result<Redirect, Problem> {
    who.role.require_section("/unmatched")?;
    let unit: i64 = unit.parse().map_err(|_| Problem::NotFound("unit"))?;
    let sale: i64 = choice.sale.parse().map_err(|_| Problem::Invalid("choose a sale".to_owned()))?;
    let mut client = web.connection().await?;
    let transaction = acting::changing(&mut client, who.person_id).await?;
    let found = unmatched_page::found(&transaction).await?;
    let sales = unmatched_page::unseen_sales(&transaction).await?;
    if !found.iter().any(|found| found.unit_id == unit) {
        return Err(Problem::NotFound("unit"));
    }
    if !sales.iter().any(|(known, _)| *known == sale) {
        return Err(Problem::Conflict("This sale is seen by a node by now: choose another.".to_owned()));
    }
    matching::adopt(&transaction, unit, sale, Timestamp::now()).await?;
    transaction.commit().await?;
    tracing::info!(unit, sale, person = who.person_id, "a unit was matched to its sale");
    Ok(Redirect::to(&format!("/units/{unit}")))
}
