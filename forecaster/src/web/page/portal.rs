//! `GET /portal`: what leaves a unit and what for; `POST /portal/{customer}/{purpose}` grants or withdraws a purpose.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{Html, Redirect};
use serde::Deserialize;

use crate::database::acting;
use crate::database::portal_page::{self, CustomerConsent, PURPOSES};
use crate::web::frame::Frame;
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::moment;

struct PurposeRow {
    name: &'static str,
    meaning: &'static str,
    granted: bool,
    node: &'static str,
    in_force: bool,
}

struct CustomerCard {
    customer_id: i64,
    name: String,
    purposes: Vec<PurposeRow>,
}

#[derive(Template)]
#[template(path = "portal.html")]
struct PortalPage {
    frame: Frame,
    customers: Vec<CustomerCard>,
    units: Vec<(i64, String, bool)>,
    payload: Option<String>,
    audit: Vec<(String, String, String)>,
}

/// Which unit's data is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shown {
    unit: String,
}

/// `GET /portal`
pub(crate) async fn page(
    State(web): State<Web>,
    who: SignedIn,
    Query(shown): Query<Shown>,
) -> Result<Html<String>, Problem> {
    who.role.require_section("/portal")?;
    let chosen: Option<i64> = match shown.unit.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Problem::NotFound("unit"))?),
    };
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let customers = portal_page::customers(&transaction).await?;
    let units = portal_page::units(&transaction).await?;
    let audit = portal_page::audit(&transaction).await?;
    let payload = match chosen {
        Some(unit) => Some(portal_page::payload(&transaction, unit).await?.ok_or(Problem::NotFound("unit"))?),
        None => None,
    };
    drop(transaction);
    let page = PortalPage {
        frame: web.frame(&who, "/portal", "/portal".to_owned()),
        customers: customers.iter().map(card).collect(),
        units: units.into_iter().map(|(id, name)| (id, name, chosen == Some(id))).collect(),
        payload: payload
            .map(|payload| serde_json::to_string_pretty(&payload))
            .transpose()
            .map_err(anyhow::Error::from)?,
        audit: audit.into_iter().map(|(at, who, what)| (moment(at), who, what)).collect(),
    };
    Ok(Html(page.render()?))
}

fn card(customer: &CustomerConsent) -> CustomerCard {
    const MEANINGS: [&str; 3] = [
        "Keeping the unit running: its state and failures are watched.",
        "Telling its owner when it will run out.",
        "Making offers: a sales representative sees the unit and its forecast.",
    ];
    let purposes =
        PURPOSES.into_iter().zip(MEANINGS).zip(customer.granted.into_iter().zip(customer.nodes_grant));
    CustomerCard {
        customer_id: customer.customer_id,
        name: customer.name.clone(),
        purposes: purposes
            .map(|((name, meaning), (granted, node))| PurposeRow {
                name,
                meaning,
                granted,
                node: match node {
                    Some(true) => "granted by every node",
                    Some(false) => "not granted by every node",
                    None => "no node yet",
                },
                in_force: granted && node != Some(false),
            })
            .collect(),
    }
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Decision {
    granted: String,
}

/// `POST /portal/{customer}/{purpose}`
pub(crate) async fn decide(
    State(web): State<Web>,
    who: SignedIn,
    Path((customer, purpose)): Path<(String, String)>,
    Form(decision): Form<Decision>,
) -> Result<Redirect, Problem> {
    who.role.require_section("/portal")?;
    let customer: i64 = customer.parse().map_err(|_| Problem::NotFound("customer"))?;
    let purpose = PURPOSES.into_iter().find(|known| *known == purpose).ok_or(Problem::NotFound("purpose"))?;
    let granted = match decision.granted.as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(Problem::Invalid("granted is true or false".to_owned())),
    };
    let mut client = web.connection().await?;
    let transaction = acting::changing(&mut client, who.person_id).await?;
    let customers = portal_page::customers(&transaction).await?;
    if !customers.iter().any(|known| known.customer_id == customer) {
        return Err(Problem::NotFound("customer"));
    }
    portal_page::decide(&transaction, customer, purpose, granted, &who.name).await?;
    transaction.commit().await?;
    tracing::info!(customer, purpose, granted, person = who.person_id, "consent was changed");
    Ok(Redirect::to("/portal"))
}
