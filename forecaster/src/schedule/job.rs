//! The list of jobs.

use croner::Cron;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::config::Settings;
use crate::hub::Hub;
use crate::{fleet, intake, offers, report};

/// One job.
pub(crate) struct Job {
    /// Its name, in the table and on the command line.
    pub(crate) name: &'static str,
    /// What it does, in one sentence.
    pub(crate) about: &'static str,
    /// When it runs.
    pub(crate) schedule: fn(&Settings) -> &Cron,
    /// Does it, and says in a sentence what was done.
    pub(crate) run: fn(Hub) -> BoxFuture<'static, anyhow::Result<String>>,
}

impl Job {
    /// The first start after `now`, UTC; `None` for a schedule that has none.
    pub(crate) fn next_start(&self, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
        let after = now.to_zoned(jiff::tz::TimeZone::UTC);
        (self.schedule)(settings).find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
    }
}

/// Every job.
pub(crate) const JOBS: &[Job] = &[
    Job {
        name: "forecast",
        about: "Forecasts the units whose status changed",
        schedule: |settings| &settings.forecast_schedule,
        run: |hub| Box::pin(fleet::job(hub)),
    },
    Job {
        name: "backtest",
        about: "Judges earlier forecasts by what came, and so the width of the band",
        schedule: |settings| &settings.forecast_backtest_schedule,
        run: |hub| Box::pin(fleet::backtest_job(hub)),
    },
    Job {
        name: "offers",
        about: "Plans, drafts offers and withdraws those whose need is gone",
        schedule: |settings| &settings.offers_schedule,
        run: |hub| Box::pin(offers::job(hub)),
    },
    Job {
        name: "report",
        about: "Writes the fleet's predicted dates as HTML and CSV",
        schedule: |settings| &settings.report_schedule,
        run: |hub| Box::pin(report::job(hub)),
    },
    Job {
        name: "upkeep",
        about: "Forgets used tokens, ended sessions and old history; looks for rows that a node must send again",
        schedule: |settings| &settings.upkeep_schedule,
        run: |hub| Box::pin(intake::upkeep(hub)),
    },
];

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::JOBS;
    use crate::config::{Settings, merge};

    #[test]
    fn every_job_has_a_next_start_after_now() {
        let merged = merge(None, std::iter::empty(), &[]).expect("merges");
        let settings = Settings::read(&merged).expect("valid");
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
        for job in JOBS {
            let next = job.next_start(&settings, now).expect(job.name);
            assert!(next > now, "{}", job.name);
        }
        let report = JOBS.iter().find(|job| job.name == "report").expect("there");
        assert_eq!(report.next_start(&settings, now), Some("2026-11-25T05:30:00Z".parse().expect("a time")));
    }
}
