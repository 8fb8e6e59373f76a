//! Forecasts of many histories on all cores. Nothing here knows where a history comes from.

use std::sync::atomic::{AtomicUsize, Ordering};

use headroom_core::forecast::{Forecast, Observation, Prior, Question, forecast};
use headroom_core::unit::Resource;
use jiff::Timestamp;

/// One resource's history.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// Whose.
    pub(crate) component: i64,
    /// What can run out.
    pub(crate) resource: Resource,
    /// Its values.
    pub(crate) observations: Vec<Observation>,
}

/// What is asked of all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The model's constants.
    pub(crate) prior: &'a Prior,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// How far to look, days.
    pub(crate) horizon_days: u16,
}

/// How many threads: as told, or one for each core.
pub(crate) fn threads(told: usize) -> usize {
    if told > 0 { told } else { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) }
}

/// Forecasts all of them, in their order. The answers do not depend on the number of threads.
pub(crate) fn forecast_all(
    histories: &[History],
    asked: Asked<'_>,
    threads: usize,
    done: &(dyn Fn() + Sync),
) -> Vec<Forecast> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(history) = histories.get(index) else { return answers };
            let question = Question {
                resource: history.resource,
                observations: &history.observations,
                limit: None,
                as_of: asked.as_of,
                horizon_days: asked.horizon_days,
            };
            answers.push((index, forecast(&question, asked.prior)));
            done();
        }
    };
    let mut answers: Vec<(usize, Forecast)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut answers = work();
        for worker in workers {
            // A panic of the model is a fault to be seen, not a missing row.
            answers.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        answers
    });
    answers.sort_unstable_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::{Observation, Prior, State};
    use headroom_core::unit::Resource;
    use jiff::{SignedDuration, Timestamp};

    use super::{Asked, History, forecast_all};

    #[test]
    fn answers_come_in_order_and_do_not_depend_on_threads() {
        let as_of: Timestamp = "2026-11-24T00:00:00Z".parse().expect("a time");
        let histories: Vec<History> = (0..20)
            .map(|component| History {
                component,
                resource: Resource::Capacity,
                observations: (0..100)
                    .map(|day| Observation {
                        at: as_of - SignedDuration::from_hours(24 * (99 - day)),
                        used: (day * (component + 1)) as f64,
                        limit: Some(1_000.0),
                    })
                    .collect(),
            })
            .collect();
        let prior = Prior::builtin();
        let asked = Asked { prior: &prior, as_of, horizon_days: 365 };
        let one = forecast_all(&histories, asked, 1, &|| ());
        let many = forecast_all(&histories, asked, 4, &|| ());
        assert_eq!(one, many);
        assert_eq!(one.len(), 20);
        assert_eq!(one[19].last_used, Some(99.0 * 20.0));
        assert_eq!(one[19].state, State::AlreadyExhausted);
    }
}
