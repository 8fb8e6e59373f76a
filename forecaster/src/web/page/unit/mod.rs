//! `GET /units/{id}`: one unit, from the sentence that matters to the last component; `POST /units/{id}/ask` reads its
//! node now.
//!
//! | File | What it is for |
//! |---|---|
//! | [`ask`] | the node's answer of this moment |
//! | [`drawn`] | history and forecast of the resource that is looked at |
//! | [`sentences`] | the words: headline, options, facts, earlier forecasts |
//! | [`tree`] | components under what they are made of |
//! | [`unread`] | what the node could not read, and what it says beside the figures |

mod ask;
mod drawn;
mod sentences;
mod tree;
mod unread;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Html, Redirect};
use headroom_core::unit::Resource;
use jiff::Timestamp;
use serde::Deserialize;
use tokio_postgres::GenericClient;

use crate::database::plans::{self, PlanRow};
use crate::database::unit_page::{self, ForecastRow, Surroundings};
use crate::database::worklist_page::{self, Line, Selection, Sort};
use crate::database::{acting, judged, remarks};
use crate::web::frame::Frame;
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::{resource_word, words};
use ask::Asked;
use drawn::Drawn;
use sentences::{JudgedCase, OptionCard};
use tree::Part;
use unread::Unread;

struct Tab {
    name: String,
    address: String,
    current: bool,
}

struct OfferCard {
    offer_id: i64,
    title: String,
    state: String,
    price: String,
    addressee: String,
}

#[derive(Template)]
#[template(path = "unit.html")]
struct UnitPage {
    frame: Frame,
    now: Timestamp,
    head: Line,
    owner: Option<String>,
    can_ask: bool,
    asked: Option<Asked>,
    headline: String,
    accuracy: String,
    tabs: Vec<Tab>,
    shown: Option<Drawn>,
    reason: String,
    why: Vec<String>,
    changed: Vec<String>,
    model: String,
    options: Vec<OptionCard>,
    no_options: &'static str,
    parts: Vec<Part>,
    unread: Vec<Unread>,
    remarks: Vec<String>,
    offers: Vec<OfferCard>,
    sees_offers: bool,
    no_offer: &'static str,
    user: Vec<(&'static str, String)>,
    specs: Vec<(&'static str, String)>,
    past: Vec<(String, String)>,
    cases: Vec<JudgedCase>,
}

/// Which resource of which component is looked at; what binds first where not said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct View {
    resource: String,
    component: String,
}

/// The key in a path. What is no key is no unit: both look the same.
pub(crate) fn unit_id(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::NotFound("unit"))
}

/// `GET /units/{id}`
pub(crate) async fn page(
    State(web): State<Web>,
    who: SignedIn,
    Path(id): Path<String>,
    Query(view): Query<View>,
) -> Result<Html<String>, Problem> {
    Ok(Html(rendered(&web, &who, unit_id(&id)?, &view, None).await?))
}

/// `POST /units/{id}/ask`
pub(crate) async fn ask(
    State(web): State<Web>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    let unit = unit_id(&id)?;
    let asked = ask::now(&web, &who, unit).await?;
    Ok(Html(rendered(&web, &who, unit, &View::default(), Some(asked)).await?))
}

/// `GET /units/{id}/ask`: somebody reloads the answer's address.
pub(crate) async fn asked_before(_: SignedIn, Path(id): Path<String>) -> Result<Redirect, Problem> {
    Ok(Redirect::to(&format!("/units/{}", unit_id(&id)?)))
}

/// The row of a unit; a refusal where the person may not see it.
pub(crate) async fn head(client: &impl GenericClient, unit: i64, now: Timestamp) -> Result<Line, Problem> {
    let selection = Selection { unit: Some(unit), now, ..Selection::default() };
    let rows = worklist_page::page(client, &selection, Sort::default(), false, 1, 0).await?;
    rows.into_iter().next().ok_or(Problem::NotFound("unit"))
}

