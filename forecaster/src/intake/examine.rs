//! Looks at what a node sent before anything is written. A batch that contradicts itself is refused whole, with the
//! field named; a single sample that cannot be is set aside with its reason, and the others are taken.

use std::collections::HashSet;
use std::time::Duration;

use headroom_core::exchange::{Answer, Batch, PROTOCOL_VERSION, SequenceRange};
use headroom_core::unit::{ComponentKey, FIGURES, Sample, Status, UnitReport};
use jiff::{SignedDuration, Timestamp};

use super::problem::IntakeProblem;

/// Longest name of a component or unit, characters.
const KEY_CHARACTERS_MAX: usize = 400;
/// Longest text in a description, bytes: real ones have a few dozen.
const TEXT_BYTES_MAX: usize = 4_000;
/// Longest value of identity evidence and name of a figure, characters.
const NAME_CHARACTERS_MAX: usize = 400;
/// Most components that one node has.
const COMPONENTS_MAX: usize = 20_000;
/// No node remarked anything before this moment, whatever its clock: 1900-01-01.
const EARLIEST_REMARK_SECOND: i64 = -2_208_988_800;
/// No storage reported its status before this moment: 2000-01-01.
const EARLIEST_SECOND: i64 = 946_684_800;

/// A sample that is not taken, and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SetAside {
    /// The sample as it was sent.
    pub(crate) sample: Sample,
    /// Short and stable, snake_case.
    pub(crate) code: &'static str,
    /// What is wrong, in one sentence.
    pub(crate) sentence: String,
}

/// Samples, sorted out.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SortedOut {
    /// Samples to write.
    pub(crate) taken: Vec<Sample>,
    /// Samples that are set aside.
    pub(crate) set_aside: Vec<SetAside>,
}

/// Refuses an answer that contradicts itself.
pub(crate) fn examine_answer(answer: &Answer) -> Result<(), IntakeProblem> {
    if answer.protocol > PROTOCOL_VERSION {
        return Err(IntakeProblem::invalid(
            "answer.protocol",
            format!(
                "{} is newer than this hub understands ({PROTOCOL_VERSION}): upgrade the hub",
                answer.protocol
            ),
        ));
    }
    let count: usize = answer.units.iter().chain(&answer.gone).map(|unit| unit.components.len()).sum();
    if count > COMPONENTS_MAX {
        return Err(IntakeProblem::invalid(
            "answer.units",
            format!("{count} components are more than the {COMPONENTS_MAX} that one node may have"),
        ));
    }
    let mut components = HashSet::new();
    for (list, reports) in [("answer.units", &answer.units), ("answer.gone", &answer.gone)] {
        let mut units = HashSet::new();
        for (u, unit) in reports.iter().enumerate() {
            let path = format!("{list}[{u}]");
            if !units.insert(&unit.key) {
                return Err(IntakeProblem::invalid(format!("{path}.key"), "names a unit a second time"));
            }
            examine_unit(&path, unit, &mut components)?;
        }
    }
    for (a, absence) in answer.absences.iter().enumerate() {
        if absence.field.0.trim().is_empty() {
            return Err(IntakeProblem::invalid(format!("answer.absences[{a}].field"), "is empty"));
        }
        examine_name(&absence.field.0, || format!("answer.absences[{a}].field"))?;
    }
    examine_remarks(answer)
}

fn examine_remarks(answer: &Answer) -> Result<(), IntakeProblem> {
    let count = answer.remarks.len() + answer.notices.len();
    if count > COMPONENTS_MAX {
        let reason = format!("{count} are more than the {COMPONENTS_MAX} that one node may tell");
        return Err(IntakeProblem::invalid("answer.remarks", reason));
    }
    for (r, remark) in answer.remarks.iter().enumerate() {
        if remark.text.trim().is_empty() {
            return Err(IntakeProblem::invalid(format!("answer.remarks[{r}].text"), "is empty"));
        }
        // A clock that was never set says 1970. PostgreSQL knows no year before 4714 BC.
        if remark.at.is_some_and(|at| at.as_second() < EARLIEST_REMARK_SECOND) {
            return Err(IntakeProblem::invalid(
                format!("answer.remarks[{r}].at"),
                "lies before the year 1900",
            ));
        }
    }
    if let Some(n) = answer.notices.iter().position(|text| text.trim().is_empty()) {
        return Err(IntakeProblem::invalid(format!("answer.notices[{n}]"), "is empty"));
    }
    Ok(())
}

