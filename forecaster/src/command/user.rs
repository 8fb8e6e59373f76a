//! `headroom user`: who signs in to the web view.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use clap::Subcommand;

use super::{Context, print_json, random_secret};
use crate::database::people::{self, NewPerson};
use crate::failure::Failure;

/// Shortest password that is taken, characters.
const PASSWORD_CHARACTERS_MIN: usize = 10;

/// Subcommands of `headroom user`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Make a user; without --password-stdin a password is made and printed once
    Add(AddArguments),
    /// List the users
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user another password; their sessions end
    Password(PasswordArguments),
    /// Keep a user from signing in; their sessions end
    Disable {
        /// What they sign in with
        email: String,
    },
    /// Let a user sign in again
    Enable {
        /// What they sign in with
        email: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Everything
    Admin,
    /// Units whose owners allow it, of a territory where one is given
    Sales,
    /// Their own units and offers
    Customer,
    /// What is measured and forecast
    Reader,
}

/// Arguments of `headroom user add`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArguments {
    /// Name
    name: String,
    /// What they may see and do
    #[arg(long, value_enum)]
    role: Role,
    /// What they sign in with; the name where not given
    #[arg(long)]
    email: Option<String>,
    /// Territory of a sales representative; all where not given
    #[arg(long)]
    territory: Option<String>,
    /// Reference of the customer that somebody of role customer belongs to
    #[arg(long, required_if_eq("role", "customer"))]
    customer: Option<String>,
    /// The role of the database with which they connect by SQL, where there is one
    #[arg(long)]
    database_role: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `headroom user password`.
#[derive(Debug, clap::Args)]
pub(crate) struct PasswordArguments {
    /// What they sign in with
    email: String,
    /// Read the password from standard input; without it one is made and printed once
    #[arg(long)]
    password_stdin: bool,
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    match command {
        Commands::Add(arguments) => add(context, &arguments).await,
        Commands::List { json } => list(context, json).await,
        Commands::Password(arguments) => password(context, &arguments).await,
        Commands::Disable { email } => set_disabled(context, &email, true).await,
        Commands::Enable { email } => set_disabled(context, &email, false).await,
    }
}

async fn add(context: &Context, arguments: &AddArguments) -> anyhow::Result<()> {
    let name = arguments.name.trim();
    let email = arguments.email.as_deref().unwrap_or(name).trim();
    if name.is_empty() || email.is_empty() {
        return Err(Failure::Usage("the name is empty".to_owned()).into());
    }
    if arguments.role != Role::Customer && arguments.customer.is_some() {
        return Err(Failure::Usage("--customer goes with --role customer".to_owned()).into());
    }
    let given = if arguments.password_stdin { Some(read_password()?) } else { None };
    let made = if given.is_none() { Some(make_password()?) } else { None };
    let hash = hash(given.as_deref().or(made.as_deref()).unwrap_or_default())?;
    let role = match arguments.role {
        Role::Admin => "admin",
        Role::Sales => "sales",
        Role::Customer => "customer",
        Role::Reader => "reader",
    };
    let person = NewPerson {
        name,
        email,
        role,
        password_hash: &hash,
        territory: arguments.territory.as_deref(),
        customer: arguments.customer.as_deref(),
        database_role: arguments.database_role.as_deref(),
    };
    let hub = super::hub(context).await?;
    let client = hub.pool().get().await?;
    let added = people::add(&**client, &person).await;
    let added = added.map_err(|error| match error.code() {
        Some(state) if *state == tokio_postgres::error::SqlState::UNIQUE_VIOLATION => anyhow::Error::new(
            error,
        )
        .context(Failure::Data(format!("there is a user {email:?} or with this database role already"))),
        _ => error.into(),
    })?;
    if !added {
        let (territory, customer) = (&arguments.territory, &arguments.customer);
        let what = match (territory, customer) {
            (Some(territory), _) => format!("territory {territory:?} or customer"),
            (None, customer) => format!("customer {:?}", customer.as_deref().unwrap_or_default()),
        };
        return Err(
            Failure::NotFound(format!("there is no {what}: `headroom import customers` makes them")).into()
        );
    }
    if arguments.json {
        return print_json(
            &serde_json::json!({ "name": name, "email": email, "role": role, "password": made }),
        );
    }
    println!("{name} signs in as {email}");
    if let Some(password) = made {
        println!("password: {password}");
    }
    Ok(())
}

async fn list(context: &Context, json: bool) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let client = hub.pool().get().await?;
    let rows = people::list(&**client).await?;
    if json {
        return print_json(&rows);
    }
    let mut out = std::io::stdout().lock();
    for person in rows {
        let bound = person.territory.or(person.customer).unwrap_or_default();
        let state = if person.disabled { "disabled" } else { "" };
        writeln!(out, "{:<24} {:<32} {:<9} {bound:<20} {state}", person.name, person.email, person.role)?;
    }
    Ok(())
}

async fn password(context: &Context, arguments: &PasswordArguments) -> anyhow::Result<()> {
    let given = if arguments.password_stdin { Some(read_password()?) } else { None };
    let made = if given.is_none() { Some(make_password()?) } else { None };
    let hash = hash(given.as_deref().or(made.as_deref()).unwrap_or_default())?;
    let hub = super::hub(context).await?;
    let client = hub.pool().get().await?;
    if !people::set_password(&**client, &arguments.email, &hash).await? {
        return Err(nobody(&arguments.email));
    }
    println!("{} has another password; their sessions have ended", arguments.email);
    if let Some(password) = made {
        println!("password: {password}");
    }
    Ok(())
}

async fn set_disabled(context: &Context, email: &str, disabled: bool) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let client = hub.pool().get().await?;
    if !people::set_disabled(&**client, email, disabled).await? {
        return Err(nobody(email));
    }
    println!("{email} may {} sign in", if disabled { "not" } else { "again" });
    Ok(())
}

fn nobody(email: &str) -> anyhow::Error {
    Failure::NotFound(format!("there is no user {email:?}: see `headroom user list`")).into()
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(4_096).read_to_string(&mut text).context("cannot read the password")?;
    let password = text.trim_end_matches(['\r', '\n']).to_owned();
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        let sentence = format!("a password has at least {PASSWORD_CHARACTERS_MIN} characters");
        return Err(Failure::Data(sentence).into());
    }
    Ok(password)
}

/// 120 random bits, in letters and digits that are not mistaken for each other.
fn make_password() -> anyhow::Result<String> {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let secret = random_secret()?;
    Ok(secret.iter().take(24).map(|byte| char::from(SIGNS[usize::from(byte % 32)])).collect())
}

fn hash(password: &str) -> anyhow::Result<String> {
    let hash: argon2::password_hash::phc::PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("cannot hash the password: {error}"))?;
    Ok(hash.to_string())
}
