//! `headroom-node forecast`: when what this node watches runs out, from its own store; `--check` for monitoring systems.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use headroom_core::forecast::{Prior, State};
use headroom_core::quantity::Bytes;
use headroom_core::unit::{ComponentKind, Resource};
use jiff::Timestamp;

use super::{Context, print_json, size};
use crate::durable;
use crate::failure::{Failure, one_line};
use crate::forecast::answer::{Asked, ComponentForecast, forecast_all};
use crate::store::Store;

/// File of the data folder with the hub's constants, where somebody brought them.
const PRIOR_FILE_NAME: &str = "prior.json";
const DAY_SECONDS: f64 = 86_400.0;

/// Arguments of `forecast`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Only this resource: capacity, load, endurance, inodes or thin_metadata
    #[arg(long, value_parser = |name: &str| name.parse::<Resource>())]
    resource: Option<Resource>,
    /// How far to look ahead, days
    #[arg(long, default_value_t = 1_096, value_parser = clap::value_parser!(u16).range(1..=1_096))]
    horizon_days: u16,
    /// As if it were this moment; nothing later is used
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// Constants of the model (JSON), as the hub uses them; the data folder's prior.json where there is one
    #[arg(long, value_name = "FILE")]
    prior: Option<PathBuf>,
    /// For a monitoring system: one line, and exit code 0 in order, 1 warning, 2 critical, 3 unknown
    #[arg(long)]
    check: bool,
    /// With --check, days to the earliest likely date (P10) below which it warns
    #[arg(long, default_value_t = 90, requires = "check")]
    warning_days: u16,
    /// With --check, days below which it is critical
    #[arg(long, default_value_t = 30, requires = "check")]
    critical_days: u16,
    /// Print JSON
    #[arg(long, conflicts_with = "check")]
    json: bool,
}

impl Args {
    /// Whether a monitoring system asks.
    pub(crate) fn is_check(&self) -> bool {
        self.check
    }
}

/// The one line for a monitoring system where nothing can be told.
pub(crate) fn unknown(error: &anyhow::Error) -> anyhow::Result<ExitCode> {
    let sentence = one_line(error).lines().collect::<Vec<_>>().join(" ");
    writeln!(std::io::stdout().lock(), "HEADROOM UNKNOWN - {sentence}")?;
    Ok(ExitCode::from(3))
}

