//! Messages to be sent, written in the transaction of what they tell.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Transaction};
use uuid::Uuid;

/// A message that waits.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its key, and the message's id.
    pub(crate) id: Uuid,
    /// About which offer.
    pub(crate) offer: Option<i64>,
    /// To whom.
    pub(crate) recipient: String,
    /// Subject.
    pub(crate) subject: String,
    /// Text.
    pub(crate) body: String,
    /// Tries so far.
    pub(crate) tries: i16,
}

/// Puts a message in. Its id is the caller's: a retried transaction does not put it in twice.
pub(crate) async fn put(
    client: &impl GenericClient,
    id: Uuid,
    offer: i64,
    recipient: &str,
    subject: &str,
    body: &str,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.outbox (message_id, offer_id, recipient, subject, body) values ($1, $2, $3, $4, $5)",
            &[&id, &offer, &recipient, &subject, &body],
        )
        .await?;
    Ok(())
}

/// The message that is due first, not locked; `after` skips those that were looked at already.
pub(crate) async fn first_due(
    client: &impl GenericClient,
    now: Timestamp,
    after: &[Uuid],
) -> Result<Option<Message>, Error> {
    let row = client
        .query_opt(
            "select message_id, offer_id, recipient, subject, body, tries from fleet.outbox
              where sent_at is null and next_try_at <= $1 and message_id <> all ($2)
              order by next_try_at, message_id limit 1",
            &[&now, &after],
        )
        .await?;
    Ok(row.map(|row| Message {
        id: row.get(0),
        offer: row.get(1),
        recipient: row.get(2),
        subject: row.get(3),
        body: row.get(4),
        tries: row.get(5),
    }))
}

/// What a sender finds when it takes hold of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It is ours until the transaction ends, and may go out.
    MayGo,
    /// It is ours, and must not go out any more.
    MustNot,
    /// Another service has it or had it.
    Taken,
}

/// Takes hold of a message. The customer is locked first, in the order in which a withdrawal of consent locks: the
/// withdrawal waits for the end of the sending, and what was withdrawn before does not go out.
pub(crate) async fn hold(transaction: &Transaction<'_>, message: &Message) -> Result<Held, Error> {
    transaction
        .execute(
            "select from fleet.customers c join fleet.offers o using (customer_id) where o.offer_id = $1 for no key update of c",
            &[&message.offer],
        )
        .await?;
    let row = transaction
        .query_opt(
            "select m.offer_id is null or exists (
                        select from fleet.offers o join fleet.customers c using (customer_id)
                         where o.offer_id = m.offer_id and o.state = 'sent' and not c.no_contact
                           and (select bool_and(fleet.unit_consent(i.unit_id, 'sales')) from fleet.offer_items i
                                 where i.offer_id = o.offer_id))
               from fleet.outbox m where m.message_id = $1 and m.sent_at is null for update of m skip locked",
            &[&message.id],
        )
        .await?;
    Ok(match row.map(|row| row.get::<_, bool>(0)) {
        Some(true) => Held::MayGo,
        Some(false) => Held::MustNot,
        None => Held::Taken,
    })
}

/// It was taken by the mail server.
pub(crate) async fn sent(client: &impl GenericClient, id: Uuid, at: Timestamp) -> Result<(), Error> {
    client
        .execute(
            "update fleet.outbox set sent_at = $2, tries = tries + 1, failure = null where message_id = $1",
            &[&id, &at],
        )
        .await?;
    Ok(())
}

/// It was not; `again` says when it is tried next.
pub(crate) async fn failed(
    client: &impl GenericClient,
    id: Uuid,
    why: &str,
    again: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "update fleet.outbox set next_try_at = $3, tries = least(tries + 1, 1000), failure = $2 where message_id = $1",
            &[&id, &why, &again],
        )
        .await?;
    Ok(())
}

/// It must not go out any more.
pub(crate) async fn drop_message(client: &impl GenericClient, id: Uuid) -> Result<(), Error> {
    client.execute("delete from fleet.outbox where message_id = $1 and sent_at is null", &[&id]).await?;
    Ok(())
}

/// How many messages wait.
pub(crate) async fn waiting(client: &impl GenericClient) -> Result<i64, Error> {
    Ok(client.query_one("select count(*) from fleet.outbox where sent_at is null", &[]).await?.get(0))
}
