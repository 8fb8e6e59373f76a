//! The figures of a status: what each is called, what it counts, where it lies. Whatever goes through all of them (the
//! node's store, the hub's intake, the metrics page, the decoders) goes through this list.

use core::fmt;

use super::Status;
use crate::quantity::Bytes;

/// How a figure goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// It rises and falls.
    Level,
    /// It only rises, and starts anew with a boot or an attachment.
    BootCounter,
    /// It only rises; the device keeps it over its life.
    LifeCounter,
}

/// Who tells a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// The operating system, or what stands above the drives.
    System,
    /// The pages that drives of every kind have.
    DrivePages,
    /// Pages that NVMe drives alone have.
    NvmePages,
}

impl Teller {
    /// Names of what it tells: all absent together where it cannot be asked.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        FIGURES.iter().filter(move |figure| figure.teller == self).map(|figure| figure.name)
    }
}

/// A figure's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Of one that counts.
    Whole(i128),
    /// Of one that is a ratio or a mean.
    Real(f64),
}

impl Number {
    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(f),
            Self::Real(real) => real.fmt(f),
        }
    }
}

/// One figure of [`Status`].
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in JSON, in SQL and on the metrics page.
    pub name: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// How it goes on.
    pub kind: FigureKind,
    /// Who tells it.
    pub teller: Teller,
    /// Whether it counts; else it is a ratio or a mean.
    pub is_whole: bool,
    /// The least that is believed.
    pub least: f64,
    /// The most that is believed. A whole one fits PostgreSQL's `bigint` besides.
    pub most: f64,
    get: fn(&Status) -> Option<Number>,
    put: fn(&mut Status, Number) -> bool,
}

impl Figure {
    /// The figure of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FIGURES.iter().find(|figure| figure.name == name)
    }

    /// What a status says of it; `None` where it is not reported.
    pub fn of(&self, status: &Status) -> Option<Number> {
        (self.get)(status)
    }

    /// Sets it. False where its place in [`Status`] cannot hold such a value; the status stays as it was then.
    pub fn set(&self, status: &mut Status, value: Number) -> bool {
        (self.put)(status, value)
    }

    /// Whether a device could tell such a value.
    pub fn can_be(&self, value: Number) -> bool {
        let fits = match value {
            Number::Whole(whole) => i64::try_from(whole).is_ok(),
            Number::Real(_) => !self.is_whole,
        };
        fits && (self.least..=self.most).contains(&value.to_f64())
    }

    /// A value of this figure from a floating-point number, rounded where it counts; `None` where it cannot be.
    pub fn rounded(&self, value: f64) -> Option<Number> {
        let number = match self.is_whole {
            // NaN would become 0 and infinity the largest number.
            true if value.is_finite() => Number::Whole(value.round() as i128),
            _ => Number::Real(value),
        };
        (self.can_be(number) && value >= self.least).then_some(number)
    }
}

/// How a figure lies in [`Status`].
trait Represented: Copy {
    const IS_WHOLE: bool;
    fn number(self) -> Number;
    fn of(value: Number) -> Option<Self>;
}

macro_rules! represented_whole {
    ($($type:ty),*) => {$(
        impl Represented for $type {
            const IS_WHOLE: bool = true;
            fn number(self) -> Number {
                Number::Whole(self.into())
            }
            fn of(value: Number) -> Option<Self> {
                match value {
                    Number::Whole(whole) => whole.try_into().ok(),
                    Number::Real(_) => None,
                }
            }
        }
    )*};
}
represented_whole!(u8, u16, i16, u64);

impl Represented for Bytes {
    const IS_WHOLE: bool = true;
    fn number(self) -> Number {
        self.0.number()
    }
    fn of(value: Number) -> Option<Self> {
        u64::of(value).map(Self)
    }
}

impl Represented for f64 {
    const IS_WHOLE: bool = false;
    fn number(self) -> Number {
        Number::Real(self)
    }
    fn of(value: Number) -> Option<Self> {
        Some(value.to_f64())
    }
}

fn put<T: Represented>(place: &mut Option<T>, value: Number) -> bool {
    let told = T::of(value);
    if told.is_some() {
        *place = told;
    }
    told.is_some()
}

/// A figure is called as its field is: written once, the two cannot differ.
macro_rules! figure {
    ($field:ident: $type:ty, $unit:literal, $kind:ident, $teller:ident, $least:expr, $most:expr) => {
        Figure {
            name: stringify!($field),
            unit: $unit,
            kind: FigureKind::$kind,
            teller: Teller::$teller,
            is_whole: <$type as Represented>::IS_WHOLE,
            least: $least,
            most: $most,
            get: |status| status.$field.map(<$type>::number),
            put: |status, value| put::<$type>(&mut status.$field, value),
        }
    };
}

const ANY: f64 = i64::MAX as f64;

