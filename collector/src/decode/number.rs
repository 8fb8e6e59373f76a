//! Numbers as command-line tools write them: the same field appears as 310, 310.0 and "310".

use headroom_core::unit::AbsenceReason;
use serde_json::Value;

use super::Findings;

/// What stands where a number should.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// Nothing, or null.
    Missing,
    /// A whole number.
    Whole(i128),
    /// Something else: the text of it.
    Bad(String),
}

impl Number {
    /// Reads a value.
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Missing,
            Some(Value::Number(number)) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(whole), _, _) => Self::Whole(whole.into()),
                (_, Some(whole), _) => Self::Whole(whole.into()),
                (_, _, Some(float)) => {
                    whole_float(float).map_or_else(|| Self::Bad(number.to_string()), Self::Whole)
                }
                _ => Self::Bad(number.to_string()),
            },
            Some(Value::String(text)) => {
                let digits = text.trim();
                match (digits.parse::<i128>(), digits.parse::<f64>()) {
                    (Ok(whole), _) => Self::Whole(whole),
                    (_, Ok(float)) => whole_float(float).map_or_else(|| Self::Bad(text.clone()), Self::Whole),
                    _ => Self::Bad(text.clone()),
                }
            }
            Some(other) => Self::Bad(other.to_string()),
        }
    }

    /// The number, where it is whole and not negative.
    pub fn unsigned(self) -> Option<u128> {
        match self {
            Self::Whole(whole) => u128::try_from(whole).ok(),
            _ => None,
        }
    }
}

/// The count that stands at `pointer` for a figure. `None` where nothing stands there, and where something does that is no
/// count: then the figure is stated as unbelievable, with what stands there.
pub(super) fn told(
    found: &mut Findings,
    field: &'static str,
    tool: &str,
    json: &Value,
    pointer: &str,
) -> Option<u128> {
    let said = match Number::of(json.pointer(pointer)) {
        Number::Missing => return None,
        Number::Whole(whole) if whole >= 0 => return u128::try_from(whole).ok(),
        Number::Whole(whole) => whole.to_string(),
        Number::Bad(text) => format!("{text:?}"),
    };
    let name = pointer.trim_start_matches('/').replace('/', ".");
    found.absent(field, AbsenceReason::Unbelievable, format!("{tool} {name} is {said}, which is no count"));
    None
}

/// Floats that are whole numbers, below 2^100.
fn whole_float(float: f64) -> Option<i128> {
    (float.fract() == 0.0 && float.abs() < 1.2e30).then_some(float as i128)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Number;

    #[test]
    fn all_three_ways_of_writing_a_number_are_read() {
        for value in [json!(310), json!(310.0), json!("310"), json!(" 310.0 ")] {
            assert_eq!(Number::of(Some(&value)), Number::Whole(310), "{value}");
        }
        assert_eq!(Number::of(None), Number::Missing);
        assert_eq!(Number::of(Some(&json!(u64::MAX))).unsigned(), Some(u64::MAX.into()));
        for value in [json!(3.5), json!("x"), json!([]), json!("NaN"), json!(1e300)] {
            assert!(matches!(Number::of(Some(&value)), Number::Bad(_)), "{value}");
        }
        assert_eq!(Number::of(Some(&json!(-1))).unsigned(), None);
    }
}
