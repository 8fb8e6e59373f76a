//! Customers with the user information and commercial terms that the hub keeps.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::sheet::{Column, Mistakes, Row};
use crate::database::customers::Customer;

/// Purposes of consent.
const PURPOSES: [&str; 3] = ["support", "advice", "sales"];

/// The columns.
pub(crate) const COLUMNS: &[Column] = &[
    Column { name: "reference", is_required: true, about: "the vendor's reference for the customer" },
    Column { name: "name", is_required: true, about: "name of the organisation" },
    Column { name: "territory", is_required: false, about: "sales territory; made where it is new" },
    Column { name: "contact_name", is_required: false, about: "whom to contact" },
    Column { name: "contact_email", is_required: false, about: "their electronic mail address" },
    Column { name: "approval_days", is_required: false, about: "days that an approval takes, 0 to 730" },
    Column { name: "installation_days", is_required: false, about: "days from delivery to use, 0 to 730" },
    Column { name: "fiscal_year_start_month", is_required: false, about: "1 to 12" },
    Column {
        name: "buying_months",
        is_required: false,
        about: "months in which offers are welcome, such as 3 9",
    },
    Column { name: "no_contact", is_required: false, about: "yes where nothing may be sent" },
    Column {
        name: "no_contact_until",
        is_required: false,
        about: "nothing may be sent before, as 2027-01-31",
    },
    Column { name: "cool_down_days", is_required: false, about: "days between two offers, 0 to 730" },
    Column { name: "budget", is_required: false, about: "what can be spent on one offer" },
    Column { name: "budget_currency", is_required: false, about: "its currency, as EUR" },
    Column { name: "consent", is_required: false, about: "purposes granted: support advice sales" },
];

/// Reads the rows; each with its line.
pub(super) fn parse(rows: &[Row], mistakes: &mut Mistakes) -> Vec<(u64, Customer)> {
    let mut seen = BTreeSet::new();
    rows.iter().map(|row| (row.line, customer(row, &mut seen, mistakes))).collect()
}

fn customer(row: &Row, seen: &mut BTreeSet<String>, mistakes: &mut Mistakes) -> Customer {
    let reference = row.bounded("reference", mistakes);
    if !reference.is_empty() && !seen.insert(reference.clone()) {
        mistakes.add(row.line, Some("reference"), format!("{reference:?} stands in the file twice"));
    }
    let contact_email = row.text("contact_email").unwrap_or_default().to_owned();
    let is_address = contact_email.split_once('@').is_some_and(|(a, b)| {
        !a.is_empty() && !b.is_empty() && !b.contains('@') && !contact_email.contains(char::is_whitespace)
    });
    if !contact_email.is_empty() && !is_address {
        mistakes.add(row.line, Some("contact_email"), format!("{contact_email:?} is no mail address"));
    }
    let budget = row.money("budget", mistakes);
    let budget_currency = row.currency("budget_currency", mistakes);
    if budget.is_some() != budget_currency.is_some() {
        mistakes.add(row.line, Some("budget_currency"), "budget and its currency go together");
    }
    Customer {
        reference,
        name: row.bounded("name", mistakes),
        territory: row.text("territory").map(str::to_owned),
        contact_name: row.text("contact_name").unwrap_or_default().to_owned(),
        contact_email,
        approval_days: row.within("approval_days", 0, 730, mistakes).unwrap_or(0),
        installation_days: row.within("installation_days", 0, 730, mistakes).unwrap_or(0),
        fiscal_year_start_month: row.within("fiscal_year_start_month", 1, 12, mistakes).unwrap_or(1),
        buying_months: months(row, mistakes),
        no_contact: row.yes("no_contact", mistakes).unwrap_or(false),
        no_contact_until: row.parsed("no_contact_until", "date such as 2027-01-31", mistakes),
        cool_down_days: row.within("cool_down_days", 0, 730, mistakes).unwrap_or(30),
        budget: budget.filter(|budget: &Decimal| !budget.is_sign_negative()),
        budget_currency,
        consent: row.has("consent").then(|| consent(row, mistakes)),
    }
}

fn months(row: &Row, mistakes: &mut Mistakes) -> Vec<i16> {
    let mut months: Vec<i16> = Vec::new();
    for word in row.words("buying_months") {
        match word.parse() {
            Ok(month @ 1..=12) => months.push(month),
            _ => mistakes.add(row.line, Some("buying_months"), format!("{word:?} is no month from 1 to 12")),
        }
    }
    months.sort_unstable();
    months.dedup();
    months
}

fn consent(row: &Row, mistakes: &mut Mistakes) -> Vec<(&'static str, bool)> {
    let words: Vec<&str> = row.words("consent").collect();
    for word in words.iter().filter(|word| !PURPOSES.contains(word)) {
        mistakes.add(row.line, Some("consent"), format!("{word:?} is none of {}", PURPOSES.join(", ")));
    }
    PURPOSES.into_iter().map(|purpose| (purpose, words.contains(&purpose))).collect()
}
