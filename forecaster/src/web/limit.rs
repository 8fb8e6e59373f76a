//! How many wrong passwords are taken before somebody has to wait.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const FAILURES_ALLOWED: usize = 5;
const FAILURES_ALLOWED_FROM_ADDRESS: usize = 30;
const WINDOW: Duration = Duration::from_secs(15 * 60);
const NAMES_KEPT: usize = 20_000;

/// Failed attempts of the last quarter of an hour, by account and by address. Kept in memory on purpose: an attacker
/// must not be able to make the database write, and a restart costs them more than it gives.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, Vec<Instant>>>);

impl Attempts {
    /// Whether another attempt may be made now; else the seconds to wait.
    pub(crate) fn allowed(&self, account: &str, address: &str, now: Instant) -> Result<(), u64> {
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (key, limit) in
            [(account_key(account), FAILURES_ALLOWED), (address_key(address), FAILURES_ALLOWED_FROM_ADDRESS)]
        {
            let Some(times) = failures.get_mut(&key) else { continue };
            times.retain(|time| now.saturating_duration_since(*time) < WINDOW);
            if times.len() >= limit {
                let oldest = times.first().copied().unwrap_or(now);
                return Err(WINDOW.saturating_sub(now.saturating_duration_since(oldest)).as_secs().max(1));
            }
        }
        Ok(())
    }

    /// Remembers a failed attempt.
    pub(crate) fn failed(&self, account: &str, address: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if failures.len() >= NAMES_KEPT {
            failures.retain(|_, times| {
                times.last().is_some_and(|time| now.saturating_duration_since(*time) < WINDOW)
            });
        }
        for key in [account_key(account), address_key(address)] {
            if failures.len() < NAMES_KEPT || failures.contains_key(&key) {
                failures.entry(key).or_default().push(now);
            }
        }
    }

    /// Forgets an account's failures after a sign-in that worked.
    pub(crate) fn worked(&self, account: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&account_key(account));
    }
}

fn account_key(account: &str) -> String {
    format!("account {}", account.trim().to_lowercase().chars().take(200).collect::<String>())
}

fn address_key(address: &str) -> String {
    format!("address {address}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Attempts, WINDOW};

    #[test]
    fn the_sixth_wrong_password_waits() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(attempts.allowed("Anna@x", "1.2.3.4", start), Ok(()));
            attempts.failed("Anna@x", "1.2.3.4", start);
        }
        assert!(attempts.allowed(" anna@X ", "5.6.7.8", start).is_err(), "the same account from elsewhere");
        assert_eq!(attempts.allowed("ben@x", "1.2.3.4", start), Ok(()), "another account");
        assert_eq!(attempts.allowed("anna@x", "1.2.3.4", start + WINDOW + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_many_accounts() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for index in 0..30 {
            attempts.failed(&format!("person{index}"), "1.2.3.4", start);
        }
        assert!(attempts.allowed("somebody", "1.2.3.4", start).is_err());
        assert_eq!(attempts.allowed("somebody", "1.2.3.5", start), Ok(()));
    }
}