/// Every figure of [`Status`], in its order. Its one field that is no figure, `used_source`, goes with `used_bytes`.
pub const FIGURES: [Figure; 22] = [
    figure!(capacity_bytes: Bytes, "byte", Level, System, 0.0, ANY),
    figure!(used_bytes: Bytes, "byte", Level, System, 0.0, ANY),
    figure!(inodes_total: u64, "count", Level, System, 0.0, ANY),
    figure!(inodes_used: u64, "count", Level, System, 0.0, ANY),
    figure!(metadata_capacity_bytes: Bytes, "byte", Level, System, 0.0, ANY),
    figure!(metadata_used_bytes: Bytes, "byte", Level, System, 0.0, ANY),
    figure!(read_ops: u64, "count", BootCounter, System, 0.0, ANY),
    figure!(write_ops: u64, "count", BootCounter, System, 0.0, ANY),
    figure!(read_bytes: Bytes, "byte", BootCounter, System, 0.0, ANY),
    figure!(write_bytes: Bytes, "byte", BootCounter, System, 0.0, ANY),
    figure!(busy_milliseconds: u64, "millisecond", BootCounter, System, 0.0, ANY),
    figure!(queue_milliseconds: u64, "millisecond", BootCounter, System, 0.0, ANY),
    figure!(utilisation: f64, "ratio", Level, System, 0.0, 1.0),
    figure!(queue_depth: f64, "count", Level, System, 0.0, 1e9),
    figure!(temperature_celsius: i16, "degree Celsius", Level, DrivePages, -80.0, 200.0),
    figure!(endurance_used_percent: u16, "percent", Level, DrivePages, 0.0, 255.0),
    figure!(spare_percent: u8, "percent", Level, DrivePages, 0.0, 100.0),
    figure!(data_read_bytes: u64, "byte", LifeCounter, DrivePages, 0.0, ANY),
    figure!(data_written_bytes: u64, "byte", LifeCounter, DrivePages, 0.0, ANY),
    // Nobody has run a drive for a thousand years.
    figure!(power_on_hours: u64, "hour", LifeCounter, DrivePages, 0.0, 8_766_000.0),
    figure!(media_errors: u64, "count", LifeCounter, DrivePages, 0.0, ANY),
    figure!(critical_warning: u8, "bits", Level, NvmePages, 0.0, 255.0),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FIGURES, Figure, Number};
    use crate::quantity::Bytes;
    use crate::unit::{CapacitySource, Status};

    /// Written out, so that the compiler asks for a field that is added.
    fn full() -> Status {
        Status {
            capacity_bytes: Some(Bytes(1)),
            used_bytes: Some(Bytes(1)),
            used_source: Some(CapacitySource::ScsiLogPage0c),
            inodes_total: Some(1),
            inodes_used: Some(1),
            metadata_capacity_bytes: Some(Bytes(1)),
            metadata_used_bytes: Some(Bytes(1)),
            read_ops: Some(1),
            write_ops: Some(1),
            read_bytes: Some(Bytes(1)),
            write_bytes: Some(Bytes(1)),
            busy_milliseconds: Some(1),
            queue_milliseconds: Some(1),
            utilisation: Some(1.0),
            queue_depth: Some(1.0),
            temperature_celsius: Some(1),
            endurance_used_percent: Some(1),
            spare_percent: Some(1),
            data_read_bytes: Some(1),
            data_written_bytes: Some(1),
            power_on_hours: Some(1),
            media_errors: Some(1),
            critical_warning: Some(1),
        }
    }

    #[test]
    fn every_field_of_a_status_is_in_the_list_under_its_name() {
        let json = serde_json::to_value(full()).expect("JSON");
        let fields = json.as_object().expect("an object");
        assert_eq!(fields.len(), FIGURES.len() + 1, "a field was added to Status: add it to FIGURES");
        for figure in &FIGURES {
            assert!(fields.contains_key(figure.name), "{}", figure.name);
            assert_eq!(figure.of(&full()).map(Number::to_f64), Some(1.0), "{}", figure.name);
            assert_eq!(figure.of(&Status::default()), None, "{}", figure.name);
            let (mut status, one) = (Status::default(), figure.rounded(1.0).expect("one can be"));
            assert!(figure.set(&mut status, one));
            let json = serde_json::to_value(&status).expect("JSON");
            let told: Vec<&String> = json.as_object().expect("an object").keys().collect();
            assert_eq!(told, [figure.name]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (name, value) in [
            ("temperature_celsius", Number::Whole(-273)),
            ("endurance_used_percent", Number::Whole(256)),
            ("spare_percent", Number::Whole(101)),
            ("utilisation", Number::Real(1.5)),
            ("utilisation", Number::Real(f64::NAN)),
            ("queue_depth", Number::Real(f64::INFINITY)),
            ("used_bytes", Number::Whole(1 << 63)),
            ("used_bytes", Number::Whole(-1)),
            ("used_bytes", Number::Real(1.0)),
            ("power_on_hours", Number::Whole(8_766_001)),
        ] {
            let figure = Figure::named(name).expect("known");
            assert!(!figure.can_be(value), "{name} {value}");
        }
        let percent = Figure::named("spare_percent").expect("known");
        let mut status = Status { spare_percent: Some(7), ..Status::default() };
        assert!(!percent.set(&mut status, Number::Whole(300)), "a byte cannot hold it");
        assert_eq!(status.spare_percent, Some(7));
    }

    proptest! {
        #[test]
        fn any_number_is_a_believable_value_or_none(value in any::<f64>(), figure in prop::sample::select(&FIGURES[..])) {
            let mut status = Status::default();
            if let Some(number) = figure.rounded(value) {
                prop_assert!(figure.set(&mut status, number));
                prop_assert_eq!(figure.of(&status), Some(number));
                prop_assert!((number.to_f64() - value).abs() <= 0.5);
            }
        }
    }
}
