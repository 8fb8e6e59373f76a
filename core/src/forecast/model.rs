//! The forecast of one resource: from the question to the answer.

use super::{
    Forecast, Passage, PassagePoint, Pooled, Prior, Question, State,
    bootstrap::{self, Futures},
    fan,
    first_passage::{FirstPassage, HORIZON_DAYS_MAX, of_gaps},
    grid::{after, grid_days},
    history::{DAY_SECONDS, History, clean},
    load,
    quantities::Quantities,
    shape, why,
};
use crate::unit::Resource;

/// A date is given where at least this share of the futures reaches the limit inside the horizon.
const DATED_PROBABILITY: f64 = 0.10;
/// No date where fewer of the simulated futures arrive: then the unit's own past gives no ground for one.
const GROUND_SHARE: f64 = 0.05;
/// Where none of them arrives, the limit is reached inside the horizon with no more than this probability: what never
/// happened may still come.
const GROUNDLESS_PROBABILITY: f64 = 0.03;
/// A value that only scatters is no ground for a date while its limit is farther from its level than so many standard
/// deviations.
const SCATTER_REACH: f64 = 4.0;
/// A pace of less than this share of the trend is a growth that has stopped, or nearly so.
const SLOWED: f64 = 0.1;
/// What a ratio runs into where no limit is told: all of it.
const FULL_RATIO: f64 = 1.0;

/// Forecasts one resource. Any input gives a state; only [`State::Dated`] has dates.
pub fn forecast(question: &Question<'_>, prior: &Prior) -> Forecast {
    let horizon_days = question.horizon_days.clamp(1, HORIZON_DAYS_MAX);
    let cleaned = clean(question);
    let mut answer = Forecast::without_history(question, prior, cleaned.set_aside);
    let Some(mut history) = cleaned.history else {
        let sentence = match cleaned.set_aside {
            0 => "There is no history yet.".to_owned(),
            n => format!("None of the {n} values seen is believable."),
        };
        return answer.with_state(State::TooShort, "no_history", sentence);
    };
    answer.limit = answer.limit.or(history.limit);
    if matches!(question.resource, Resource::Load | Resource::Endurance) {
        answer.limit = answer.limit.or(Some(FULL_RATIO));
    }
    let quantities = Quantities::of(question.resource, answer.limit);
    if question.resource == Resource::Endurance {
        answer.why = why::slips(&mut history, quantities, &mut answer.set_aside);
        shape::make_monotone(&mut history.daily);
    }
    let last = history.daily.last().copied().unwrap_or(0.0);
    answer.data_from = Some(history.from);
    answer.data_until = Some(history.until);
    answer.last_used = Some(last);
    answer.samples = history.samples;
    answer.why.extend(why::factors(&history, quantities));
    let Some(limit) = answer.limit else {
        let sentence = "The limit is not known, so there is nothing to run into.".to_owned();
        return answer.with_state(State::UnknownLimit, "no_limit", sentence);
    };
    let age_days = (question.as_of.as_second() - history.until.as_second()) / DAY_SECONDS;
    if question.resource == Resource::Load {
        return load::answer(answer, question, limit, age_days, prior);
    }
    if last >= limit {
        let sentence = format!(
            "{} in use reaches the limit of {} already.",
            quantities.print(last),
            quantities.print(limit)
        );
        return answer.with_state(State::AlreadyExhausted, "limit_reached", sentence);
    }
    if age_days > i64::from(prior.stale_days) {
        let sentence = format!("The last value is {age_days} days old.");
        return answer.with_state(State::Stale, "last_value_old", sentence);
    }
    if shape::weekly_swing(&history.daily).is_some() {
        // What swings every week runs out at the top of a swing, and blocks of days cut anywhere would not close.
        let highs = shape::highs_of_weeks(&history.daily);
        if highs.last().is_some_and(|high| *high < limit) {
            history.daily = highs;
        }
    }
    let last = history.daily.last().copied().unwrap_or(last);
    let days = history.daily.len() - 1;
    let pooled = prior.pooled.as_ref().filter(|pooled| pooled.is_usable(days));
    let stands_alone = days >= usize::from(prior.days_min) && history.observed_days >= 3;
    match pooled {
        _ if !(limit - last).is_finite() => {
            let sentence = "The limit is too far away for any number.".to_owned();
            answer.with_state(State::BeyondHorizon, "limit_far", sentence)
        }
        None if !stands_alone => {
            let sentence = format!(
                "There are {} of {} days of history.",
                days.min(usize::from(prior.days_min)),
                prior.days_min
            );
            answer.with_state(State::TooShort, "days_missing", sentence)
        }
        _ => Outlook { history: &history, limit, horizon_days, prior, pooled, quantities, stands_alone }
            .answer(answer),
    }
}

