//! Questions to answers, over threads. The result does not depend on their number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headroom_core::forecast::{FirstPassage, HISTORY_DAYS_MAX, Prior, first_passages};
use jiff::{ToSpan as _, civil::Date};

use super::{cases::Unit, cpu, series::Changes};

/// How far is asked, days.
const HORIZON_DAYS: u16 = 365;

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Prediction {
    series_id: String,
    origin: String,
    capacity: String,
    p10_date: Option<Date>,
    p50_date: Option<Date>,
    p90_date: Option<Date>,
    p_within_90d: String,
}

/// All answers in the order of the cases, and the CPU time that the model took where it can be told.
pub(crate) struct Predictions {
    /// In the order of the cases.
    pub(crate) rows: Vec<Prediction>,
    /// CPU time of all threads in the model.
    pub(crate) cpu: Option<Duration>,
}

/// Answers every case. `done` is called after each unit, from any thread.
pub(crate) fn predict(
    units: &[Unit],
    series: &BTreeMap<String, Changes>,
    prior: &Prior,
    threads: usize,
    done: &(dyn Fn() + Sync),
) -> Predictions {
    let next = AtomicUsize::new(0);
    let work = || {
        let start = cpu::of_this_thread();
        let mut rows = Vec::new();
        while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            let daily = series
                .get(&unit.series)
                .map(|changes| changes.daily_until(unit.origin, HISTORY_DAYS_MAX))
                .unwrap_or_default();
            let limits: Vec<f64> = unit.asked.iter().map(|(_, _, capacity)| *capacity).collect();
            let passages = first_passages(&daily, &limits, HORIZON_DAYS, prior);
            for ((place, key, _), passage) in unit.asked.iter().zip(&passages) {
                rows.push((*place, prediction(key, unit.origin, passage)));
            }
            done();
        }
        (rows, start.and_then(|start| cpu::of_this_thread()?.checked_sub(start)))
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let cpu = parts.iter().map(|(_, cpu)| *cpu).sum::<Option<Duration>>();
    let mut rows: Vec<(usize, Prediction)> = parts.into_iter().flat_map(|(rows, _)| rows).collect();
    rows.sort_unstable_by_key(|(place, _)| *place);
    Predictions { rows: rows.into_iter().map(|(_, row)| row).collect(), cpu }
}

fn prediction(key: &[String; 3], origin: Date, passage: &FirstPassage) -> Prediction {
    let date = |probability| {
        let days = passage.quantile(probability)?.round();
        // Beyond the last day of the calendar there is none.
        (days <= f64::from(HORIZON_DAYS)).then(|| origin.checked_add((days as i64).days()).ok())?
    };
    let [series_id, written_origin, capacity] = key.clone();
    Prediction {
        series_id,
        origin: written_origin,
        capacity,
        p10_date: date(0.1),
        p50_date: date(0.5),
        p90_date: date(0.9),
        p_within_90d: format!("{:.4}", passage.probability_within(90.0)),
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::Prior;

    use super::predict;
    use crate::score::{cases, series};

    const CASES: &str = "series_id,origin,capacity\n\
        up,2024-06-01,400\nup,2024-06-01,300\nup,2024-09-01,500\nlate,2024-06-01,5\nup,2024-06-01,1e9\n";

    fn series_text(last_day: i64) -> String {
        let start = jiff::civil::date(2024, 1, 1);
        let mut text = "series_id,date,used_bytes\nlate,2024-08-01,1\n".to_owned();
        for day in 0..=last_day {
            let date = start + jiff::Span::new().days(day);
            text += &format!("up,{date},{}\n", 100 + day + (day * day) % 5);
        }
        text
    }

    fn rows(text: &str, threads: usize) -> Vec<super::Prediction> {
        let series = series::read(text.as_bytes()).unwrap();
        let units = cases::read(CASES.as_bytes(), &series).unwrap();
        predict(&units, &series, &Prior::builtin(), threads, &|| ()).rows
    }

    #[test]
    fn no_row_after_an_origin_is_used() {
        // 2024-06-01 is day 152, 2024-09-01 day 244.
        let whole = rows(&series_text(600), 1);
        let cut = rows(&series_text(244), 1);
        assert_eq!(whole, cut);
        let shorter = rows(&series_text(152), 1);
        assert_eq!(whole[..2], shorter[..2]);
        assert_ne!(whole[2], shorter[2], "days between the two origins do matter to the later one");
    }

    #[test]
    fn answers_stand_in_the_order_of_the_cases_whatever_the_threads() {
        let one = rows(&series_text(300), 1);
        assert_eq!(one, rows(&series_text(300), 3));
        let keys: Vec<&str> = one.iter().map(|row| row.capacity.as_str()).collect();
        assert_eq!(keys, ["400", "300", "500", "5", "1e9"]);
        assert!(one[0].p50_date > one[1].p50_date && one[1].p50_date.is_some());
        assert_eq!((one[3].p10_date, one[3].p_within_90d.as_str()), (None, "0.0000"), "no history, no date");
        assert_eq!(one[4].p10_date, None, "too far away");
    }
}
