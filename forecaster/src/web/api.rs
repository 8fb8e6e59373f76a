//! The REST interface: the worklist and each unit with the figures of SQL, as JSON. Errors are problem+json (RFC 9457).

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::unit::{head, unit_id};
use super::page::worklist::Filter;
use super::person::SignedIn;
use super::problem::Problem;
use super::state::Web;
use crate::database::plans::{self, PlanRow};
use crate::database::{acting, judged, remarks, unit_page, worklist_page};

/// Rows of one answer where the program does not say how many.
const LIMIT: i64 = 1_000;
/// Most rows of one answer.
const LIMIT_MAX: i64 = 10_000;

/// Which part of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Part {
    limit: String,
    offset: String,
}

fn number(name: &str, text: &str, default: i64, most: i64) -> Result<i64, Problem> {
    match text {
        "" => Ok(default),
        text => text
            .parse::<i64>()
            .ok()
            .filter(|number| (0..=most).contains(number))
            .ok_or_else(|| Problem::Invalid(format!("{name} is a number from 0 to {most}"))),
    }
}

/// `GET /api/v1/units`: the filters and orders of the worklist, and `limit` and `offset`.
pub(crate) async fn units(
    State(web): State<Web>,
    who: SignedIn,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Problem> {
    let selection = filter.selection(Timestamp::now())?;
    let (sort, descending) = filter.sort()?;
    let limit = number("limit", &part.limit, LIMIT, LIMIT_MAX)?;
    let offset = number("offset", &part.offset, 0, i64::from(u32::MAX))?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let units = worklist_page::page(&transaction, &selection, sort, descending, limit, offset).await?;
    let total = worklist_page::totals(&transaction, &selection).await?.units;
    Ok(Json(json!({ "total": total, "units": units })))
}

/// `GET /api/v1/units/{id}`
pub(crate) async fn unit(
    State(web): State<Web>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let unit = unit_id(&id)?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let head = head(&transaction, unit, Timestamp::now()).await?;
    let forecasts = unit_page::forecasts(&transaction, unit).await?;
    let plans = alternatives(&plans::of_unit(&transaction, unit).await?);
    let accuracy = judged::accuracy(&transaction, Some(unit)).await?;
    let remarks = remarks::of_unit(&transaction, unit).await?;
    let components: Vec<Value> = unit_page::components(&transaction, unit)
        .await?
        .into_iter()
        .map(|component| {
            json!({
                "component_id": component.component_id, "kind": component.kind, "label": component.label,
                "specs": component.specs, "made_of": component.providers, "measured_at": component.at,
                "capacity_bytes": component.capacity_bytes, "used_bytes": component.used_bytes,
                "used_source": component.used_source, "utilisation": component.utilisation,
                "endurance_used_percent": component.endurance_used_percent, "absences": component.absences,
            })
        })
        .collect();
    Ok(Json(json!({
        "unit": head, "forecasts": forecasts, "plans": plans, "components": components, "remarks": remarks,
        "accuracy": accuracy,
    })))
}

/// `GET /api/v1/units/{id}/forecast`: every resource with its fan, distribution and reasons.
pub(crate) async fn forecast(
    State(web): State<Web>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let unit = unit_id(&id)?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    head(&transaction, unit, Timestamp::now()).await?;
    let mut forecasts = Vec::new();
    for forecast in unit_page::forecasts(&transaction, unit).await? {
        let detail = unit_page::detail(&transaction, forecast.component_id, forecast.resource).await?;
        let mut both = json!(forecast);
        if let (Some(both), Value::Object(detail)) = (both.as_object_mut(), json!(detail)) {
            both.extend(detail);
        }
        forecasts.push(both);
    }
    Ok(Json(json!({ "unit_id": unit, "forecasts": forecasts })))
}

/// `GET /api/v1/units/{id}/plan`: the alternatives, the suggested one at the head.
pub(crate) async fn plan(
    State(web): State<Web>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let unit = unit_id(&id)?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    head(&transaction, unit, Timestamp::now()).await?;
    let plans = alternatives(&plans::of_unit(&transaction, unit).await?);
    Ok(Json(json!({ "unit_id": unit, "plans": plans })))
}

fn alternatives(plans: &[PlanRow]) -> Vec<Value> {
    let alternative = |plan: &PlanRow| {
        json!({
            "rank": plan.rank, "action": plan.action, "chosen": plan.chosen, "items": plan.items_by_name(),
            "price": plan.price, "currency": plan.currency, "order_by": plan.order_by, "overdue": plan.overdue,
            "lasts_until": plan.lasts_until, "binding_constraint": plan.binding_constraint, "reason": plan.reason,
            "lead_time_days": plan.lead_time_days(),
        })
    };
    plans.iter().map(alternative).collect()
}

/// `GET /api/v1`: where to begin. The shapes of the answers are in the project's documents.
pub(crate) async fn index(_: SignedIn) -> Json<Value> {
    Json(json!({
        "units": "/api/v1/units", "unit": "/api/v1/units/{unit_id}", "forecast": "/api/v1/units/{unit_id}/forecast",
        "plan": "/api/v1/units/{unit_id}/plan",
    }))
}
