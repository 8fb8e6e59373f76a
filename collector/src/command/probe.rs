//! `headroom-node probe`: looks at this machine now and prints what it sees; keeps nothing and sends nothing.

use std::time::Duration;

use headroom_core::unit::{Absence, ComponentKey, Remark, Status, UnitReport};
use serde::Serialize;
use uuid::Uuid;

use super::Context;
use crate::measure::clock::{Clock as _, SystemClock};
use crate::measure::difference::Differences;
use crate::probe::redfish::Array;
use crate::probe::survey::{Survey, of_machine};

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often to look, one object each: from the second on it tells utilisation and queue depth
    #[arg(long, default_value_t = 1, value_name = "TIMES")]
    rounds: u32,
    /// Seconds between two looks
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pause: u32,
}

/// What one look saw.
#[derive(Debug, Serialize)]
struct Seen {
    units: Vec<UnitReport>,
    status: Vec<ComponentStatus>,
    absences: Vec<Absence>,
    remarks: Vec<Remark>,
}

#[derive(Debug, Serialize)]
struct ComponentStatus {
    component: ComponentKey,
    #[serde(flatten)]
    status: Status,
}

/// Looks and prints.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let (mut prober, _) = of_machine(&context.settings, Uuid::nil());
    let mut arrays = Array::of_settings(&context.settings);
    let patience = Duration::from_secs(u64::from(context.settings.patience_seconds));
    let mut differences = Differences::default();
    for round in 0..args.rounds {
        if round > 0 {
            std::thread::sleep(Duration::from_secs(u64::from(args.pause)));
        }
        let mut survey = prober.survey(SystemClock.now())?;
        for array in &mut arrays {
            survey.join(Survey::of_apparatus(&array.measure(patience)));
        }
        // One process is one boot; without a second look there is no difference, which needs no reason here.
        differences.fill(&mut survey.measured, Uuid::nil(), SystemClock.steady_milliseconds());
        super::print_json(&seen(survey))?;
    }
    Ok(())
}

fn seen(survey: Survey) -> Seen {
    let status = survey.measured.into_iter();
    Seen {
        units: survey.units,
        status: status.map(|one| ComponentStatus { component: one.component, status: one.status }).collect(),
        absences: survey.absences,
        remarks: survey.remarks,
    }
}