/// Forecasts and prints.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let as_of = args.as_of.unwrap_or_else(Timestamp::now);
    let answers = answers(context, args, as_of);
    if args.check {
        if args.critical_days > args.warning_days {
            let (critical, warning) = (args.critical_days, args.warning_days);
            let sentence = format!("--critical-days {critical} lies above --warning-days {warning}");
            return unknown(&Failure::Usage(sentence).into());
        }
        let (code, line) = match &answers {
            Ok(answers) => verdict(answers, as_of, args.warning_days, args.critical_days),
            Err(error) => return unknown(error),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        return Ok(ExitCode::from(code));
    }
    let answers = answers?;
    if args.json {
        print_json(&answers)?;
    } else {
        print(&answers)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answers(context: &Context, args: &Args, as_of: Timestamp) -> anyhow::Result<Vec<ComponentForecast>> {
    let settings = &context.settings;
    let path = settings.store_path();
    if !path.exists() {
        let sentence = format!("there is no store in {}: has this node run?", settings.data_dir.display());
        return Err(Failure::NotFound(sentence).into());
    }
    let store = Store::open_reader(&path)?;
    let prior = prior(
        args.prior.clone().unwrap_or_else(|| settings.data_dir.join(PRIOR_FILE_NAME)),
        args.prior.is_some(),
    )?;
    let asked = Asked { prior, as_of, horizon_days: args.horizon_days, resource: args.resource };
    Ok(forecast_all(&store, &asked)?)
}

fn prior(path: PathBuf, named: bool) -> anyhow::Result<Prior> {
    let read = durable::read_json(&path)
        .with_context(|| Failure::Data(format!("{} holds no constants of a model", path.display())))?;
    match read {
        Some(prior) => Ok(prior),
        None if named => Err(Failure::NotFound(format!("{} is not there", path.display())).into()),
        None => Ok(Prior::builtin()),
    }
}

/// Exit code and line, as monitoring plugins have them: the worst first, figures behind the bar.
fn verdict(answers: &[ComponentForecast], as_of: Timestamp, warning: u16, critical: u16) -> (u8, String) {
    if answers.is_empty() {
        return (3, "HEADROOM UNKNOWN - nothing that can run out has been measured yet".to_owned());
    }
    let mut findings: Vec<(u8, f64, String)> = Vec::new();
    let mut untold = Vec::new();
    for answer in answers {
        let forecast = &answer.forecast;
        let what = format!("{} of {}", forecast.resource, name(answer));
        if forecast.state == State::AlreadyExhausted {
            findings.push((2, 0.0, format!("{what} has run out")));
        } else if forecast.state == State::Stale {
            findings.push((3, f64::MAX, format!("{what}: {}", forecast.reason.sentence)));
        } else if matches!(forecast.state, State::TooShort | State::TooNoisy | State::UnknownLimit) {
            untold.push(format!("{what}: {}", forecast.reason.sentence));
        } else if let Some(p10) = forecast.p10 {
            let days = days_between(as_of, p10);
            let level = if days < f64::from(critical) { 2 } else { u8::from(days < f64::from(warning)) };
            if level > 0 {
                findings.push((level, days, format!("{what} may run out from {} on", date(p10))));
            }
        }
    }
    // What nothing can be told of is not in order.
    if let (true, Some(first)) = (untold.len() == answers.len(), untold.first()) {
        let more = match untold.len() {
            1 => String::new(),
            count => format!(" ({} more like it)", count - 1),
        };
        return (3, format!("HEADROOM UNKNOWN - {first}{more}"));
    }
    // Unknown is worse than a warning and better than critical.
    let rank = |level: u8| [0, 1, 3, 2].get(usize::from(level)).copied().unwrap_or(3);
    findings.sort_by(|a, b| rank(b.0).cmp(&rank(a.0)).then(a.1.total_cmp(&b.1)));
    let level = findings.first().map_or(0, |finding| finding.0);
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"].get(usize::from(level)).copied().unwrap_or("UNKNOWN");
    let sentence = match findings.split_first() {
        None if untold.is_empty() => format!("nothing runs out within {warning} days"),
        None => format!(
            "nothing runs out within {warning} days, as far as can be told: not of {} of {}",
            untold.len(),
            answers.len()
        ),
        Some((worst, [])) => worst.2.clone(),
        Some((worst, others)) => format!("{}, and {} more", worst.2, others.len()),
    };
    let dated = answers.iter().filter_map(|answer| answer.forecast.p10);
    let figures = match dated.min() {
        Some(first) => format!(" | days_to_p10={:.1};{warning};{critical}", days_between(as_of, first)),
        None => String::new(),
    };
    (level, format!("HEADROOM {word} - {sentence}{figures}"))
}

fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_second() - from.as_second()) as f64 / DAY_SECONDS
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn name(answer: &ComponentForecast) -> &str {
    answer.label.as_deref().unwrap_or(&answer.component.0)
}

fn print(answers: &[ComponentForecast]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if answers.is_empty() {
        writeln!(out, "nothing that can run out has been measured yet")?;
    }
    for answer in answers {
        let forecast = &answer.forecast;
        let value = |value: Option<f64>| {
            value.map_or_else(|| "?".to_owned(), |value| shown(answer.kind, forecast.resource, value))
        };
        writeln!(out, "{}  {}  {}", name(answer), forecast.resource, forecast.state)?;
        writeln!(out, "    {} of {} in use", value(forecast.last_used), value(forecast.limit))?;
        if let (Some(p10), p50, p90) = (forecast.p10, forecast.p50, forecast.p90) {
            let or_later = |at: Option<Timestamp>| at.map_or_else(|| "beyond the horizon".to_owned(), date);
            writeln!(
                out,
                "    runs out {} (P50), between {} (P10) and {} (P90)",
                or_later(p50),
                date(p10),
                or_later(p90)
            )?;
        }
        writeln!(out, "    {}", forecast.reason.sentence)?;
    }
    Ok(())
}

fn shown(kind: Option<ComponentKind>, resource: Resource, value: f64) -> String {
    match resource {
        Resource::Capacity | Resource::ThinMetadata => {
            size(kind.unwrap_or(ComponentKind::Volume), Bytes(value as u64))
        }
        Resource::Load | Resource::Endurance => format!("{:.1} %", value * 100.0),
        Resource::Inodes => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::{Observation, Prior, Question, forecast};
    use headroom_core::unit::{ComponentKey, Resource};
    use jiff::{SignedDuration, Timestamp};

    use super::verdict;
    use crate::forecast::answer::ComponentForecast;

    fn growing(as_of: Timestamp, limit: f64) -> ComponentForecast {
        let observations: Vec<_> = (0..200)
            .map(|day| Observation {
                at: as_of - SignedDuration::from_hours(24 * (199 - day)),
                used: 10.0 * day as f64,
                limit: Some(limit),
            })
            .collect();
        let question = Question {
            resource: Resource::Capacity,
            observations: &observations,
            limit: None,
            as_of,
            horizon_days: 1_096,
        };
        ComponentForecast {
            component: ComponentKey("file_system-1".to_owned()),
            kind: None,
            label: None,
            forecast: forecast(&question, &Prior::builtin()),
        }
    }

    #[test]
    fn the_worst_decides() {
        let as_of: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        // 1,990 in use, 10 more a day.
        let (far, near, now, over) = (
            growing(as_of, 5_000.0),
            growing(as_of, 2_700.0),
            growing(as_of, 2_100.0),
            growing(as_of, 1_900.0),
        );
        let verdict = |answers: &[ComponentForecast]| verdict(answers, as_of, 90, 30);
        assert_eq!(verdict(std::slice::from_ref(&far)).0, 0);
        let (code, line) = verdict(&[far.clone(), near.clone()]);
        assert_eq!(code, 1);
        assert!(
            line.starts_with("HEADROOM WARNING - capacity of file_system-1 may run out from 2027-")
                && line.contains(" | days_to_p10="),
            "{line}"
        );
        assert_eq!(verdict(&[far.clone(), now, near]).0, 2);
        let (code, line) = verdict(&[far, over]);
        assert_eq!((code, line.contains("has run out")), (2, true), "{line}");
        assert_eq!(verdict(&[]).0, 3);
    }

    #[test]
    fn what_nothing_can_be_told_of_is_not_in_order() {
        let as_of: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let far = growing(as_of, 5_000.0);
        let mut young = far.clone();
        young.forecast = forecast(
            &Question {
                resource: Resource::Capacity,
                observations: &[Observation { at: as_of, used: 1.0, limit: Some(9.0) }],
                limit: None,
                as_of,
                horizon_days: 1_096,
            },
            &Prior::builtin(),
        );
        let (code, line) = verdict(&[young.clone(), young.clone()], as_of, 90, 30);
        assert_eq!(code, 3, "{line}");
        assert!(
            line.starts_with("HEADROOM UNKNOWN - capacity of file_system-1: ") && line.contains("1 more"),
            "{line}"
        );
        let (code, line) = verdict(&[young, far], as_of, 90, 30);
        assert_eq!(code, 0, "{line}");
        assert!(line.contains("not of 1 of 2"), "{line}");
    }
}
