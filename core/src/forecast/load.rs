//! Load: the date from which the busy hours stay above the limit.
//!
//! What runs out is not the mean: it is the load that is exceeded in 5 % of the hours of a week. That figure is taken
//! of every week of the history and of the week that the seasonal model expects next; its robust slope (Theil 1950,
//! Sen 1968) and the spread around it give the distribution of the week from which it stays above the limit.

use jiff::Timestamp;

use super::{
    Factor, Forecast, Passage, PassagePoint, Prior, Question, State, fan,
    first_passage::{Calibration, FirstPassage, HORIZON_DAYS_MAX},
    grid::{after, grid_days},
    history::DAY_SECONDS,
    pooled::{NORMAL, crossing, rising},
    quantities::Quantities,
    seasonal::hourly_forecast,
    shape::median,
};

const HOUR_SECONDS: i64 = 3_600;
const WEEK_HOURS: usize = 168;
/// No more hours than this are kept, the newest: a year.
const HOURS_MAX: usize = 52 * WEEK_HOURS;
/// Hours that the seasonal model looks back.
const SEASONAL_HOURS: usize = 6 * WEEK_HOURS;
/// Share of the hours of a week that lie below the figure.
const BUSY: f64 = 0.95;
/// Weeks needed for a slope with a spread.
const WEEKS_MIN: usize = 3;
/// Standard deviation of the pace of weeks to come, as a share of the slope, were there one week of history.
const PACE_SPREAD: f64 = 1.0 / 3.0;
/// A date is given where at least this share of the futures stays above the limit inside the horizon.
const DATED_PROBABILITY: f64 = 0.10;

/// Kinds of factors that are jumps of the value.
const JUMPS: [&str; 3] = ["step", "burst", "reset"];

/// Fills the answer to a question about load; `answer` has everything that does not depend on the model.
pub(super) fn answer(
    mut answer: Forecast,
    question: &Question<'_>,
    limit: f64,
    age_days: i64,
    prior: &Prior,
) -> Forecast {
    let quantities = Quantities::of(question.resource, Some(limit));
    let hours = hourly(question);
    let weeks = busy_of_weeks(&hours);
    answer.why.retain(|factor| factor.kind != "trend" && factor.kind != "season");
    let rhythm = rhythm(&hours, answer.data_until, quantities);
    // What a week's rhythm does every week is no event.
    let swing = rhythm.iter().filter_map(|factor| factor.amount).fold(0.0, f64::max);
    answer.why.retain(|factor| {
        !JUMPS.contains(&factor.kind.as_str()) || factor.amount.is_some_and(|a| a.abs() > swing)
    });
    answer.why.splice(0..0, rhythm);
    let last_week = weeks.last().copied();
    if last_week.is_some_and(|busy| busy >= limit) {
        let sentence = format!(
            "In the last 7 days the busiest 5 % of the hours were at or above the limit of {}.",
            quantities.print(limit)
        );
        return answer.with_state(State::AlreadyExhausted, "stays_above_limit", sentence);
    }
    if age_days > i64::from(prior.stale_days) {
        let sentence = format!("The last value is {age_days} days old.");
        return answer.with_state(State::Stale, "last_value_old", sentence);
    }
    let Some(line) = Line::through(&weeks, &hours).filter(|_| weeks.len() >= WEEKS_MIN) else {
        let sentence = format!("There are {} of {WEEKS_MIN} weeks of history.", weeks.len());
        return answer.with_state(State::TooShort, "weeks_missing", sentence);
    };
    let horizon_days = question.horizon_days.clamp(1, HORIZON_DAYS_MAX);
    let passage = line.passage(limit, horizon_days, prior);
    let until = answer.data_until.unwrap_or(answer.as_of);
    answer.why.insert(0, line.factor(quantities));
    let mut days: Vec<f64> = grid_days(horizon_days).into_iter().map(f64::from).collect();
    days.extend([0.1, 0.5, 0.9].iter().filter_map(|p| passage.quantile(*p)));
    days.sort_unstable_by(f64::total_cmp);
    let mut points: Vec<PassagePoint> = days
        .iter()
        .map(|day| PassagePoint { at: after(until, *day), probability: passage.probability_within(*day) })
        .collect();
    points.dedup_by_key(|point| point.at);
    answer.passage = Passage(points);
    answer.fan = (1..=horizon_days / 30)
        .map(|month| f64::from(month * 30))
        .map(|day| {
            fan::point(
                after(until, day),
                [-1.281_551_566, 0.0, 1.281_551_566].map(|z| line.at(day, z).max(0.0)),
            )
        })
        .collect();
    judge(answer, &line, &passage, horizon_days, until, quantities)
}

