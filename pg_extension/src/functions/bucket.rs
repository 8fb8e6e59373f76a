//! The arithmetic of buckets: the start of the bucket that a moment lies in.
//!
//! Moments are microseconds since 2000-01-01 00:00, as the server counts them. Buckets of a fixed length are counted from an
//! origin; those of whole months begin on the first of a month.

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Where buckets of a fixed length begin unless told otherwise: Monday, 2000-01-03, so that weeks begin on Mondays.
pub(crate) const ORIGIN: i64 = 2 * DAY;
/// The server's first moment: 4714-11-24 BC.
const FIRST: i128 = -211_813_488_000_000_000;
/// The first moment that the server no longer has: the year 294277.
const END: i128 = 9_223_371_331_200_000_000;

/// The length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// So many microseconds.
    Fixed(i64),
    /// So many months.
    Months(i32),
}

/// The start of the bucket of `at`; `None` where the server has no such moment. `width` is positive.
pub(crate) fn start(width: Width, at: i64, origin: i64) -> Option<i64> {
    let found = match width {
        Width::Fixed(width) => whole(width.into(), at.into(), origin.into()),
        Width::Months(width) => {
            let months = whole(width.into(), month_of(at), month_of(origin));
            days_of_month(months) * i128::from(DAY)
        }
    };
    (FIRST..END).contains(&found).then_some(found as i64)
}

/// The start of the bucket of a whole number; `None` where `i64` has no such number.
pub(crate) fn start_of_number(width: i64, value: i64, origin: i64) -> Option<i64> {
    i64::try_from(whole(width.into(), value.into(), origin.into())).ok()
}

fn whole(width: i128, value: i128, origin: i128) -> i128 {
    value - (value - origin).rem_euclid(width)
}

/// Months from 2000-01 to the month of this moment.
fn month_of(at: i64) -> i128 {
    let (year, month) = year_and_month(at.div_euclid(DAY));
    i128::from((year - 2000) * 12 + month - 1)
}

/// Days since 1970-01-01 at 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
/// Days of the 400 years after which the Gregorian calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const MARCH_DAYS: i64 = 719_468;

/// Year and month, 1 to 12, of a day since 2000-01-01, in the proleptic Gregorian calendar
/// (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn year_and_month(day: i64) -> (i64, i64) {
    let day = day + EPOCH_DAYS + MARCH_DAYS;
    let era = day.div_euclid(ERA_DAYS);
    let day_of_era = day.rem_euclid(ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// Days from 2000-01-01 to the first of the month so many months after 2000-01 (`days_from_civil`, same source).
fn days_of_month(months: i128) -> i128 {
    let year = 2000 + months.div_euclid(12);
    let month = months.rem_euclid(12) + 1;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * i128::from(ERA_DAYS) + day_of_era - i128::from(MARCH_DAYS + EPOCH_DAYS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Days from 2000-01-01, by counting.
    fn day(year: i64, month: i64, day: i64) -> i64 {
        let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
        let lengths = |y: i64| [31, 28 + i64::from(leap(y)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let years = if year >= 2000 {
            (2000..year).map(|y| 365 + i64::from(leap(y))).sum::<i64>()
        } else {
            -(year..2000).map(|y| 365 + i64::from(leap(y))).sum::<i64>()
        };
        years + lengths(year)[..(month - 1) as usize].iter().sum::<i64>() + day - 1
    }

    #[test]
    fn weeks_begin_on_mondays_and_days_at_midnight() {
        let at = day(2026, 11, 24) * DAY + 5 * 3_600_000_000; // a Tuesday
        assert_eq!(start(Width::Fixed(DAY), at, ORIGIN), Some(day(2026, 11, 24) * DAY));
        assert_eq!(start(Width::Fixed(7 * DAY), at, ORIGIN), Some(day(2026, 11, 23) * DAY));
        assert_eq!(start(Width::Fixed(7 * DAY), at, 0), Some(day(2026, 11, 21) * DAY));
    }

    #[test]
    fn months_begin_on_their_first() {
        for (year, month, d) in
            [(2026, 11, 24), (2000, 1, 1), (1999, 12, 31), (2024, 2, 29), (1900, 3, 1), (1600, 2, 29)]
        {
            let at = day(year, month, d) * DAY + 1;
            assert_eq!(
                start(Width::Months(1), at, ORIGIN),
                Some(day(year, month, 1) * DAY),
                "{year}-{month}-{d}"
            );
            assert_eq!(
                start(Width::Months(12), at, ORIGIN),
                Some(day(year, 1, 1) * DAY),
                "{year}-{month}-{d}"
            );
        }
        assert_eq!(start(Width::Months(3), day(2026, 11, 24) * DAY, ORIGIN), Some(day(2026, 10, 1) * DAY));
    }

    #[test]
    fn what_the_server_does_not_have_is_none() {
        assert_eq!(start(Width::Fixed(i64::MAX), FIRST as i64, ORIGIN), None);
        assert_eq!(start(Width::Months(i32::MAX), FIRST as i64, ORIGIN), None);
        assert_eq!(start_of_number(i64::MAX, i64::MIN, 1), None);
        assert_eq!(start_of_number(10, -1, 0), Some(-10));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_moment(width in 1..i64::MAX, at in FIRST as i64..END as i64, origin in any::<i64>()) {
            if let Some(start) = start(Width::Fixed(width), at, origin) {
                prop_assert!(start <= at && i128::from(at) < i128::from(start) + i128::from(width));
                prop_assert_eq!((i128::from(start) - i128::from(origin)).rem_euclid(width.into()), 0);
            }
        }

        #[test]
        fn a_month_bucket_holds_its_moment(width in 1..i32::MAX, at in FIRST as i64..END as i64, origin in FIRST as i64..END as i64) {
            if let Some(begins) = start(Width::Months(width), at, origin) {
                prop_assert!(begins <= at);
                prop_assert_eq!(start(Width::Months(width), begins, origin), Some(begins));
                let next = days_of_month(month_of(begins) + i128::from(width)) * i128::from(DAY);
                prop_assert!(i128::from(at) < next);
            }
        }
    }
}