/// What the futures of one resource are made from.
struct Outlook<'a> {
    history: &'a History,
    limit: f64,
    horizon_days: u16,
    prior: &'a Prior,
    pooled: Option<&'a Pooled>,
    quantities: Quantities,
    stands_alone: bool,
}

impl Outlook<'_> {
    fn answer(&self, mut answer: Forecast) -> Forecast {
        let daily = &self.history.daily;
        let gap = self.limit - daily[daily.len() - 1];
        let futures = (daily.len() > 1).then(|| bootstrap::simulate(daily, &[gap], true));
        let own = futures.as_ref().filter(|_| self.stands_alone).map(|futures| {
            let mut passages = of_gaps(daily, &[gap], futures, self.horizon_days, self.prior);
            passages.swap_remove(0)
        });
        let passage = self.with_units_alike(own, gap, &mut answer);
        let ground = match &futures {
            // What is borrowed is ground of its own.
            Some(futures) if self.pooled.is_none() || Pooled::share(daily.len() - 1, self.prior) == 0.0 => {
                let days = futures.days(0);
                days.iter().filter(|day| **day <= self.horizon_days).count() as f64 / days.len() as f64
            }
            _ => 1.0,
        };
        let scatter = self.only_scatters();
        let share = if scatter.is_some() { 0.0 } else { (ground / GROUND_SHARE).clamp(0.0, 1.0) };
        let within = passage.probability_within(f64::from(self.horizon_days));
        let weight =
            if within > 0.0 { (share * share).max((GROUNDLESS_PROBABILITY / within).min(1.0)) } else { 1.0 };
        self.fill(&mut answer, &passage, weight, futures.as_ref(), gap);
        self.judge(answer, &passage, ground, scatter)
    }

    /// The unit's own distribution, moved towards that of units alike as far as its history is short.
    fn with_units_alike(&self, own: Option<FirstPassage>, gap: f64, answer: &mut Forecast) -> FirstPassage {
        let daily = &self.history.daily;
        let days = daily.len() - 1;
        let share = Pooled::share(days, self.prior);
        let Some(pooled) = self.pooled.filter(|_| share > 0.0 || own.is_none()) else {
            return own.unwrap_or_else(|| FirstPassage::certain(false, self.horizon_days));
        };
        let alike = pooled.first_passage(
            daily[days] - daily[0],
            days as f64,
            gap,
            self.limit,
            self.horizon_days,
            self.prior,
        );
        let share = if own.is_none() { 1.0 } else { share };
        answer.why.insert(0, why::units_alike(pooled, days, share, self.limit, self.quantities));
        match own {
            Some(own) => own.blended(&alike, share),
            None => alike,
        }
    }

    /// The distribution of the date, each probability by its weight, and the fan of the value.
    fn fill(
        &self,
        answer: &mut Forecast,
        passage: &FirstPassage,
        weight: f64,
        futures: Option<&Futures>,
        gap: f64,
    ) {
        let after = |days: f64| after(self.history.until, days);
        let mut days: Vec<f64> = grid_days(self.horizon_days).into_iter().map(f64::from).collect();
        days.extend([0.1, 0.5, 0.9].iter().filter_map(|p| passage.quantile(*p)));
        days.sort_unstable_by(f64::total_cmp);
        let mut points: Vec<PassagePoint> = days
            .into_iter()
            .map(|day| PassagePoint { at: after(day), probability: weight * passage.probability_within(day) })
            .collect();
        points.dedup_by_key(|point| point.at);
        answer.passage = Passage(points);
        if let Some(futures) = futures {
            let last = self.limit - gap;
            answer.fan = fan::of(futures, passage, last, gap, self.horizon_days)
                .into_iter()
                .map(|(day, values)| fan::point(after(day), values))
                .collect();
        }
    }

    fn judge(
        &self,
        mut answer: Forecast,
        passage: &FirstPassage,
        ground: f64,
        scatter: Option<f64>,
    ) -> Forecast {
        let within = passage.probability_within(f64::from(self.horizon_days));
        let daily = &self.history.daily;
        let trend = shape::daily_trend(daily);
        let borrowed = Pooled::share(daily.len() - 1, self.prior) > 0.5 && self.pooled.is_some();
        let quantities = self.quantities;
        let horizon_days = self.horizon_days;
        if within >= DATED_PROBABILITY && ground >= GROUND_SHARE {
            if within < 0.5 && trend <= 0.0 && !borrowed {
                let sentence = format!(
                    "It moves up and down more than it grows: {:.0} of 100 futures reach the limit inside {horizon_days} days.",
                    within * 100.0
                );
                return answer.with_state(State::TooNoisy, "moves_more_than_it_grows", sentence);
            }
            if let Some(scatter) = scatter {
                let sentence = format!(
                    "It moves up and down by {} about one level and has grown by less than that.",
                    quantities.print_step(scatter)
                );
                return answer.with_state(State::TooNoisy, "moves_about_a_level", sentence);
            }
            // A date before the moment of asking would be a date that did not come true: it is moved to that moment.
            let date = |p| passage.quantile(p).map(|days| after(self.history.until, days).max(answer.as_of));
            let (p10, p50, p90) = (date(0.1), date(0.5), date(0.9));
            (answer.p10, answer.p50, answer.p90) = (p10, p50, p90);
            if p10.is_some() {
                let latest = shape::paces(daily).first().copied();
                let sentence = match (p50, borrowed, latest) {
                    (_, true, _) => "Its own history is short: the date rests on units alike.".to_owned(),
                    (Some(_), _, Some((days, pace))) if trend > 0.0 && pace < SLOWED * trend => {
                        let now = match pace > 0.0 {
                            true => format!("by no more than {}", quantities.print_step(pace)),
                            false => "not".to_owned(),
                        };
                        let grew = quantities.print_step(trend);
                        format!("It grew by {grew} a day, but {now} in the last {days} days.")
                    }
                    (Some(_), ..) if trend > 0.0 => {
                        format!("It grows by {} a day.", quantities.print_step(trend))
                    }
                    _ => format!(
                        "It may reach the limit inside {horizon_days} days with a probability of {:.0} %.",
                        within * 100.0
                    ),
                };
                let code = if borrowed { "grows_as_units_alike" } else { "grows_to_limit" };
                return answer.with_state(State::Dated, code, sentence);
            }
        }
        if trend <= 0.0 && !borrowed {
            return answer.with_state(State::FlatOrShrinking, "no_growth", "It does not grow.".to_owned());
        }
        let grows = quantities.print_step(trend.max(0.0));
        if trend * f64::from(horizon_days) >= self.limit - daily[daily.len() - 1] {
            let sentence = format!(
                "It grew by {grows} a day, which is not expected to last: hardly any of its futures reach the limit inside {horizon_days} days."
            );
            return answer.with_state(State::BeyondHorizon, "growth_not_expected_to_last", sentence);
        }
        let sentence =
            format!("It grows by {grows} a day, too slowly to reach the limit inside {horizon_days} days.");
        answer.with_state(State::BeyondHorizon, "slow_growth", sentence)
    }

    /// How far the value scatters, where that is all it does and the limit lies beyond it.
    fn only_scatters(&self) -> Option<f64> {
        let daily = &self.history.daily;
        let level = shape::median(&mut daily[daily.len().saturating_sub(28)..].to_vec())?;
        shape::scatter(daily).filter(|scatter| self.limit - level > SCATTER_REACH * scatter)
    }
}
