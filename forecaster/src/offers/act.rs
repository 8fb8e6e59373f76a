//! What a person does with an offer: approve, send, note the answer, withdraw. Pages and the command line call this in a
//! transaction of the person, so row-level security and the database's own rules apply.

use headroom_core::offer::{Event, OfferState, Refused, may_send, transition};
use jiff::{Span, civil::Date};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::letter::{Letter, letter};
use crate::database::{offers, open_offers, outbox};

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Acted {
    /// The offer is in this state now.
    Now(OfferState),
    /// There is no such offer that this person may see.
    Unknown,
    /// It cannot be done; the sentence says why.
    Refused(String),
}

/// Moves an offer on for `who`. Sending puts the message into the outbox in the same transaction.
pub(crate) async fn act(
    transaction: &Transaction<'_>,
    offer_id: i64,
    event: Event,
    who: &str,
    note: &str,
    today: Date,
    valid_days: u16,
) -> anyhow::Result<Acted> {
    let Some(offer) = offers::one(transaction, offer_id).await? else { return Ok(Acted::Unknown) };
    let to = match transition(offer.state, event) {
        Ok(to) => to,
        Err(Refused { state, .. }) => {
            return Ok(Acted::Refused(format!("Offer {offer_id} is {state}: it cannot be {}.", done(event))));
        }
    };
    if event == Event::Draft && offer.contact_email.trim().is_empty() {
        return Ok(Acted::Refused("The user information names no contact.".to_owned()));
    }
    let mut valid_until = None;
    if event == Event::Send {
        let Some(rules) = open_offers::contact_rules(transaction, offer_id).await? else {
            return Ok(Acted::Unknown);
        };
        if let Err(forbidden) = may_send(&rules, today) {
            return Ok(Acted::Refused(format!("Offer {offer_id} is not sent: {forbidden}.")));
        }
        valid_until = Some(today.checked_add(Span::new().days(i64::from(valid_days)))?);
    }
    if !open_offers::moved(transaction, offer_id, offer.state, to, who, note, valid_until).await? {
        return Ok(Acted::Refused(format!(
            "Offer {offer_id} was changed by somebody else at the same moment."
        )));
    }
    if event == Event::Send {
        let lines = offers::lines(transaction, offer_id).await?;
        let Letter { subject, body } = letter(&offers::Offer { valid_until, ..offer.clone() }, &lines);
        outbox::put(transaction, Uuid::now_v7(), offer_id, offer.contact_email.trim(), &subject, &body)
            .await?;
    }
    Ok(Acted::Now(to))
}

fn done(event: Event) -> &'static str {
    match event {
        Event::Draft => "drafted",
        Event::Approve => "approved",
        Event::Send => "sent",
        Event::Accept => "accepted",
        Event::Decline => "declined",
        Event::Expire => "expired",
        Event::Withdraw => "withdrawn",
    }
}
