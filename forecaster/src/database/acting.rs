//! Transactions in which row-level security sees a person: what forgets to say who asks gets no rows.

use tokio_postgres::{Client, Error, IsolationLevel, Transaction};

/// A transaction that reads as this person, the whole page from one snapshot.
pub(crate) async fn reading(client: &mut Client, person_id: i64) -> Result<Transaction<'_>, Error> {
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    as_person(builder.start().await?, person_id).await
}

/// A transaction that changes things as this person. Nothing is changed before it is committed.
pub(crate) async fn changing(client: &mut Client, person_id: i64) -> Result<Transaction<'_>, Error> {
    as_person(client.build_transaction().start().await?, person_id).await
}

/// The settings end with the transaction. A page's questions are short: compiling their expressions takes longer.
async fn as_person(transaction: Transaction<'_>, person_id: i64) -> Result<Transaction<'_>, Error> {
    let who = person_id.to_string();
    transaction
        .execute("select set_config('fleet.person', $1, true), set_config('jit', 'off', true)", &[&who])
        .await?;
    Ok(transaction)
}
