//! Hourly values with a day's and a week's rhythm: what the next days look like.
//!
//! Many simple forecasters, each told nothing but the past, are tried on the last week's own ends; the answer is the
//! mean of the best one and of all weighted by their error to the power of −8. The forecasters: seasonal naive over a
//! day and a week, with the level of the last day; profiles of the hours of the week; and double seasonal exponential
//! smoothing with an error that fades (Taylor 2003) at nine settings; on the values and on their logarithms.

const DAY: usize = 24;
const WEEK: usize = 168;
/// Values from which the forecasters can be tried: two weeks to start from and one to be tried on.
const TRIED_FROM: usize = 2 * WEEK + WEEK + 1;
/// How long before the end a trial starts, hours.
const TRIALS: [usize; 6] = [48, 72, 96, 120, 144, 168];
/// How much a larger error counts against a forecaster.
const SHARPNESS: i32 = 8;

/// Gains of double seasonal smoothing: level, hour of day, hour of week, persistence of the last error, trend.
const SMOOTHING: [[f64; 5]; 9] = [
    [0.05, 0.1, 0.1, 0.9, 0.0],
    [0.2, 0.1, 0.1, 0.0, 0.0],
    [0.02, 0.2, 0.2, 0.95, 0.0],
    [0.01, 0.05, 0.3, 0.9, 0.0],
    [0.1, 0.3, 0.0, 0.5, 0.0],
    [0.002, 0.1, 0.2, 0.97, 0.0],
    [0.5, 0.1, 0.2, 0.0, 0.0],
    [0.1, 0.02, 0.5, 0.7, 0.0],
    [0.1, 0.1, 0.1, 0.5, 0.05],
];

/// Forecasts the next `ahead` hours of an hourly series whose last value is the newest. Values that are not finite are
/// taken as the one before. A series shorter than three weeks is answered from its last day. Empty of an empty series.
pub fn hourly_forecast(hourly: &[f64], ahead: usize) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::with_capacity(hourly.len());
    for value in hourly {
        match (value.is_finite(), values.last().copied()) {
            (true, _) => values.push(value.clamp(-1e150, 1e150)),
            (false, Some(before)) => values.push(before),
            (false, None) => {}
        }
    }
    if values.len() < TRIED_FROM {
        let day = values.len().min(DAY);
        return (0..if day == 0 { 0 } else { ahead }).map(|i| values[values.len() - day + i % day]).collect();
    }
    let answers = candidates(&values, ahead);
    let errors = errors(&values, answers.len(), ahead);
    let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let best = errors.iter().position(|e| *e == least).unwrap_or(0);
    let scale = values.iter().map(|v| v.abs()).sum::<f64>() / values.len() as f64 * 1e-9;
    let weights: Vec<f64> = errors
        .iter()
        .map(|e| 1.0 / ((e + scale) / (least + scale).max(f64::MIN_POSITIVE)).max(1.0).powi(SHARPNESS))
        .collect();
    let total: f64 = weights.iter().sum();
    (0..ahead)
        .map(|i| {
            let weighted: f64 = answers.iter().zip(&weights).map(|(a, w)| a[i] * w).sum::<f64>() / total;
            let mixed = 0.5 * (weighted + answers[best][i]);
            if mixed.is_finite() { mixed } else { values[values.len() - 1] }
        })
        .collect()
}

/// Mean absolute error of each forecaster over all trials.
fn errors(values: &[f64], forecasters: usize, ahead: usize) -> Vec<f64> {
    let mut errors = vec![0.0; forecasters];
    for before_end in TRIALS {
        let origin = values.len() - before_end;
        let judged = ahead.min(48).min(before_end);
        let truth = &values[origin..origin + judged];
        for (error, answer) in errors.iter_mut().zip(candidates(&values[..origin], judged)) {
            let sum: f64 = answer.iter().zip(truth).map(|(a, t)| (a - t).abs()).sum();
            *error += if sum.is_finite() { sum / judged as f64 } else { f64::MAX / 1e3 };
        }
    }
    errors
}

