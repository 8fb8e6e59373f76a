//! `GET /offers`, `GET /offers/{id}` and what a person does with an offer: `POST /offers/{id}/{step}`.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{Html, Redirect};
use headroom_core::offer::{Event, OfferState};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::listing::{Cell, ListingPage, Table};
use crate::database::acting;
use crate::database::offers::{self, Offer};
use crate::offers::{Acted, act, letter};
use crate::web::frame::Frame;
use crate::web::line::money;
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::role::Role;
use crate::web::state::Web;
use crate::web::wording::{ago, moment, words};

/// Longest reason, characters.
const REASON_MAX: usize = 500;

/// `GET /offers`
pub(crate) async fn list(State(web): State<Web>, who: SignedIn) -> Result<Html<String>, Problem> {
    who.role.require_section("/offers")?;
    let now = Timestamp::now();
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let offers = offers::list(&transaction).await?;
    drop(transaction);
    let table = |title: &str, open: bool, empty: &'static str| Table {
        title: title.to_owned(),
        note: None,
        columns: vec!["Offer", "State", "Customer", "Addressee", "Order by", "Units", "Price", "Changed"],
        rows: offers
            .iter()
            .filter(|offer| offer.state.is_open() == open)
            .map(|offer| row(offer, now))
            .collect(),
        empty,
    };
    let page = ListingPage {
        frame: web.frame(&who, "/offers", "/offers".to_owned()),
        title: "Offers",
        intro: vec![match who.role {
            Role::Customer => "What was sent to you.".to_owned(),
            _ => "Drafted where a unit needs an order and both sides grant the sales purpose; withdrawn when the need is gone.".to_owned(),
        }],
        tables: vec![table("Open", true, "No open offer."), table("Ended", false, "None has ended yet.")],
    };
    Ok(Html(page.render()?))
}

fn row(offer: &Offer, now: Timestamp) -> Vec<Cell> {
    vec![
        Cell::link(format!("Offer {}", offer.offer_id), format!("/offers/{}", offer.offer_id)),
        Cell::text(offer.state.as_str()),
        Cell::text(offer.customer.clone()),
        Cell::text(or_unknown(&offer.contact_name)),
        Cell::text(day(offer.order_by)),
        Cell::text(offer.units.to_string()),
        Cell::text(money(offer.price, &offer.currency)),
        Cell::text(ago(offer.changed_at, now)),
    ]
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { "not known".to_owned() } else { text.to_owned() }
}

fn day(date: Option<jiff::civil::Date>) -> String {
    date.map_or_else(|| "–".to_owned(), |date| date.strftime("%-d %b %Y").to_string())
}

/// A step that a person may take.
struct Step {
    name: &'static str,
    label: &'static str,
    event: Event,
    asks_reason: bool,
    primary: bool,
}

const STEPS: [Step; 6] = [
    Step { name: "draft", label: "Draft", event: Event::Draft, asks_reason: false, primary: true },
    Step { name: "approve", label: "Approve", event: Event::Approve, asks_reason: false, primary: true },
    Step { name: "send", label: "Send", event: Event::Send, asks_reason: false, primary: true },
    Step { name: "accept", label: "Accepted", event: Event::Accept, asks_reason: true, primary: true },
    Step { name: "decline", label: "Declined", event: Event::Decline, asks_reason: true, primary: false },
    Step { name: "withdraw", label: "Withdraw", event: Event::Withdraw, asks_reason: true, primary: false },
];

/// The steps that this role may take from this state. Core's machine says which there are.
fn steps(role: Role, state: OfferState) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(move |step| {
        headroom_core::offer::transition(state, step.event).is_ok()
            && match role {
                Role::Admin | Role::Sales => true,
                Role::Customer => matches!(step.event, Event::Accept | Event::Decline),
                Role::Reader => false,
            }
    })
}

struct Head {
    offer_id: i64,
    title: String,
    customer: String,
    state: &'static str,
    price: String,
    text: Option<String>,
}

struct LineRow {
    unit_id: i64,
    unit: String,
    product: String,
    quantity: i16,
    price: String,
}

#[derive(Template)]
#[template(path = "offer.html")]
struct OfferPage {
    frame: Frame,
    offer: Head,
    steps: Vec<&'static Step>,
    lines: Vec<LineRow>,
    facts: Vec<(&'static str, String)>,
    life: Vec<String>,
}

fn offer_id(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::NotFound("offer"))
}

