//! Load.
use super::{Forecast, Prior, Question, State, model::with_state};

pub(super) fn answer(
    answer: Forecast,
    _question: &Question<'_>,
    _limit: f64,
    _age_days: i64,
    _prior: &Prior,
) -> Forecast {
    with_state(answer, State::TooShort, "days_missing", "There is too little history.".to_owned())
}
