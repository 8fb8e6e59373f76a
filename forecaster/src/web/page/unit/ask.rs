//! *Ask the unit now*: the node's answer of this moment, read over the network. Nothing of it comes from the database.

use headroom_core::exchange::{Answer, Placement};
use headroom_core::unit::{Component, UnitReport};
use jiff::Timestamp;

use super::head;
use crate::database::{acting, unit_page};
use crate::terminal::TerminalError;
use crate::web::chart::measure::percent;
use crate::web::line::{exact_bytes, size};
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::{moment, words};

/// A component in the answer.
pub(super) struct AskedRow {
    pub(super) component: String,
    pub(super) specs: String,
    pub(super) used: String,
    pub(super) exact: String,
    pub(super) capacity: String,
    pub(super) load: String,
    pub(super) at: String,
}

/// The answer, or why there is none.
pub(super) struct Asked {
    pub(super) refused: bool,
    pub(super) heading: &'static str,
    pub(super) sentence: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) rows: Vec<AskedRow>,
}

/// Reads the node of a unit that the person sees. What goes wrong at the node's side is an answer too.
pub(super) async fn now(web: &Web, who: &SignedIn, unit: i64) -> Result<Asked, Problem> {
    if !who.role.may_ask() {
        return Err(Problem::Forbidden(format!("the role {} has no unit read live", who.role.as_str())));
    }
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    head(&transaction, unit, Timestamp::now()).await?;
    let around = unit_page::surroundings(&transaction, unit).await?.ok_or(Problem::NotFound("unit"))?;
    drop(transaction);
    drop(client);
    let (Some(node), Some(address), Some(key)) = (around.node_id, around.address, around.node_key) else {
        return Ok(refusal("This unit's node has no read API: it pushes on its own schedule.".to_owned()));
    };
    match web.hub().ask_now(node, &address).await {
        Ok(answer) => Ok(match answer.units.iter().find(|report| report.key.0 == key) {
            Some(report) => told(&answer, report, who),
            None => refusal(format!(
                "The node answered at {}, and no longer sees this unit.",
                moment(answer.answered_at)
            )),
        }),
        Err(error) => {
            tracing::warn!(unit, error = format!("{error:#}"), "a unit did not answer");
            Ok(refusal(reason(&error)))
        }
    }
}

/// Without addresses: they are the operator's to know.
fn reason(error: &anyhow::Error) -> String {
    let said = match error.downcast_ref::<TerminalError>() {
        Some(TerminalError::Connect { .. }) => "Its node cannot be reached.",
        Some(TerminalError::Handshake { .. }) => {
            "Its node and this hub do not accept each other's certificates."
        }
        Some(TerminalError::TimedOut { .. }) => "Its node did not answer in time.",
        Some(TerminalError::Refused { detail, .. }) => return format!("Its node refused: {detail}."),
        Some(TerminalError::Malformed { .. }) => "Its node answered something that cannot be understood.",
        Some(_) | None => "The conversation with its node broke off.",
    };
    format!("{said} What is shown below is the last that is known; no data is lost.")
}

fn refusal(sentence: String) -> Asked {
    Asked { refused: true, heading: "The unit did not answer", sentence, facts: Vec::new(), rows: Vec::new() }
}

fn told(answer: &Answer, report: &UnitReport, who: &SignedIn) -> Asked {
    let placement = match answer.description.placement {
        Placement::Host => "on the host above the unit",
        Placement::Peripheral => "in the unit itself",
    };
    let user = &answer.user;
    let mut facts = vec![("Node runs", placement.to_owned())];
    let mut add = |name, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push((name, value.to_owned()));
        }
    };
    add("Organisation", Some(&user.organisation));
    add("Site", user.site.as_deref());
    if who.role.sees_contacts() {
        add("Contact", user.contact.as_ref().map(|contact| contact.name.as_str()));
        add("Mail", user.contact.as_ref().map(|contact| contact.email.as_str()));
    }
    let granted =
        [("support", user.consent.support), ("advice", user.consent.advice), ("sales", user.consent.sales)];
    let granted: Vec<&str> =
        granted.into_iter().filter(|(_, granted)| *granted).map(|(name, _)| name).collect();
    add(
        "Node's owner grants",
        Some(&if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") }),
    );
    add("Program", Some(&answer.description.software));
    Asked {
        refused: false,
        heading: "The unit answered",
        sentence: format!(
            "Read from the unit's own node over the network, {placement}, at {}. Nothing here comes from the hub's database.",
            moment(answer.answered_at)
        ),
        rows: report.components.iter().map(|component| row(answer, component)).collect(),
        facts,
    }
}

fn row(answer: &Answer, component: &Component) -> AskedRow {
    let kind = crate::web::wording::words(&kind_name(component));
    let name = kind_name(component);
    let sample = answer
        .status
        .iter()
        .filter(|sample| sample.component == component.key)
        .max_by_key(|sample| sample.at);
    let status = sample.map(|sample| &sample.status);
    let bytes =
        |bytes: Option<headroom_core::quantity::Bytes>| bytes.and_then(|bytes| i64::try_from(bytes.0).ok());
    let capacity = status
        .and_then(|status| bytes(status.capacity_bytes))
        .or_else(|| bytes(component.specs.capacity_bytes));
    let used = status.and_then(|status| bytes(status.used_bytes));
    let specs = &component.specs;
    let made: Vec<&str> =
        [&specs.vendor, &specs.model, &specs.serial, &specs.firmware, &specs.interface, &specs.format]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
    AskedRow {
        component: component
            .label
            .clone()
            .map_or_else(|| kind.clone(), |label| format!("{label} ({})", kind.to_lowercase())),
        specs: if made.is_empty() { "–".to_owned() } else { made.join(", ") },
        used: used.map_or_else(|| "not reported".to_owned(), |used| size(used, &name)),
        exact: used.map(exact_bytes).unwrap_or_default(),
        capacity: capacity.map_or_else(|| "not reported".to_owned(), |capacity| size(capacity, &name)),
        load: status
            .and_then(|status| status.utilisation)
            .map_or_else(|| "–".to_owned(), |share| format!("{} busy", percent(share))),
        at: sample.map_or_else(|| "not measured".to_owned(), |sample| moment(sample.at)),
    }
}

fn kind_name(component: &Component) -> String {
    match serde_json::to_value(component.kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => words("component"),
    }
}