async fn rendered(
    web: &Web,
    who: &SignedIn,
    unit: i64,
    view: &View,
    asked: Option<Asked>,
) -> Result<String, Problem> {
    let now = Timestamp::now();
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let head = head(&transaction, unit, now).await?;
    let around = unit_page::surroundings(&transaction, unit).await?.ok_or(Problem::NotFound("unit"))?;
    let forecasts = unit_page::forecasts(&transaction, unit).await?;
    let plans = plans::of_unit(&transaction, unit).await?;
    let components = unit_page::components(&transaction, unit).await?;
    let remarked = remarks::of_unit(&transaction, unit).await?;
    let offers = unit_page::offers(&transaction, unit).await?;
    let judged = judged::accuracy(&transaction, Some(unit)).await?;
    let looked_at = looked_at(&forecasts, view)?;
    let chosen = plans.iter().find(|plan| plan.chosen);
    let (mut shown, mut detail, mut past, mut cases) =
        (None, unit_page::Detail::default(), Vec::new(), Vec::new());
    if let Some(forecast) = looked_at {
        detail = unit_page::detail(&transaction, forecast.component_id, forecast.resource).await?;
        let history = unit_page::history(
            &transaction,
            forecast.component_id,
            forecast.resource,
            forecast.as_of.max(now),
        )
        .await?;
        shown = Some(drawn::forecast(forecast, &detail.fan, &history, order_day(&head, forecast), now));
        past = unit_page::earlier(&transaction, forecast.component_id, forecast.resource).await?;
        cases = judged::cases(&transaction, forecast.component_id, forecast.resource).await?;
    } else if let Some((component, resource)) = drawn::first_measured(&components) {
        let history = unit_page::history(&transaction, component.component_id, resource, now).await?;
        shown = Some(drawn::history_alone(component, resource, &history, now));
    }
    drop(transaction);

    let current = looked_at.map(|forecast| (forecast.component_id, forecast.resource));
    let (changed, why): (Vec<_>, Vec<_>) =
        detail.why.iter().partition(|factor| factor.kind == "change" || factor.kind == "changed");
    let measure = looked_at.map(drawn::measure);
    let page = UnitPage {
        frame: web.frame(who, "/", address(unit, view)),
        now,
        owner: around.contact_name.clone().filter(|name| !name.is_empty() && who.role.sees_contacts()),
        can_ask: who.role.may_ask() && around.node_id.is_some() && around.address.is_some(),
        headline: sentences::headline(&head, chosen, &around),
        accuracy: sentences::accuracy(&judged),
        tabs: tabs(unit, &forecasts, current),
        reason: looked_at
            .map_or_else(|| head.reason_sentence().to_owned(), |forecast| forecast.reason.clone()),
        why: why.iter().map(|factor| sentences::factor(factor)).collect(),
        changed: changed.iter().map(|factor| sentences::factor(factor)).collect(),
        model: looked_at.map(sentences::model).unwrap_or_default(),
        options: plans.iter().map(sentences::option).collect(),
        no_options: "Nothing has to be bought for this unit.",
        parts: tree::parts(&components, now),
        unread: unread::unread(&components),
        remarks: unread::remarks(&remarked, &components),
        offers: offers.iter().map(offer_card).collect(),
        sees_offers: who.role.sees_contacts(),
        no_offer: no_offer(chosen, &around),
        user: sentences::user(&around, who.role, now),
        specs: sentences::specs(&head, &around, &components),
        past: past.iter().map(sentences::earlier).collect(),
        cases: measure
            .map(|measure| cases.iter().map(|case| sentences::case(case, measure)).collect())
            .unwrap_or_default(),
        shown,
        asked,
        head,
    };
    Ok(page.render()?)
}

fn looked_at<'a>(forecasts: &'a [ForecastRow], view: &View) -> Result<Option<&'a ForecastRow>, Problem> {
    if view.resource.is_empty() && view.component.is_empty() {
        return Ok(forecasts.first());
    }
    let resource: Option<Resource> = match view.resource.as_str() {
        "" => None,
        name => Some(name.parse().map_err(|_| Problem::NotFound("resource"))?),
    };
    let component: Option<i64> = match view.component.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Problem::NotFound("component"))?),
    };
    let found = forecasts.iter().find(|forecast| {
        resource.is_none_or(|resource| resource == forecast.resource)
            && component.is_none_or(|component| component == forecast.component_id)
    });
    found.map(Some).ok_or(Problem::NotFound("forecast"))
}

/// The order-by mark belongs to the forecast that the plan answers.
fn order_day(head: &Line, forecast: &ForecastRow) -> Option<Timestamp> {
    let is_binding =
        head.component_id == Some(forecast.component_id) && head.row.resource == Some(forecast.resource);
    head.row.order_by.filter(|_| is_binding)
}

fn address(unit: i64, view: &View) -> String {
    let mut address = format!("/units/{unit}");
    let mut separator = '?';
    for (name, value) in [("component", &view.component), ("resource", &view.resource)] {
        if !value.is_empty() {
            address.push(separator);
            address.push_str(&format!("{name}={}", crate::web::query_value::percent_encoded(value)));
            separator = '&';
        }
    }
    address
}

fn tabs(unit: i64, forecasts: &[ForecastRow], current: Option<(i64, Resource)>) -> Vec<Tab> {
    let components: std::collections::BTreeSet<i64> =
        forecasts.iter().map(|forecast| forecast.component_id).collect();
    forecasts
        .iter()
        .map(|forecast| {
            let part = forecast.component.clone().unwrap_or_else(|| words(&forecast.component_kind));
            let word = resource_word(forecast.resource);
            Tab {
                name: if components.len() > 1 { format!("{word} of {part}") } else { word.to_owned() },
                address: format!(
                    "/units/{unit}?component={}&resource={}",
                    forecast.component_id,
                    forecast.resource.as_str()
                ),
                current: current == Some((forecast.component_id, forecast.resource)),
            }
        })
        .collect()
}

fn offer_card(offer: &unit_page::UnitOffer) -> OfferCard {
    OfferCard {
        offer_id: offer.offer_id,
        title: match offer.units {
            1 => format!("Offer {}", offer.offer_id),
            units => format!("Offer {} for {units} units", offer.offer_id),
        },
        state: offer.state.clone(),
        price: crate::web::line::money(offer.price, &offer.currency),
        addressee: match offer.contact_name.as_str() {
            "" => "addressee not known yet".to_owned(),
            name => format!("to {name}"),
        },
    }
}

fn no_offer(chosen: Option<&PlanRow>, around: &Surroundings) -> &'static str {
    let needs_order = chosen.is_some_and(|plan| plan.order_by.is_some());
    if !needs_order {
        "Nothing to offer: no order is needed."
    } else if around.customer.is_none() {
        "No offer: this unit is matched to no customer yet."
    } else if !around.granted.iter().any(|purpose| purpose == "sales") {
        "No offer: the sales purpose is not granted by both sides. The customer sees the forecast."
    } else {
        "No offer yet: it is drafted with the next run."
    }
}
