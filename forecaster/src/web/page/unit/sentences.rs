//! The words of the unit page. Each is made of figures that SQL and REST give too.

use headroom_core::forecast::{Factor, State};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::database::judged::{Accuracy, Case};
use crate::database::plans::PlanRow;
use crate::database::unit_page::{ComponentRow, EarlierForecast, ForecastRow, Surroundings};
use crate::database::worklist_page::Line;
use crate::web::chart::measure::{Measure, grouped, percent};
use crate::web::line::{money, size};
use crate::web::role::Role;
use crate::web::wording::{ago, day, resource_word, state_word, words};

/// What can be done, as a card.
pub(super) struct OptionCard {
    pub(super) title: String,
    pub(super) chosen: bool,
    pub(super) price: String,
    pub(super) effect: String,
    pub(super) items: Option<String>,
    pub(super) order_by: Option<String>,
    pub(super) overdue: bool,
}

/// A past forecast and what came.
pub(super) struct JudgedCase {
    pub(super) asked: String,
    pub(super) said: String,
    pub(super) came: String,
    pub(super) verdict: &'static str,
}

/// The sentence that matters most: when it runs out, and by when to order so that it does not.
pub(super) fn headline(head: &Line, chosen: Option<&PlanRow>, around: &Surroundings) -> String {
    let what = match head.row.resource {
        Some(headroom_core::unit::Resource::Capacity) | None => "full".to_owned(),
        Some(resource) => format!("out of {}", resource_word(resource).to_lowercase()),
    };
    let mut text = match (head.row.state, head.row.p10, head.row.p50, head.row.p90) {
        (Some(State::Dated), Some(p10), Some(p50), Some(p90)) => {
            format!("Likely {what} on {} (8 of 10 outcomes between {} and {}).", day(p50), day(p10), day(p90))
        }
        (Some(State::Dated), Some(p10), Some(p50), None) => {
            format!(
                "Likely {what} on {} (not before {} in 9 of 10 outcomes; perhaps beyond the horizon).",
                day(p50),
                day(p10)
            )
        }
        (Some(State::Dated), Some(p10), None, _) => {
            format!("May be {what} from {} on; more likely beyond the horizon.", day(p10))
        }
        (Some(state), ..) => format!("{}. {}", state_word(state), head.reason_sentence()),
        (None, ..) => format!("No forecast yet. {}", head.reason_sentence()),
    };
    if let Some(order_by) = chosen.and_then(|plan| plan.order_by) {
        let days = |days: Option<i16>| days.unwrap_or(0);
        let terms = format!(
            "lead time {} d, approval {} d, installation {} d",
            days(chosen.and_then(PlanRow::lead_time_days)),
            days(around.approval_days),
            days(around.installation_days)
        );
        let overdue = head.overdue || chosen.is_some_and(|plan| plan.overdue);
        text.push_str(&if overdue {
            format!(" The last day to order in time was {} ({terms}): order now.", civil(order_by))
        } else {
            format!(" Order by {} to be in time ({terms}).", civil(order_by))
        });
    }
    text
}

