//! When a customer may be sent something.

use jiff::civil::Date;

use crate::unit::Consent;

/// What the user information says about contact.
#[derive(Debug, Clone, Default)]
pub struct ContactRules {
    /// Consent in force: what node and hub both grant.
    pub consent: Consent,
    /// Nothing may be sent.
    pub no_contact: bool,
    /// Nothing may be sent before this date.
    pub no_contact_until: Option<Date>,
    /// Months in which offers are welcome, 1 to 12; empty for all.
    pub buying_months: Vec<u8>,
    /// Days between two offers.
    pub cool_down_days: u16,
    /// When the last offer was sent.
    pub last_sent: Option<Date>,
    /// Address of the contact; empty where unknown.
    pub address: String,
}

/// Why nothing may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The sales purpose is not granted by both sides.
    #[error("the sales purpose is not granted")]
    NoConsent,
    /// The customer does not want to be contacted.
    #[error("the customer does not want to be contacted")]
    NoContact,
    /// Not before a date.
    #[error("the customer does not want to be contacted before {0}")]
    NotBefore(Date),
    /// The customer buys in other months.
    #[error("the customer does not buy in this month")]
    OutsideBuyingMonths,
    /// The last offer is too recent.
    #[error("the last offer was sent on {0}, less than the cool-down ago")]
    CoolDown(Date),
    /// There is nobody to send it to.
    #[error("the user information names no contact")]
    NoAddress,
}

/// Whether an offer may be sent on this day.
///
/// # Errors
/// The first rule that forbids it.
pub fn may_send(rules: &ContactRules, today: Date) -> Result<(), Forbidden> {
    if !rules.consent.sales {
        return Err(Forbidden::NoConsent);
    }
    if rules.no_contact {
        return Err(Forbidden::NoContact);
    }
    if let Some(until) = rules.no_contact_until.filter(|until| today < *until) {
        return Err(Forbidden::NotBefore(until));
    }
    let month = today.month().unsigned_abs();
    if !rules.buying_months.is_empty() && !rules.buying_months.contains(&month) {
        return Err(Forbidden::OutsideBuyingMonths);
    }
    if let Some(last) = rules.last_sent {
        let days = (today - last).get_days();
        if i64::from(days) < i64::from(rules.cool_down_days) {
            return Err(Forbidden::CoolDown(last));
        }
    }
    if rules.address.trim().is_empty() {
        return Err(Forbidden::NoAddress);
    }
    Ok(())
}

/// Days that [`next_day`] looks ahead: the longest cool-down and a year of buying months after it.
const LOOK_AHEAD_DAYS: i64 = 1_100;

/// The first day from `today` on which an offer may be sent.
///
/// # Errors
/// What forbids it on every day.
pub fn next_day(rules: &ContactRules, today: Date) -> Result<Date, Forbidden> {
    let mut forbidden = Forbidden::NoContact;
    for day in 0..LOOK_AHEAD_DAYS {
        let Ok(date) = today.checked_add(jiff::Span::new().days(day)) else { break };
        match may_send(rules, date) {
            Ok(()) => return Ok(date),
            Err(why @ (Forbidden::NoConsent | Forbidden::NoContact | Forbidden::NoAddress)) => {
                return Err(why);
            }
            Err(why) => forbidden = why,
        }
    }
    Err(forbidden)
}
