//! Looks at what a node sent before anything is written. A batch that contradicts itself is refused whole, with the
//! field named; a single sample that cannot be is set aside with its reason, and the others are taken.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use headroom_core::exchange::{Answer, Batch, PROTOCOL_VERSION, SequenceRange};
use headroom_core::unit::{ComponentKey, Sample, Status};
use jiff::{SignedDuration, Timestamp};

use super::problem::IntakeProblem;

/// Longest name of a component or unit, characters.
const KEY_CHARACTERS_MAX: usize = 400;
/// Most components that one node has.
const COMPONENTS_MAX: usize = 20_000;
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

/// A batch, examined.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Examined {
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
            format!("{} is newer than this hub understands ({PROTOCOL_VERSION}): upgrade the hub", answer.protocol),
        ));
    }
    let count: usize = answer.units.iter().map(|unit| unit.components.len()).sum();
    if count > COMPONENTS_MAX {
        return Err(IntakeProblem::invalid(
            "answer.units",
            format!("{count} components are more than the {COMPONENTS_MAX} that one node may have"),
        ));
    }
    let mut units = HashSet::new();
    let mut components = HashSet::new();
    for (u, unit) in answer.units.iter().enumerate() {
        examine_key(&unit.key, || format!("answer.units[{u}].key"))?;
        if !units.insert(&unit.key) {
            return Err(IntakeProblem::invalid(format!("answer.units[{u}].key"), "names a unit a second time"));
        }
        for (c, component) in unit.components.iter().enumerate() {
            let field = || format!("answer.units[{u}].components[{c}].key");
            examine_key(&component.key, field)?;
            if !components.insert(&component.key) {
                return Err(IntakeProblem::invalid(field(), "names a component a second time"));
            }
            if component.specs.capacity_bytes.is_some_and(|bytes| i64::try_from(bytes.0).is_err()) {
                return Err(IntakeProblem::invalid(
                    format!("answer.units[{u}].components[{c}].specs.capacity_bytes"),
                    "is more than 2^63-1 bytes",
                ));
            }
        }
    }
    Ok(())
}

fn examine_key(key: &ComponentKey, field: impl Fn() -> String) -> Result<(), IntakeProblem> {
    let length = key.0.chars().count();
    if length == 0 || length > KEY_CHARACTERS_MAX {
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

/// Examines a batch of a node that answered `answer`. `now` is the hub's clock.
pub(crate) fn examine_batch(
    answer: &Answer,
    batch: Batch,
    now: Timestamp,
    future_max: Duration,
) -> Result<Examined, IntakeProblem> {
    let node = answer.description.node;
    if batch.node != node {
        return Err(IntakeProblem::invalid("batch.node", format!("is {}, but the answer is of {node}", batch.node)));
    }
    if batch.store != answer.description.store {
        return Err(IntakeProblem::invalid("batch.store", "is not the store that the answer names"));
    }
    let Some(range) = batch.range else {
        return if batch.samples.is_empty() && batch.gaps.is_empty() {
            Ok(Examined::default())
        } else {
            Err(IntakeProblem::invalid("batch.range", "is missing, though there are samples or gaps"))
        };
    };
    examine_coverage(range, &batch)?;
    let known: BTreeSet<&ComponentKey> =
        answer.units.iter().flat_map(|unit| &unit.components).map(|component| &component.key).collect();
    let latest = now
        .checked_add(SignedDuration::try_from(future_max).unwrap_or(SignedDuration::ZERO))
        .unwrap_or(Timestamp::MAX);
    let mut examined = Examined::default();
    for sample in batch.samples {
        let refusal = if known.contains(&sample.component) {
            refusal(&sample, latest)
        } else {
            Some(("unknown_component", format!("The node does not describe a component {:?}.", sample.component.0)))
        };
        match refusal {
            None => examined.taken.push(sample),
            Some((code, sentence)) => examined.set_aside.push(SetAside { sample, code, sentence }),
        }
    }
    Ok(examined)
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
                    format!("is {} where {wanted} is expected: samples and gaps must fill the range in order", sample.sequence),
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
            format!("{} lies outside the batch's range", sample.sequence),
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
        return Some(("past", format!("{} lies before the year 2000: the node's clock was not set.", sample.at)));
    }
    impossible(&sample.status).map(|sentence| ("impossible", sentence))
}

fn impossible(status: &Status) -> Option<String> {
    let counts = [
        ("capacity_bytes", status.capacity_bytes.map(|b| b.0)),
        ("used_bytes", status.used_bytes.map(|b| b.0)),
        ("inodes_total", status.inodes_total),
        ("inodes_used", status.inodes_used),
        ("metadata_capacity_bytes", status.metadata_capacity_bytes.map(|b| b.0)),
        ("metadata_used_bytes", status.metadata_used_bytes.map(|b| b.0)),
        ("read_ops", status.read_ops),
        ("write_ops", status.write_ops),
        ("read_bytes", status.read_bytes.map(|b| b.0)),
        ("write_bytes", status.write_bytes.map(|b| b.0)),
        ("busy_milliseconds", status.busy_milliseconds),
        ("queue_milliseconds", status.queue_milliseconds),
        ("data_read_bytes", status.data_read_bytes),
        ("data_written_bytes", status.data_written_bytes),
        ("power_on_hours", status.power_on_hours),
        ("media_errors", status.media_errors),
    ];
    for (name, value) in counts {
        if let Some(value) = value.filter(|value| i64::try_from(*value).is_err()) {
            return Some(format!("{name} is {value}, more than can be."));
        }
    }
    let ratio = |name: &str, value: Option<f64>, most: f64| {
        value
            .filter(|value| !value.is_finite() || *value < 0.0 || *value > most)
            .map(|value| format!("{name} is {value}, which lies outside 0 to {most}."))
    };
    if let Some(sentence) =
        ratio("utilisation", status.utilisation, 1.0).or_else(|| ratio("queue_depth", status.queue_depth, 1e9))
    {
        return Some(sentence);
    }
    if let Some(percent) = status.spare_percent.filter(|percent| *percent > 100) {
        return Some(format!("spare_percent is {percent}, more than 100."));
    }
    None
}

#[cfg(test)]
#[path = "examine_tests.rs"]
mod tests;
