//! People who sign in to the web view or connect to the database.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Key.
    pub(crate) person_id: i64,
    /// Name.
    pub(crate) name: String,
    /// admin, sales, customer or reader.
    pub(crate) role: String,
    /// A representative's territory; `None` for all.
    pub(crate) territory_id: Option<i64>,
    /// Whom a person of role customer speaks for.
    pub(crate) customer_id: Option<i64>,
}

/// What a sign-in is checked against.
#[derive(Debug, Clone)]
pub(crate) struct SignIn {
    /// Key.
    pub(crate) person_id: i64,
    /// Name.
    pub(crate) name: String,
    /// admin, sales, customer or reader.
    pub(crate) role: String,
    /// Argon2 hash in PHC form.
    pub(crate) password_hash: String,
}

/// A person as `headroom user list` shows them.
#[derive(Debug, Serialize)]
pub(crate) struct PersonRow {
    /// Key.
    pub(crate) person_id: i64,
    /// Name.
    pub(crate) name: String,
    /// What they sign in with.
    pub(crate) email: String,
    /// admin, sales, customer or reader.
    pub(crate) role: String,
    /// Territory, where the role is bound to one.
    pub(crate) territory: Option<String>,
    /// The customer they speak for, by reference.
    pub(crate) customer: Option<String>,
    /// Their role in the database.
    pub(crate) database_role: Option<String>,
    /// May not sign in.
    pub(crate) disabled: bool,
    /// Since when.
    pub(crate) made_at: Timestamp,
}

/// A person to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewPerson<'a> {
    /// Name.
    pub(crate) name: &'a str,
    /// What they sign in with.
    pub(crate) email: &'a str,
    /// admin, sales, customer or reader.
    pub(crate) role: &'a str,
    /// Argon2 hash in PHC form.
    pub(crate) password_hash: &'a str,
    /// Territory by name.
    pub(crate) territory: Option<&'a str>,
    /// Customer by reference.
    pub(crate) customer: Option<&'a str>,
    /// Their role in the database.
    pub(crate) database_role: Option<&'a str>,
}

/// The person that a session belongs to, while it is neither idle nor old. `awake` notes that it was used.
pub(crate) async fn of_session(
    client: &impl GenericClient,
    token_sha256: &[u8],
    idle_minutes: i32,
    age_minutes: i32,
    awake: bool,
) -> Result<Option<Person>, Error> {
    let row = client
        .query_opt(
            "select person_id, name, role, territory_id, customer_id
               from fleet.person_of_session($1, now(), make_interval(mins => $2), make_interval(mins => $3), $4)",
            &[&token_sha256, &idle_minutes, &age_minutes, &awake],
        )
        .await?;
    Ok(row.map(|row| Person {
        person_id: row.get(0),
        name: row.get(1),
        role: row.get(2),
        territory_id: row.get(3),
        customer_id: row.get(4),
    }))
}

/// What a password is checked against; `None` for somebody unknown or disabled.
pub(crate) async fn for_sign_in(client: &impl GenericClient, email: &str) -> Result<Option<SignIn>, Error> {
    let row = client
        .query_opt("select person_id, name, role, password_hash from fleet.person_for_sign_in($1)", &[&email])
        .await?;
    Ok(row.map(|row| SignIn {
        person_id: row.get(0),
        name: row.get(1),
        role: row.get(2),
        password_hash: row.get(3),
    }))
}

/// Begins a session.
pub(crate) async fn begin_session(
    client: &impl GenericClient,
    token_sha256: &[u8],
    person_id: i64,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.sessions (token_sha256, person_id, made_at, seen_at) values ($1, $2, now(), now())",
            &[&token_sha256, &person_id],
        )
        .await?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn end_session(client: &impl GenericClient, token_sha256: &[u8]) -> Result<(), Error> {
    client.execute("delete from fleet.sessions where token_sha256 = $1", &[&token_sha256]).await?;
    Ok(())
}

/// Forgets sessions that nobody can use any more.
pub(crate) async fn forget_sessions(
    client: &impl GenericClient,
    idle_before: Timestamp,
    made_before: Timestamp,
) -> Result<u64, Error> {
    client
        .execute(
            "delete from fleet.sessions where seen_at < $1 or made_at < $2",
            &[&idle_before, &made_before],
        )
        .await
}

/// Makes a person. False where the territory or the customer does not exist.
pub(crate) async fn add(client: &impl GenericClient, person: &NewPerson<'_>) -> Result<bool, Error> {
    let added = client
        .execute(
            "insert into fleet.people (name, email, role, password_hash, territory_id, customer_id, database_role)
             select $1, $2, $3, $4, t.territory_id, c.customer_id, $7::text::name
               from (select 1) one
               left join fleet.territories t on t.name = $5
               left join fleet.customers c on c.reference = $6
              where ($5::text is null or t.territory_id is not null)
                and ($6::text is null or c.customer_id is not null)",
            &[
                &person.name,
                &person.email,
                &person.role,
                &person.password_hash,
                &person.territory,
                &person.customer,
                &person.database_role,
            ],
        )
        .await?;
    Ok(added > 0)
}

/// Everybody.
pub(crate) async fn list(client: &impl GenericClient) -> Result<Vec<PersonRow>, Error> {
    let rows = client
        .query(
            "select p.person_id, p.name, p.email, p.role, t.name, c.reference, p.database_role::text, p.disabled, p.made_at
               from fleet.people p
               left join fleet.territories t on t.territory_id = p.territory_id
               left join fleet.customers c on c.customer_id = p.customer_id
              order by p.person_id",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| PersonRow {
            person_id: row.get(0),
            name: row.get(1),
            email: row.get(2),
            role: row.get(3),
            territory: row.get(4),
            customer: row.get(5),
            database_role: row.get(6),
            disabled: row.get(7),
            made_at: row.get(8),
        })
        .collect())
}

/// Gives a person another password, and ends their sessions. False where there is nobody of this name.
pub(crate) async fn set_password(
    client: &impl GenericClient,
    email: &str,
    password_hash: &str,
) -> Result<bool, Error> {
    let changed = client
        .execute(
            "with changed as (update fleet.people set password_hash = $2 where lower(email) = lower($1) returning person_id),
                  ended as (delete from fleet.sessions s using changed c where s.person_id = c.person_id)
             select from changed",
            &[&email, &password_hash],
        )
        .await?;
    Ok(changed > 0)
}

/// Disables or enables a person, and ends their sessions. False where there is nobody of this name.
pub(crate) async fn set_disabled(
    client: &impl GenericClient,
    email: &str,
    disabled: bool,
) -> Result<bool, Error> {
    let changed = client
        .execute(
            "with changed as (update fleet.people set disabled = $2 where lower(email) = lower($1) returning person_id),
                  ended as (delete from fleet.sessions s using changed c where s.person_id = c.person_id)
             select from changed",
            &[&email, &disabled],
        )
        .await?;
    Ok(changed > 0)
}