/// `components` are those of the units before: a key names one component of a node.
fn examine_unit<'a>(
    path: &str,
    unit: &'a UnitReport,
    components: &mut HashSet<&'a ComponentKey>,
) -> Result<(), IntakeProblem> {
    examine_key(&unit.key, || format!("{path}.key"))?;
    for (e, evidence) in unit.identity.iter().enumerate() {
        examine_name(&evidence.value, || format!("{path}.identity[{e}].value"))?;
    }
    for (c, component) in unit.components.iter().enumerate() {
        let field = || format!("{path}.components[{c}].key");
        examine_key(&component.key, field)?;
        if !components.insert(&component.key) {
            return Err(IntakeProblem::invalid(field(), "names a component a second time"));
        }
        for (e, evidence) in component.identity.iter().enumerate() {
            examine_name(&evidence.value, || format!("{path}.components[{c}].identity[{e}].value"))?;
        }
        if component.specs.capacity_bytes.is_some_and(|bytes| i64::try_from(bytes.0).is_err()) {
            return Err(IntakeProblem::invalid(
                format!("{path}.components[{c}].specs.capacity_bytes"),
                "is more than 2^63-1 bytes",
            ));
        }
    }
    Ok(())
}

fn examine_name(text: &str, field: impl Fn() -> String) -> Result<(), IntakeProblem> {
    let length = text.chars().count();
    if length > NAME_CHARACTERS_MAX {
        let reason = format!("has {length} characters; up to {NAME_CHARACTERS_MAX} are allowed");
        return Err(IntakeProblem::invalid(field(), reason));
    }
    Ok(())
}

fn examine_key(key: &ComponentKey, field: impl Fn() -> String) -> Result<(), IntakeProblem> {
    let length = key.0.chars().count();
    if key.0.trim().is_empty() || length > KEY_CHARACTERS_MAX {
        return Err(IntakeProblem::invalid(
            field(),
            format!("has {length} characters; 1 to {KEY_CHARACTERS_MAX} are allowed"),
        ));
    }
    if key.0.contains('\0') {
        return Err(IntakeProblem::invalid(field(), "contains the character NUL"));
    }
    Ok(())
}

/// Refuses text that PostgreSQL cannot hold or no storage would tell, wherever it stands in the description.
pub(crate) fn examine_text(answer: &Answer) -> Result<(), IntakeProblem> {
    for (name, told) in [
        ("answer.user", serde_json::to_value(&answer.user)),
        ("answer.units", serde_json::to_value(&answer.units)),
        ("answer.gone", serde_json::to_value(&answer.gone)),
        ("answer.absences", serde_json::to_value(&answer.absences)),
        ("answer.remarks", serde_json::to_value(&answer.remarks)),
        ("answer.notices", serde_json::to_value(&answer.notices)),
    ] {
        let told = told.map_err(|error| IntakeProblem::invalid(name, error.to_string()))?;
        examine_value(name, &told)?;
    }
    Ok(())
}

fn examine_value(path: &str, told: &serde_json::Value) -> Result<(), IntakeProblem> {
    match told {
        serde_json::Value::String(text) if text.contains('\0') => {
            Err(IntakeProblem::invalid(path, "contains the character NUL"))
        }
        serde_json::Value::String(text) if text.len() > TEXT_BYTES_MAX => Err(IntakeProblem::invalid(
            path,
            format!("has {} bytes; up to {TEXT_BYTES_MAX} are allowed", text.len()),
        )),
        serde_json::Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| examine_value(&format!("{path}[{index}]"), item)),
        serde_json::Value::Object(fields) => {
            fields.iter().try_for_each(|(name, field)| examine_value(&format!("{path}.{name}"), field))
        }
        _ => Ok(()),
    }
}

/// Refuses a batch that contradicts itself or the answer that it comes with.
pub(crate) fn examine_batch(answer: &Answer, batch: &Batch) -> Result<(), IntakeProblem> {
    let node = answer.description.node;
    if batch.node != node {
        return Err(IntakeProblem::invalid(
            "batch.node",
            format!("is {}, but the answer is of {node}", batch.node),
        ));
    }
    if batch.store != answer.description.store {
        return Err(IntakeProblem::invalid("batch.store", "is not the store that the answer names"));
    }
    match batch.range {
        Some(range) => examine_coverage(range, batch),
        None if batch.samples.is_empty() && batch.gaps.is_empty() => Ok(()),
        None => Err(IntakeProblem::invalid("batch.range", "is missing, though there are samples or gaps")),
    }
}