fn judge(
    mut answer: Forecast,
    line: &Line,
    passage: &FirstPassage,
    horizon_days: u16,
    until: Timestamp,
    quantities: Quantities,
) -> Forecast {
    let within = passage.probability_within(f64::from(horizon_days));
    let date = |p| passage.quantile(p).map(|days| after(until, days).max(answer.as_of));
    let (p10, p50, p90) = (date(0.1), date(0.5), date(0.9));
    if within >= DATED_PROBABILITY && p10.is_some() {
        if p50.is_none() && line.slope <= 0.0 {
            let sentence = "The busy hours move up and down more than they grow.".to_owned();
            return answer.with_state(State::TooNoisy, "moves_more_than_it_grows", sentence);
        }
        (answer.p10, answer.p50, answer.p90) = (p10, p50, p90);
        let sentence = match line.slope > 0.0 {
            true => format!("The busy hours grow by {} a day.", quantities.print_step(line.slope)),
            false => "The busy hours do not grow, but come near the limit.".to_owned(),
        };
        return answer.with_state(State::Dated, "grows_to_limit", sentence);
    }
    if line.slope * f64::from(horizon_days) <= line.level_spread {
        return answer.with_state(
            State::FlatOrShrinking,
            "no_growth",
            "The busy hours do not grow.".to_owned(),
        );
    }
    let sentence = format!(
        "The busy hours grow by {} a day, too slowly to stay above the limit inside {horizon_days} days.",
        quantities.print_step(line.slope)
    );
    answer.with_state(State::BeyondHorizon, "slow_growth", sentence)
}

/// Means of the hours up to the last observation, the newest last; hours without one carry the value before.
fn hourly(question: &Question<'_>) -> Vec<f64> {
    let rows = || {
        question
            .observations
            .iter()
            .filter(|row| row.at <= question.as_of && row.used.is_finite() && row.used >= 0.0)
    };
    let Some(end) = rows().map(|row| row.at.as_second()).max() else { return Vec::new() };
    let mut sums = vec![Vec::new(); HOURS_MAX];
    let mut kept = 0;
    for row in rows() {
        let back = usize::try_from((end - row.at.as_second()) / HOUR_SECONDS).unwrap_or(usize::MAX);
        if back < HOURS_MAX {
            sums[HOURS_MAX - 1 - back].push(row.used);
            kept = kept.max(back + 1);
        }
    }
    let mut before = None;
    sums.drain(..HOURS_MAX - kept);
    sums.into_iter()
        .filter_map(|mut values| {
            // Summed in one order whatever the order of rows.
            values.sort_unstable_by(f64::total_cmp);
            if !values.is_empty() {
                let n = values.len() as f64;
                before = Some(values.iter().map(|v| v / n).sum::<f64>());
            }
            before
        })
        .collect()
}

/// The busy figure of each whole week, counted back from the end, the newest last.
fn busy_of_weeks(hours: &[f64]) -> Vec<f64> {
    hours.rchunks_exact(WEEK_HOURS).rev().map(busy).collect()
}

fn busy(hours: &[f64]) -> f64 {
    let mut sorted = hours.to_vec();
    let index = ((sorted.len() - 1) as f64 * BUSY) as usize;
    *sorted.select_nth_unstable_by(index, f64::total_cmp).1
}

/// The line of the busy figure.
struct Line {
    level: f64,
    /// A day.
    slope: f64,
    slope_spread: f64,
    level_spread: f64,
}