/// `GET /offers/{id}`
pub(crate) async fn one(
    State(web): State<Web>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    who.role.require_section("/offers")?;
    let id = offer_id(&id)?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let offer = offers::one(&transaction, id).await?.ok_or(Problem::NotFound("offer"))?;
    let lines = offers::lines(&transaction, id).await?;
    let events = offers::events(&transaction, id).await?;
    drop(transaction);
    let text = (who.role != Role::Customer || offer.state != OfferState::Withdrawn).then(|| {
        let letter = letter(&offer, &lines);
        format!("Subject: {}\n\n{}", letter.subject, letter.body)
    });
    let mut facts = vec![
        ("Addressee", or_unknown(&offer.contact_name)),
        ("Mail", or_unknown(&offer.contact_email)),
        ("Order by", day(offer.order_by)),
        ("Made", moment(offer.made_at)),
    ];
    if let Some(until) = offer.valid_until {
        facts.push(("Valid until", day(Some(until))));
    }
    if let Some(reason) = offer.outcome_reason.clone().filter(|reason| !reason.is_empty()) {
        facts.push(("Reason", reason));
    }
    let page = OfferPage {
        frame: web.frame(&who, "/offers", format!("/offers/{id}")),
        steps: steps(who.role, offer.state).collect(),
        lines: lines
            .iter()
            .map(|line| LineRow {
                unit_id: line.unit_id,
                unit: line.unit.clone(),
                product: format!(
                    "{} ({}), {} for {}",
                    line.product,
                    line.sku,
                    words(&line.action),
                    line.resource.replace('_', " ")
                ),
                quantity: line.quantity,
                price: money(line.price, &offer.currency),
            })
            .collect(),
        life: events
            .iter()
            .map(|event| {
                let note = if event.note.is_empty() { String::new() } else { format!(": {}", event.note) };
                format!("{}: {} by {}{note}", moment(event.happened_at), event.to_state, event.who)
            })
            .collect(),
        offer: Head {
            offer_id: id,
            title: match offer.units {
                1 => format!("Offer {id} for one unit"),
                units => format!("Offer {id} for {units} units"),
            },
            customer: offer.customer.clone(),
            state: offer.state.as_str(),
            price: money(offer.price, &offer.currency),
            text,
        },
        facts,
    };
    Ok(Html(page.render()?))
}

/// What the form of a step sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StepForm {
    state: String,
    reason: String,
}

/// `POST /offers/{id}/{step}`
pub(crate) async fn step(
    State(web): State<Web>,
    who: SignedIn,
    Path((id, step)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> Result<Redirect, Problem> {
    who.role.require_section("/offers")?;
    let id = offer_id(&id)?;
    let event = STEPS.iter().find(|known| known.name == step).ok_or(Problem::NotFound("step"))?.event;
    let note: String = form.reason.chars().filter(|letter| *letter != '\0').take(REASON_MAX).collect();
    let mut client = web.connection().await?;
    let transaction = acting::changing(&mut client, who.person_id).await?;
    let offer = offers::one(&transaction, id).await?.ok_or(Problem::NotFound("offer"))?;
    if offer.state.as_str() != form.state {
        let now = offer.state;
        return Err(Problem::Conflict(format!(
            "Offer {id} is {now} by now: look at it again before you decide."
        )));
    }
    if !steps(who.role, offer.state).any(|step| step.event == event) {
        return Err(Problem::Conflict(format!(
            "Offer {id} is {}: this cannot be done to it by your role.",
            offer.state
        )));
    }
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let valid_days = web.settings().offers_valid_days;
    match act(&transaction, id, event, &who.name, note.trim(), today, valid_days).await.map_err(forbidden)? {
        Acted::Now(state) => {
            transaction.commit().await.map_err(|error| forbidden(error.into()))?;
            tracing::info!(offer = id, person = who.person_id, %state, "an offer was moved");
            Ok(Redirect::to(&format!("/offers/{id}")))
        }
        Acted::Unknown => Err(Problem::NotFound("offer")),
        Acted::Refused(why) => Err(Problem::Conflict(why)),
    }
}

/// What the database's own rules refuse is said in their words: RM002 consent and contact, RM003 the life of an offer.
fn forbidden(error: anyhow::Error) -> Problem {
    let database = error.chain().find_map(|cause| cause.downcast_ref::<tokio_postgres::Error>());
    match database.and_then(tokio_postgres::Error::as_db_error) {
        Some(refusal) if matches!(refusal.code().code(), "RM002" | "RM003") => {
            Problem::Conflict(format!("{}. {}", refusal.message(), refusal.hint().unwrap_or_default()))
        }
        Some(refusal) if refusal.code() == &tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE => {
            Problem::Forbidden("your role does not allow this".to_owned())
        }
        _ => Problem::Internal(error),
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::offer::OfferState;

    use super::steps;
    use crate::web::role::Role;

    fn names(role: Role, state: OfferState) -> Vec<&'static str> {
        steps(role, state).map(|step| step.name).collect()
    }

    #[test]
    fn each_role_is_offered_the_steps_that_are_its_own() {
        assert_eq!(names(Role::Sales, OfferState::Drafted), ["approve", "withdraw"]);
        assert_eq!(names(Role::Admin, OfferState::Sent), ["accept", "decline", "withdraw"]);
        assert_eq!(names(Role::Customer, OfferState::Sent), ["accept", "decline"]);
        assert_eq!(names(Role::Customer, OfferState::Drafted), Vec::<&str>::new());
        for state in OfferState::ALL {
            assert_eq!(names(Role::Reader, state), Vec::<&str>::new());
            assert!(state.is_open() || names(Role::Admin, state).is_empty(), "{state}");
        }
    }
}