/// Parts the samples that can be from those that cannot. `now` is the hub's clock.
pub(crate) fn sort_out(
    samples: Vec<Sample>,
    is_known: &dyn Fn(&ComponentKey) -> bool,
    now: Timestamp,
    future_max: Duration,
) -> SortedOut {
    let latest = now
        .checked_add(SignedDuration::try_from(future_max).unwrap_or(SignedDuration::ZERO))
        .unwrap_or(Timestamp::MAX);
    let mut sorted = SortedOut::default();
    for sample in samples {
        let refusal = if is_known(&sample.component) {
            refusal(&sample, latest)
        } else {
            let key: String = sample.component.0.chars().take(100).collect();
            Some(("unknown_component", format!("The node never described a component {key:?}.")))
        };
        match refusal {
            None => sorted.taken.push(sample),
            Some((code, sentence)) => sorted.set_aside.push(SetAside { sample, code, sentence }),
        }
    }
    sorted
}

/// Every sequence number of the range must be in exactly one of samples and gaps: an acknowledged number that was
/// neither would be a sample lost.
fn examine_coverage(range: SequenceRange, batch: &Batch) -> Result<(), IntakeProblem> {
    if range.first > range.last || i64::try_from(range.last).is_err() {
        return Err(IntakeProblem::invalid(
            "batch.range",
            format!("{}..{} is no range of sequence numbers", range.first, range.last),
        ));
    }
    let mut gaps = batch.gaps.iter().enumerate().peekable();
    let mut samples = batch.samples.iter().enumerate().peekable();
    let mut next = Some(range.first);
    while let Some(wanted) = next.filter(|wanted| *wanted <= range.last) {
        if let Some((index, gap)) = gaps.peek().copied()
            && gap.first <= wanted
        {
            if gap.first < wanted || gap.last < gap.first || gap.last > range.last {
                return Err(IntakeProblem::invalid(
                    format!("batch.gaps[{index}]"),
                    format!("{}..{} overlaps a sample, another gap or the range's end", gap.first, gap.last),
                ));
            }
            gaps.next();
            next = gap.last.checked_add(1);
            continue;
        }
        match samples.next() {
            Some((_, sample)) if sample.sequence == wanted => next = wanted.checked_add(1),
            Some((index, sample)) => {
                return Err(IntakeProblem::invalid(
                    format!("batch.samples[{index}].sequence"),
                    format!(
                        "is {} where {wanted} is expected: samples and gaps must fill the range in order",
                        sample.sequence
                    ),
                ));
            }
            None => {
                return Err(IntakeProblem::invalid(
                    "batch.range",
                    format!("speaks for {wanted}, which is neither among the samples nor in a gap"),
                ));
            }
        }
    }
    if let Some((index, sample)) = samples.peek() {
        return Err(IntakeProblem::invalid(
            format!("batch.samples[{index}].sequence"),
            format!("{} lies outside the batch's range or in one of its gaps", sample.sequence),
        ));
    }
    if let Some((index, _)) = gaps.peek() {
        return Err(IntakeProblem::invalid(format!("batch.gaps[{index}]"), "lies outside the batch's range"));
    }
    Ok(())
}

/// Why a sample cannot be, where it cannot.
fn refusal(sample: &Sample, latest: Timestamp) -> Option<(&'static str, String)> {
    if sample.at > latest {
        return Some(("future", format!("{} lies in the future of the hub's clock.", sample.at)));
    }
    if sample.at.as_second() < EARLIEST_SECOND {
        return Some((
            "past",
            format!("{} lies before the year 2000: the node's clock was not set.", sample.at),
        ));
    }
    impossible(&sample.status).map(|sentence| ("impossible", sentence))
}

fn impossible(status: &Status) -> Option<String> {
    FIGURES.iter().find_map(|figure| {
        let value = figure.of(status).filter(|value| !figure.can_be(*value))?;
        let (name, least, most) = (figure.name, figure.least, figure.most);
        Some(format!("{name} is {value}, which lies outside {least} to {most}."))
    })
}

#[cfg(test)]
#[path = "examine_tests.rs"]
mod tests;