impl Line {
    fn through(weeks: &[f64], hours: &[f64]) -> Option<Self> {
        let n = weeks.len();
        if n < WEEKS_MIN {
            return None;
        }
        let mut slopes: Vec<f64> = (0..n)
            .flat_map(|i| (i + 1..n).map(move |j| (weeks[j] - weeks[i]) / ((j - i) as f64 * 7.0)))
            .collect();
        let slope = median(&mut slopes)?;
        let recent = &hours[hours.len().saturating_sub(SEASONAL_HOURS)..];
        let next_week = busy(&hourly_forecast(recent, WEEK_HOURS));
        let mut ends: Vec<f64> = (0..n).map(|i| weeks[i] + slope * (n - 1 - i) as f64 * 7.0).collect();
        let line_end = median(&mut ends)?;
        // The end of the line, the last week and the week that comes: none alone is trusted.
        let mut levels = [line_end, weeks[n - 1], next_week];
        let level = median(&mut levels)?;
        let mut distances: Vec<f64> =
            (0..n).map(|i| (weeks[i] - (line_end - slope * (n - 1 - i) as f64 * 7.0)).abs()).collect();
        // 1.4826 times the median distance is the standard deviation of normal values.
        let level_spread = 1.482_6 * median(&mut distances)?;
        let days = n as f64 * 7.0;
        // Of a least-squares slope over n weeks; weeks that follow on each other are alike, hence twice.
        let scatter = 2.0 * level_spread * libm::sqrt(12.0 / n as f64) / days;
        // However straight the past: few weeks do not say that the pace stays.
        let slope_spread = libm::hypot(scatter, slope * PACE_SPREAD / libm::sqrt(n as f64));
        [level, slope, slope_spread, level_spread].iter().all(|v| v.is_finite()).then_some(Self {
            level,
            slope,
            slope_spread,
            level_spread,
        })
    }

    fn at(&self, days: f64, z: f64) -> f64 {
        self.level + z * self.level_spread + (self.slope + z * self.slope_spread) * days
    }

    fn passage(&self, limit: f64, horizon_days: u16, prior: &Prior) -> FirstPassage {
        let ln_days = NORMAL.map(|z| {
            let gap = limit - self.level - z * self.level_spread;
            if gap <= 0.0 { 0.0 } else { libm::log(crossing(self.slope + z * self.slope_spread, 0.0, gap)) }
        });
        FirstPassage::calibrated(&rising(ln_days), horizon_days, &Calibration::of(prior))
    }

    fn factor(&self, quantities: Quantities) -> Factor {
        Factor {
            kind: "trend".to_owned(),
            at: None,
            amount: Some(self.slope),
            sentence: format!(
                "The load of the busiest 5 % of the hours is {} and changes by {} a day.",
                quantities.print(self.level.max(0.0)),
                quantities.print_change(self.slope)
            ),
        }
    }
}

/// The rhythm of the last weeks: the busiest hour of the day and day of the week.
fn rhythm(hours: &[f64], until: Option<Timestamp>, quantities: Quantities) -> Vec<Factor> {
    let weeks = (hours.len() / WEEK_HOURS).min(6);
    let Some(until) = until.filter(|_| weeks > 0) else { return Vec::new() };
    let recent = &hours[hours.len() - weeks * WEEK_HOURS..];
    // The last entry is the hour that ends with the last observation.
    let first = until.as_second() - (recent.len() as i64 - 1) * HOUR_SECONDS;
    let mut factors = Vec::new();
    for (period, seconds, name) in [(24_usize, HOUR_SECONDS, "hour"), (7, DAY_SECONDS, "day of the week")] {
        let (mut sums, mut counts) = (vec![0.0; period], vec![0.0; period]);
        for (i, value) in recent.iter().enumerate() {
            let at = (first + i as i64 * HOUR_SECONDS).div_euclid(seconds).rem_euclid(period as i64) as usize;
            sums[at] += value;
            counts[at] += 1.0;
        }
        let means: Vec<f64> = sums.iter().zip(&counts).map(|(s, c)| s / f64::max(*c, 1.0)).collect();
        let (low, high) = means.iter().fold((f64::MAX, f64::MIN), |(l, h), m| (l.min(*m), h.max(*m)));
        if (high - low).is_nan() || high - low <= 0.1 * high {
            continue;
        }
        let busiest = means.iter().position(|m| *m == high).unwrap_or(0);
        // 1970-01-01 was a Thursday.
        const DAYS: [&str; 7] =
            ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
        let when = if period == 24 { format!("{busiest:02}:00 UTC") } else { DAYS[busiest].to_owned() };
        factors.push(Factor {
            kind: "season".to_owned(),
            at: None,
            amount: Some(high - low),
            sentence: format!(
                "The busiest {name} is {when}, {} above the quietest.",
                quantities.print_step(high - low)
            ),
        });
    }
    factors
}
