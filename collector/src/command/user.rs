//! `headroom-node user`: whose unit it is and which purposes are granted. It holds at once, also for a node that runs.

use std::io::Write as _;

use headroom_core::unit::Purpose;

use super::{Context, print_json};
use crate::config::{Settings, is_mail_address};
use crate::failure::Failure;
use crate::owner::{Owner, UserField};
use crate::store::{EntryKind, Store};

/// Arguments of `user`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Commands>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Commands {
    /// Print what is in force
    Show,
    /// Set fields: organisation "Ada Ltd" contact_email ada@example.org; an empty value clears
    Set {
        /// FIELD VALUE, as often as needed; fields: organisation, customer_reference, site, contact_name, contact_email
        #[arg(required = true, num_args = 2.., value_names = ["FIELD", "VALUE"])]
        pairs: Vec<String>,
    },
    /// Allow data to leave for these purposes
    Grant {
        /// support: keeping the unit running; advice: telling when it runs out; sales: making offers
        #[arg(required = true)]
        purposes: Vec<PurposeArgument>,
    },
    /// Take the permission back; without a purpose, all of them
    Withdraw {
        /// Which purposes
        purposes: Vec<PurposeArgument>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PurposeArgument {
    /// Keeping the unit running
    Support,
    /// Telling its owner when it will run out
    Advice,
    /// Making offers
    Sales,
}

impl From<PurposeArgument> for Purpose {
    fn from(argument: PurposeArgument) -> Self {
        match argument {
            PurposeArgument::Support => Self::Support,
            PurposeArgument::Advice => Self::Advice,
            PurposeArgument::Sales => Self::Sales,
        }
    }
}

/// Shows or changes the owner's decisions.
pub(crate) fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let settings = &context.settings;
    let owner = match args.command.unwrap_or(Commands::Show) {
        Commands::Show => {
            // Without a written file nothing was decided yet, and looking decides nothing.
            let mut owner = Owner::read(&settings.data_dir)?;
            owner.settle(settings);
            owner
        }
        Commands::Set { pairs } => {
            let fields = fields(&pairs)?;
            changed(settings, "the user information was changed", |owner| owner.set.extend(fields))?
        }
        Commands::Grant { purposes } => decided(settings, &purposes, true)?,
        Commands::Withdraw { purposes } => {
            use PurposeArgument::{Advice, Sales, Support};
            let all = [Support, Advice, Sales];
            decided(settings, if purposes.is_empty() { &all } else { &purposes }, false)?
        }
    };
    if args.json {
        return print_json(&owner.user);
    }
    print(&owner)
}

fn fields(pairs: &[String]) -> anyhow::Result<Vec<(UserField, String)>> {
    if !pairs.len().is_multiple_of(2) {
        return Err(
            Failure::Usage("each field needs a value: set FIELD VALUE [FIELD VALUE …]".to_owned()).into()
        );
    }
    pairs
        .chunks_exact(2)
        .map(|pair| {
            let field = <UserField as clap::ValueEnum>::from_str(&pair[0], true).map_err(|_| {
                Failure::Usage(format!("{:?} is no field: see headroom-node user set --help", pair[0]))
            })?;
            let value = pair[1].trim();
            if field == UserField::ContactEmail && !value.is_empty() && !is_mail_address(value) {
                let sentence = format!("{value:?} is no mail address such as ada@example.org");
                return Err(Failure::Usage(sentence).into());
            }
            Ok((field, value.to_owned()))
        })
        .collect()
}

fn decided(settings: &Settings, purposes: &[PurposeArgument], granted: bool) -> anyhow::Result<Owner> {
    let names: Vec<String> = purposes.iter().map(|purpose| format!("{purpose:?}").to_lowercase()).collect();
    let what = if granted { "granted" } else { "withdrew" };
    changed(settings, &format!("the owner {what} {}", names.join(", ")), |owner| {
        owner.decisions.extend(purposes.iter().map(|purpose| (Purpose::from(*purpose), granted)));
    })
}

fn changed(settings: &Settings, detail: &str, decide: impl FnOnce(&mut Owner)) -> anyhow::Result<Owner> {
    let owner = Owner::change(settings, decide)?;
    // Before the first round there is no store, and no journal to write into.
    if settings.store_path().exists() {
        let noted = Store::open_reader(&settings.store_path())
            .and_then(|store| store.note(jiff::Timestamp::now(), EntryKind::Owner, detail));
        if let Err(error) = noted {
            eprintln!("headroom-node: it holds, but the journal could not be written: {error}");
        }
    }
    Ok(owner)
}

fn print(owner: &Owner) -> anyhow::Result<()> {
    let user = &owner.user;
    let mut out = std::io::stdout().lock();
    let or_none = |text: &str| if text.is_empty() { "(not set)".to_owned() } else { text.to_owned() };
    let contact = user.contact.clone().unwrap_or_default();
    for (name, value) in [
        ("organisation", user.organisation.as_str()),
        ("customer_reference", user.customer_reference.as_deref().unwrap_or_default()),
        ("site", user.site.as_deref().unwrap_or_default()),
        ("contact_name", contact.name.as_str()),
        ("contact_email", contact.email.as_str()),
    ] {
        writeln!(out, "{name:<18} {}", or_none(value))?;
    }
    for (name, granted) in
        [("support", user.consent.support), ("advice", user.consent.advice), ("sales", user.consent.sales)]
    {
        writeln!(out, "{name:<18} {}", if granted { "granted" } else { "off" })?;
    }
    if !user.consent.any() {
        writeln!(out, "Nothing leaves this node.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn what_no_mail_can_be_sent_to_is_no_contact() {
        let set = |field: &str, value: &str| fields(&[field.to_owned(), value.to_owned()]);
        assert!(set("contact_email", "ada@example.org").is_ok());
        assert!(set("contact_email", "").is_ok(), "an empty value clears");
        for bad in ["ada", "ada@", "@example.org", "a b@example.org", "ada@example.org@x"] {
            assert!(set("contact_email", bad).unwrap_err().to_string().contains("mail address"), "{bad}");
        }
        assert!(set("organisaton", "Ada Ltd").is_err());
    }
}
