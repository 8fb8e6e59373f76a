//! Endurance used, from pages of a device that may disagree or say what cannot be.

use super::Factor;

/// NVMe reports at most 255 % used (NVM Express Base 2.0, SMART / Health Information, byte 5).
const USED_MAX: f64 = 2.55;
/// Pages further apart than this, as a share of the rating, are said to disagree.
const APART: f64 = 0.10;
/// Bytes above this have never been written to one device: ten times what a drive at 20 GB/s writes in ten years.
const WRITTEN_BYTES_MAX: f64 = 6.4e19;

/// What the pages of a device say; `None` where a page is missing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EnduranceFigures {
    /// Percentage used of the health page, as a ratio.
    pub used: Option<f64>,
    /// Bytes written by the host in the device's life.
    pub written_bytes: Option<f64>,
    /// Bytes that the device is rated for.
    pub rated_bytes: Option<f64>,
    /// Spare blocks left, ratio.
    pub spare: Option<f64>,
    /// Spare blocks left at which the device warns, ratio.
    pub spare_threshold: Option<f64>,
}

/// Endurance used, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnduranceUsed {
    /// Ratio of the rating; `None` where no page is believable.
    pub used: Option<f64>,
    /// `disagreement` of pages, `refused` figures and `spare` that is gone.
    pub factors: Vec<Factor>,
}

/// Takes the device's own figure, and bytes written over the rating where there is none. What cannot be is refused and
/// named; figures that are more than a tenth of the rating apart are both named.
pub fn endurance_used(figures: &EnduranceFigures) -> EnduranceUsed {
    let mut factors = Vec::new();
    let mut believed = |name: &str, value: Option<f64>, most: f64| {
        let value = value?;
        if value.is_finite() && (0.0..=most).contains(&value) {
            return Some(value);
        }
        let sentence = format!("The device says {value} for {name}, which cannot be; it is not used.");
        factors.push(Factor { kind: "refused".to_owned(), at: None, amount: None, sentence });
        None
    };
    let used = believed("endurance used", figures.used, USED_MAX);
    let written = believed("bytes written", figures.written_bytes, WRITTEN_BYTES_MAX);
    let rated = believed("rated bytes", figures.rated_bytes, f64::MAX).filter(|rated| *rated > 0.0);
    let spare = believed("spare left", figures.spare, 1.0);
    let threshold = believed("spare threshold", figures.spare_threshold, 1.0);
    let by_bytes = written.zip(rated).map(|(written, rated)| written / rated);
    if let (Some(used), Some(by_bytes)) = (used, by_bytes)
        && (used - by_bytes).abs() > APART
    {
        let sentence = format!(
            "The health page says {:.0} % used, the bytes written are {:.0} % of the rating.",
            used * 100.0,
            by_bytes * 100.0
        );
        factors.push(Factor {
            kind: "disagreement".to_owned(),
            at: None,
            amount: Some(by_bytes - used),
            sentence,
        });
    }
    if let (Some(spare), Some(threshold)) = (spare, threshold)
        && spare <= threshold
    {
        let sentence = format!(
            "Spare blocks are at {:.0} %, the device warns at {:.0} %.",
            spare * 100.0,
            threshold * 100.0
        );
        factors.push(Factor { kind: "spare".to_owned(), at: None, amount: Some(spare), sentence });
    }
    EnduranceUsed { used: used.or(by_bytes.filter(|v| v.is_finite())), factors }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(figures: EnduranceFigures) -> (Option<f64>, Vec<String>) {
        let answer = endurance_used(&figures);
        (answer.used, answer.factors.into_iter().map(|f| f.kind).collect())
    }

    #[test]
    fn pages_that_disagree_are_named_and_the_device_is_believed() {
        let figures = EnduranceFigures {
            used: Some(0.10),
            written_bytes: Some(6e14),
            rated_bytes: Some(1e15),
            ..EnduranceFigures::default()
        };
        assert_eq!(kinds(figures), (Some(0.10), vec!["disagreement".to_owned()]));
        assert_eq!(kinds(EnduranceFigures { used: Some(0.55), ..figures }), (Some(0.55), vec![]));
        assert_eq!(kinds(EnduranceFigures { used: None, ..figures }), (Some(0.6), vec![]));
    }

    #[test]
    fn what_cannot_be_is_refused_and_missing_stays_missing() {
        for used in [f64::NAN, -0.1, 3.0, f64::INFINITY] {
            let figures = EnduranceFigures { used: Some(used), ..EnduranceFigures::default() };
            assert_eq!(kinds(figures), (None, vec!["refused".to_owned()]));
        }
        assert_eq!(kinds(EnduranceFigures::default()), (None, vec![]));
        let spent =
            EnduranceFigures { spare: Some(0.05), spare_threshold: Some(0.1), ..EnduranceFigures::default() };
        assert_eq!(kinds(spent), (None, vec!["spare".to_owned()]));
    }
}