/// A calendar day as people write it.
pub(super) fn civil(date: Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

/// How good forecasts of this unit were.
pub(super) fn accuracy(judged: &Accuracy) -> String {
    let Some(coverage) = judged.coverage80.filter(|_| judged.judged > 0) else {
        return "No earlier forecast of this unit can be judged yet.".to_owned();
    };
    let inside = (coverage * judged.judged as f64).round() as i64;
    let mut text = format!(
        "Of {} past forecasts of this unit, {inside} ({}) came true inside their band",
        judged.judged,
        percent(coverage)
    );
    if let Some(error) = judged.median_error {
        text.push_str(&format!("; P50 was off by {} of the distance at the median", percent(error)));
    }
    if let Some(skill) = judged.skill {
        text.push_str(&format!("; skill against a straight line {skill:.2}"));
    }
    text.push('.');
    text
}

/// What moves the date, with days as the page writes them.
pub(super) fn factor(factor: &Factor) -> String {
    let Some(at) = factor.at else { return factor.sentence.clone() };
    let sentence = factor.sentence.replace(&at.strftime("%Y-%m-%d").to_string(), &day(at));
    if sentence.contains(&day(at)) { sentence } else { format!("{sentence} ({})", day(at)) }
}

/// What the forecast stands on.
pub(super) fn model(forecast: &ForecastRow) -> String {
    let span = match (forecast.data_from, forecast.data_until) {
        (Some(from), Some(until)) => format!(" from {} to {}", day(from), day(until)),
        _ => String::new(),
    };
    let aside = match forecast.set_aside {
        0 => String::new(),
        aside => format!(", {} set aside", grouped(aside.unsigned_abs())),
    };
    format!(
        "{} values{span}{aside}; model {}; asked {}.",
        grouped(forecast.samples.unsigned_abs()),
        forecast.model,
        crate::web::wording::moment(forecast.as_of)
    )
}

/// A plan as a card.
pub(super) fn option(plan: &PlanRow) -> OptionCard {
    OptionCard {
        title: words(&plan.action),
        chosen: plan.chosen,
        price: match (&plan.price, &plan.currency) {
            (Some(price), Some(currency)) => money(*price, currency),
            _ => "nothing to pay".to_owned(),
        },
        effect: plan.reason.clone(),
        items: plan.items_by_name(),
        order_by: plan.order_by.map(|date| match plan.overdue {
            true => format!("order now: the last day was {}", civil(date)),
            false => format!("order by {}", civil(date)),
        }),
        overdue: plan.overdue,
    }
}

/// What an earlier run said.
pub(super) fn earlier(earlier: &EarlierForecast) -> (String, String) {
    let said = match (earlier.state, earlier.dates) {
        (_, [Some(p10), Some(p50), Some(p90)]) => format!("{} ({} – {})", day(p50), day(p10), day(p90)),
        (_, [Some(p10), Some(p50), None]) => format!("{} (from {})", day(p50), day(p10)),
        (_, [Some(p10), None, _]) => format!("from {} on, perhaps", day(p10)),
        (Some(state), _) => state_word(state).to_owned(),
        (None, _) => "–".to_owned(),
    };
    (day(earlier.as_of), said)
}

/// A judged forecast.
pub(super) fn case(case: &Case, measure: Measure) -> JudgedCase {
    let days = |days: Option<f64>| days.map_or_else(|| "beyond".to_owned(), |days| format!("{days:.0} d"));
    let known = (case.judged_until.as_second() - case.origin.as_second()) as f64 / 86_400.0;
    let truth = case.true_days.unwrap_or(known);
    let [p10, _, p90] = case.days;
    let verdict = if truth < p10.unwrap_or(f64::INFINITY).min(known) {
        "before the band"
    } else if truth > p90.unwrap_or(f64::INFINITY) {
        "after the band"
    } else {
        "inside the band"
    };
    JudgedCase {
        asked: format!("{}: when {}?", day(case.origin), measure.write(case.limit)),
        said: format!("{} ({} – {})", days(case.days[1]), days(case.days[0]), days(case.days[2])),
        came: case
            .true_days
            .map_or_else(|| format!("not within {known:.0} d"), |days| format!("{days:.0} d")),
        verdict,
    }
}

/// Whose unit it is. A reader sees no names or addresses of people.
pub(super) fn user(around: &Surroundings, role: Role, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push((name, value));
        }
    };
    add("Customer", around.customer.clone());
    add("Reference", around.reference.clone());
    add("Territory", around.territory.clone());
    if role.sees_contacts() {
        add("Contact", around.contact_name.clone());
        add("Mail", around.contact_email.clone());
        add("Contact rule", around.no_contact.then(|| "must not be contacted".to_owned()));
    }
    add("Approval", around.approval_days.map(|days| format!("{days} days")));
    add("Installation", around.installation_days.map(|days| format!("{days} days")));
    add("Fiscal year from", around.fiscal_year_start_month.map(month));
    let granted = match around.granted.as_slice() {
        [] => "none".to_owned(),
        purposes => purposes.join(", "),
    };
    add("Purposes in force", Some(granted));
    add("Node", around.node_id.map(|node| node.to_string()));
    add("Node runs", around.placement.as_deref().map(placement));
    add("Program", around.software.clone());
    add("Measures every", around.interval_seconds.map(|seconds| format!("{seconds} s")));
    add("Node seen", around.node_seen_at.map(|at| ago(at, now)));
    if role == Role::Admin {
        add("Last failure", around.failure.clone());
    }
    facts
}

