//! Lengths in days sorted into classes of equal width in the logarithm: quantiles of many lengths without sorting any.
//!
//! The first classes hold one day each. Inside a class the lengths are taken to lie evenly in the logarithm, so a
//! quantile never falls where any length rises.

use std::sync::LazyLock;

/// The longest length that is told apart, days: ten years.
pub(super) const DAYS_MAX: usize = 3_660;
/// Classes; the last one holds what is longer than [`DAYS_MAX`].
pub(super) const CLASSES: usize = 128;
/// What ln(days) of the last class is taken for: its lower edge, later than any horizon.
pub(super) const LN_NEVER: f64 = 8.205_354_8;

struct Classes {
    of_day: [u8; DAYS_MAX + 2],
    /// ln(days) at the lower edge of each class.
    edges: [f64; CLASSES],
}

static CLASSES_OF_DAYS: LazyLock<Classes> = LazyLock::new(|| {
    let mut classes = Classes { of_day: [0; DAYS_MAX + 2], edges: [LN_NEVER; CLASSES] };
    let (mut day, last) = (1_usize, CLASSES - 1);
    classes.edges[0] = libm::log(0.5);
    for class in 0..last {
        // What is left is shared out evenly, and a class has one day at least.
        let left = (last - class) as f64;
        let share = libm::log((DAYS_MAX as f64 + 1.0) / day as f64) / left;
        let end = ((day as f64 * libm::exp(share)) as usize).clamp(day + 1, DAYS_MAX + 1);
        let end = if class + 1 == last { DAYS_MAX + 1 } else { end };
        classes.of_day[day..end].fill(class as u8);
        day = end;
        if class + 1 < last {
            classes.edges[class + 1] = libm::log(end as f64 - 0.5);
        }
    }
    classes.of_day[DAYS_MAX + 1] = last as u8;
    classes
});

/// Weights of lengths by class.
#[derive(Debug, Clone)]
pub(super) struct DayClasses {
    weights: [f32; CLASSES],
}

impl DayClasses {
    /// No lengths.
    pub(super) fn none() -> Self {
        Self { weights: [0.0; CLASSES] }
    }

    /// Lengths of equal weight.
    pub(super) fn of(days: &[u16]) -> Self {
        let classes = &*CLASSES_OF_DAYS;
        let mut weights = [0_u16; CLASSES];
        for day in days {
            weights[usize::from(classes.of_day[usize::from(*day).min(DAYS_MAX + 1)]) % CLASSES] += 1;
        }
        Self { weights: weights.map(f32::from) }
    }

    /// Adds a length; what is longer than [`DAYS_MAX`] counts as never.
    pub(super) fn add(&mut self, days: usize, weight: f32) {
        let class = CLASSES_OF_DAYS.of_day[days.min(DAYS_MAX + 1)];
        self.weights[usize::from(class) % CLASSES] += weight;
    }

    /// Adds the lengths of another.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (weight, other) in self.weights.iter_mut().zip(&other.weights) {
            *weight += other;
        }
    }

    /// Quantiles of ln(days) at `levels`, which rise; [`LN_NEVER`] for what is not reached and where there is no length.
    pub(super) fn ln_quantiles<const N: usize>(&self, levels: [f32; N]) -> [f64; N] {
        let edges = &CLASSES_OF_DAYS.edges;
        let total: f32 = self.weights.iter().sum();
        let mut quantiles = [LN_NEVER; N];
        let (mut below, mut next) = (0.0_f32, 0);
        for (class, weight) in self.weights[..CLASSES - 1].iter().enumerate() {
            let reached = below + weight;
            while next < N && reached > levels[next] * total {
                let share = f64::from((levels[next] * total - below) / weight).clamp(0.0, 1.0);
                quantiles[next] = edges[class] + share * (edges[class + 1] - edges[class]);
                next += 1;
            }
            if next == N {
                break;
            }
            below = reached;
        }
        quantiles.map(|ln| ln.clamp(0.0, LN_NEVER))
    }
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, CLASSES_OF_DAYS, DAYS_MAX, DayClasses, LN_NEVER};

    #[test]
    fn every_day_has_a_class_and_classes_rise() {
        let classes = &*CLASSES_OF_DAYS;
        assert!(classes.of_day[1..].is_sorted() && classes.edges[..CLASSES - 1].is_sorted());
        assert_eq!((classes.of_day[1], classes.of_day[2]), (0, 1));
        assert_eq!(usize::from(classes.of_day[DAYS_MAX]), CLASSES - 2);
        for day in 1..=DAYS_MAX {
            let class = usize::from(classes.of_day[day]);
            let ln = libm::log(day as f64);
            assert!(classes.edges[class] <= ln, "{day}");
            assert!(class + 2 == CLASSES || ln < classes.edges[class + 1], "{day}");
        }
    }

    #[test]
    fn quantiles_lie_where_the_lengths_do() {
        let days: Vec<u16> = (1..=1_000).collect();
        let [low, middle, high] = DayClasses::of(&days).ln_quantiles([0.1, 0.5, 0.9]).map(f64::exp);
        assert!((low - 100.0).abs() < 3.0 && (middle - 500.0).abs() < 10.0 && (high - 900.0).abs() < 20.0);
        let half_never: Vec<u16> = days.iter().map(|day| if *day > 500 { u16::MAX } else { *day }).collect();
        let told = DayClasses::of(&half_never).ln_quantiles([0.25, 0.75]);
        assert!((told[0].exp() - 250.0).abs() < 7.0, "{told:?}");
        assert_eq!((told[1], DayClasses::none().ln_quantiles([0.5])), (LN_NEVER, [LN_NEVER]));
    }
}