/// Every forecaster's answer.
fn candidates(x: &[f64], ahead: usize) -> Vec<Vec<f64>> {
    let day = naive(x, DAY, ahead);
    let week = naive(x, WEEK, ahead);
    let week_level = week_at_level(x, ahead);
    let mean_of = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect::<Vec<f64>>();
    let mut all = vec![
        mean_of(&day, &week),
        mean_of(&day, &week_level),
        mean_day(x, ahead),
        mean_weeks(x, ahead),
        day,
        week,
        week_level,
        day_with_drift(x, ahead),
        profile(x, ahead),
    ];
    all.extend(SMOOTHING.iter().map(|gains| smoothed(x, gains, ahead)));
    if x.iter().all(|v| *v > 0.0) {
        let logs: Vec<f64> = x.iter().map(|v| libm::log(v.max(1e-3))).collect();
        let mut on_logs =
            vec![week_at_level(&logs, ahead), day_with_drift(&logs, ahead), profile(&logs, ahead)];
        on_logs.extend(SMOOTHING.iter().map(|gains| smoothed(&logs, gains, ahead)));
        all.extend(
            on_logs.into_iter().map(|a| a.into_iter().map(|v| libm::exp(v.clamp(-7.0, 350.0))).collect()),
        );
    }
    all
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn naive(x: &[f64], season: usize, ahead: usize) -> Vec<f64> {
    let last = &x[x.len() - season..];
    (0..ahead).map(|i| last[i % season]).collect()
}

/// The mean of the last seven days, by hour.
fn mean_day(x: &[f64], ahead: usize) -> Vec<f64> {
    let week = &x[x.len() - WEEK..];
    let day: Vec<f64> = (0..DAY).map(|hour| week.iter().skip(hour).step_by(DAY).sum::<f64>() / 7.0).collect();
    (0..ahead).map(|i| day[i % DAY]).collect()
}

/// The mean of up to four weeks by hour of the week, the newest counting most.
fn mean_weeks(x: &[f64], ahead: usize) -> Vec<f64> {
    let weeks = (x.len() / WEEK).min(4);
    let total: f64 = (0..weeks).map(|k| (4 - k) as f64).sum();
    let at = |i: usize, k: usize| x[x.len() - WEEK * (k + 1) + i % WEEK];
    (0..ahead).map(|i| (0..weeks).map(|k| (4 - k) as f64 * at(i, k)).sum::<f64>() / total).collect()
}

/// Last week again, at the level of the last day.
fn week_at_level(x: &[f64], ahead: usize) -> Vec<f64> {
    let n = x.len();
    let shift = mean(&x[n - DAY..]) - mean(&x[n - WEEK..n - WEEK + DAY]);
    naive(x, WEEK, ahead).into_iter().map(|v| v + shift).collect()
}

/// The last day again, moving on by half of what it moved since the day before.
fn day_with_drift(x: &[f64], ahead: usize) -> Vec<f64> {
    let n = x.len();
    let step = mean(&x[n - DAY..]) - mean(&x[n - 2 * DAY..n - DAY]);
    naive(x, DAY, ahead).into_iter().enumerate().map(|(i, v)| v + 0.5 * step * (1 + i / DAY) as f64).collect()
}

/// What followed on the same hour of up to three weeks, relative to the day before it, on top of the last day's mean.
fn profile(x: &[f64], ahead: usize) -> Vec<f64> {
    let n = x.len();
    let (mut sums, mut total) = (vec![0.0; ahead], 0.0);
    let mut weight = 1.0;
    for k in 1..=3 {
        let Some(from) = n.checked_sub(WEEK * k + DAY) else { break };
        let reference = mean(&x[from..from + DAY]);
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += weight * (x[from + DAY + i % WEEK] - reference);
        }
        total += weight;
        weight *= 0.7;
    }
    let level = mean(&x[n - DAY..]);
    sums.into_iter().map(|sum| level + sum / total).collect()
}

/// Double seasonal exponential smoothing.
fn smoothed(x: &[f64], gains: &[f64; 5], ahead: usize) -> Vec<f64> {
    let [level_gain, day_gain, week_gain, persistence, trend_gain] = *gains;
    let start = &x[..2 * WEEK];
    let mut level = mean(start);
    let mut trend = 0.0;
    let mut by_day = [0.0; DAY];
    for (hour, value) in by_day.iter_mut().enumerate() {
        *value = start.iter().skip(hour).step_by(DAY).sum::<f64>() / 14.0 - level;
    }
    let mut by_week = [0.0; WEEK];
    for (hour, value) in by_week.iter_mut().enumerate() {
        *value = 0.5 * (start[hour] + start[hour + WEEK]) - level - by_day[hour % DAY];
    }
    let mut last_error = 0.0;
    for (i, value) in x.iter().enumerate() {
        let structural = value - (level + trend + by_day[i % DAY] + by_week[i % WEEK]);
        let error = structural - persistence * last_error;
        last_error = structural;
        level += trend + level_gain * error;
        trend += trend_gain * level_gain * error;
        by_day[i % DAY] += day_gain * error;
        by_week[i % WEEK] += week_gain * error;
    }
    let mut fading = last_error;
    (0..ahead)
        .map(|i| {
            fading *= persistence;
            let at = x.len() + i;
            level + trend * (i + 1) as f64 + by_day[at % DAY] + by_week[at % WEEK] + fading
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekly_rhythm_goes_on() {
        let at = |i: usize| {
            50.0 + 10.0 * ((i % DAY) as f64 / 4.0).sin() + if (i / DAY) % 7 >= 5 { -20.0 } else { 0.0 }
        };
        let x: Vec<f64> = (0..WEEK * 5).map(at).collect();
        for (i, value) in hourly_forecast(&x, 200).into_iter().enumerate() {
            assert!((value - at(WEEK * 5 + i)).abs() < 0.5, "hour {i}: {value}");
        }
    }

    #[test]
    fn any_series_gets_finite_values() {
        for x in [vec![], vec![f64::NAN; 900], vec![1e300; 900], vec![0.0; 900], vec![-5.0; 900], vec![3.0]] {
            let wanted = if x.iter().any(|v| v.is_finite()) { 48 } else { 0 };
            let answer = hourly_forecast(&x, 48);
            assert_eq!(answer.len(), wanted);
            assert!(answer.iter().all(|v| v.is_finite()));
        }
    }
}