fn placement(placement: &str) -> String {
    match placement {
        "host" => "on the host above the unit".to_owned(),
        "peripheral" => "in the unit itself".to_owned(),
        other => words(other),
    }
}

fn month(number: i16) -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    usize::try_from(number - 1)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(String::new, |name| (*name).to_owned())
}

/// What was sold and made.
pub(super) fn specs(
    head: &Line,
    around: &Surroundings,
    components: &[ComponentRow],
) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Kind", head.kind_word()), ("Life", words(&head.life))];
    let mut add = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push((name, value));
        }
    };
    add("Product", around.product.clone());
    add("Model", head.row.model.clone());
    add("Serial", head.row.serial.clone());
    add("Sold", around.sold_on.map(civil));
    add("Free bays", around.bays_free.map(|bays| bays.to_string()));
    let drives: Vec<&ComponentRow> = components
        .iter()
        .filter(|component| component.kind == "drive" && component.gone_at.is_none())
        .collect();
    let sizes: Vec<i64> = drives
        .iter()
        .filter_map(|drive| drive.specs.capacity_bytes.and_then(|bytes| i64::try_from(bytes.0).ok()))
        .collect();
    let together = sizes.iter().try_fold(0_i64, |sum, bytes| sum.checked_add(*bytes));
    add("Drives", (!drives.is_empty()).then(|| drives.len().to_string()));
    add("Drives hold", together.filter(|bytes| *bytes > 0).map(|bytes| size(bytes, "drive")));
    let each = |of: fn(&ComponentRow) -> Option<String>| {
        let mut values: Vec<String> = drives.iter().filter_map(|drive| of(drive)).collect();
        values.sort();
        values.dedup();
        values.join(", ")
    };
    add("Interface", Some(each(|drive| drive.specs.interface.as_deref().map(words))));
    add("Firmware", Some(each(|drive| drive.specs.firmware.clone())));
    add(
        "Rotation",
        Some(each(|drive| {
            drive
                .specs
                .rotation_rpm
                .map(|rpm| if rpm == 0 { "solid state".to_owned() } else { format!("{rpm} rpm") })
        })),
    );
    let rated = drives.iter().filter_map(|drive| drive.specs.rated_write_bytes).map(|bytes| bytes.0).min();
    add("Rated writes", rated.map(|bytes| format!("{} each", headroom_core::quantity::Bytes(bytes).si())));
    facts
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{accuracy, case, month};
    use crate::database::judged::{Accuracy, Case};
    use crate::web::chart::measure::Measure;

    fn judged(days: [Option<f64>; 3], true_days: Option<f64>) -> &'static str {
        let at = |days: i64| Timestamp::from_second(1_700_000_000 + days * 86_400).expect("a time");
        let case_ = Case { origin: at(0), limit: 1e12, days, true_days, judged_until: at(200) };
        case(&case_, Measure::BytesSi).verdict
    }

    #[test]
    fn a_case_is_judged_as_far_as_the_truth_is_known() {
        let band = [Some(10.0), Some(20.0), Some(40.0)];
        assert_eq!(judged(band, Some(20.0)), "inside the band");
        assert_eq!(judged(band, Some(5.0)), "before the band");
        assert_eq!(judged(band, None), "after the band");
        assert_eq!(judged([Some(10.0), None, None], None), "inside the band");
        assert_eq!(judged([None; 3], None), "inside the band");
        assert_eq!(judged([None; 3], Some(20.0)), "before the band");
    }

    #[test]
    fn accuracy_counts_what_was_judged() {
        let told = accuracy(&Accuracy { judged: 41, coverage80: Some(33.0 / 41.0), ..Accuracy::default() });
        assert_eq!(told, "Of 41 past forecasts of this unit, 33 (80 %) came true inside their band.");
        assert!(accuracy(&Accuracy::default()).starts_with("No earlier"));
    }

    #[test]
    fn months_have_names() {
        assert_eq!(
            (month(1), month(12), month(13)),
            ("January".to_owned(), "December".to_owned(), String::new())
        );
    }
}
