//! Values that cannot be meant, and the ranges of those that can.

use crate::message::{nearest, one_line, shown};
use thiserror::Error;

/// The greatest price, length, speed or time; sums of products of them stay finite.
pub const MAX_NUMBER: f64 = 1e12;

/// How far from 1 the sum of shares may be.
pub(crate) const SUM_TOLERANCE: f64 = 1e-6;

/// A value that cannot be meant: which key, what it says, and what is allowed.
///
/// Every `validate` of a config returns this one type. Whoever has the text of the file at hand adds the place with
/// [`in_text`](Self::in_text):
/// ```
/// use thoughtcache_env::invalid::{Invalid, Range, number};
///
/// let text = "[ppo]\ngamma = 2.0\n";
/// let refused: Invalid = number("ppo.gamma", 2.0, Range::Share).unwrap_err();
/// assert_eq!(refused.in_text("agent.toml", text).to_string(), "agent.toml:2: ppo.gamma = 2.0: a number from 0 to 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} = {value}: {allowed}")]
pub struct Invalid {
    /// The path of the key, `services[3].alpha` say.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The values that are allowed.
    pub allowed: String,
}

impl Invalid {
    /// The value of `key` is not what is `allowed`.
    pub fn new(key: impl Into<String>, value: impl std::fmt::Display, allowed: impl Into<String>) -> Self {
        Self {
            key: one_line(&key.into()),
            value: shown(&value.to_string()),
            allowed: one_line(&allowed.into()),
        }
    }

    /// Refuses the value of `key` unless it `is_allowed`.
    ///
    /// # Errors
    /// [`Invalid`] when it is not.
    pub fn unless(
        is_allowed: bool,
        key: impl Into<String>,
        value: impl std::fmt::Display,
        allowed: impl Into<String>,
    ) -> Result<(), Self> {
        if is_allowed { Ok(()) } else { Err(Self::new(key, value, allowed)) }
    }

    /// The value of `key` is a `name` that nobody has; those that there `are`, and the one that was probably meant, are told.
    pub fn unknown<'a>(
        key: impl Into<String>,
        name: &str,
        are: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let hint = nearest(name, are.clone());
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        let are: Vec<&str> = are.collect();
        Self::new(key, format!("{name:?}"), format!("one of {}{hint}", are.join(", ")))
    }
}

/// The interval that a number has to lie in. No range holds -0.0: divided by, it is minus infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Above 0, at most [`MAX_NUMBER`].
    Positive,
    /// 0 to [`MAX_NUMBER`].
    NonNegative,
    /// 0 to 1.
    Share,
    /// Between 0 and 1, neither of them.
    OpenShare,
    /// 0 to 1, below 1.
    BelowOne,
    /// From the first to the second, both allowed.
    Between(f64, f64),
}

impl Range {
    /// Whether a value lies inside.
    pub fn holds(self, value: f64) -> bool {
        let is_inside = match self {
            Self::Positive => value > 0.0 && value <= MAX_NUMBER,
            Self::NonNegative => (0.0..=MAX_NUMBER).contains(&value),
            Self::Share => (0.0..=1.0).contains(&value),
            Self::OpenShare => value > 0.0 && value < 1.0,
            Self::BelowOne => (0.0..1.0).contains(&value),
            Self::Between(low, high) => (low..=high).contains(&value),
        };
        is_inside && value.is_finite() && value.to_bits() != (-0.0_f64).to_bits()
    }

    /// The values that lie inside, in words.
    pub fn text(self) -> String {
        match self {
            Self::Positive => format!("a number above 0, at most {MAX_NUMBER:e}"),
            Self::NonNegative => format!("a number from 0 to {MAX_NUMBER:e}"),
            Self::Share => "a number from 0 to 1".into(),
            Self::OpenShare => "a number between 0 and 1, neither of them".into(),
            Self::BelowOne => "a number from 0 to 1, below 1".into(),
            Self::Between(low, high) if high >= 1e9 => format!("a number from {low:?} to {high:e}"),
            Self::Between(low, high) => format!("a number from {low:?} to {high:?}"),
        }
    }
}

/// The value of `key`, which has to lie in a range.
///
/// # Errors
/// A value outside.
pub fn number(key: impl Into<String>, value: f64, range: Range) -> Result<f64, Invalid> {
    if range.holds(value) { Ok(value) } else { Err(Invalid::new(key, format!("{value:?}"), range.text())) }
}

/// The value of `key` in `table`, which has to lie from `low` to `high`, both allowed.
///
/// # Errors
/// A value outside.
pub fn between(table: &str, key: &str, value: f64, low: f64, high: f64) -> Result<f64, Invalid> {
    number(format!("{table}.{key}"), value, Range::Between(low, high))
}

/// The value of `key` where it may be absent; one that is there has to lie in a range.
///
/// # Errors
/// A value outside.
pub fn optional(key: impl Into<String>, value: Option<f64>, range: Range) -> Result<Option<f64>, Invalid> {
    value.map(|value| number(key, value, range)).transpose()
}

/// The value of `key`, which has to be there.
///
/// # Errors
/// It is absent.
pub fn present<T>(key: impl Into<String>, value: Option<T>, allowed: &str) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::new(key, "absent", allowed))
}

/// The value of `key`, a share above 0; what is `allowed` is said where it is 0.
///
/// # Errors
/// A value outside.
pub fn positive_share(key: &str, value: f64, allowed: &str) -> Result<f64, Invalid> {
    number(key, value, Range::Share)?;
    Invalid::unless(value > 0.0, key, "0.0", allowed)?;
    Ok(value)
}

/// Checks the values of `key`, which are called `what`: each a share, all of them together 1 within 1e-6.
///
/// # Errors
/// The first value that is no share, or another sum.
pub fn distribution(key: &str, values: &[f64], what: &str) -> Result<(), Invalid> {
    for (index, &value) in values.iter().enumerate() {
        number(format!("{key}[{index}]"), value, Range::Share)?;
    }
    let sum: f64 = values.iter().sum();
    let allowed = format!("{what} that sum to 1; these sum to {sum}");
    Invalid::unless((sum - 1.0).abs() <= SUM_TOLERANCE, key, format!("{values:?}"), allowed)
}

/// The value of `key`, a count from 1 to `high`.
///
/// # Errors
/// A value outside.
pub fn count(key: impl Into<String>, value: u32, high: u32) -> Result<u32, Invalid> {
    Invalid::unless((1..=high).contains(&value), key, value, format!("a whole number from 1 to {high}"))?;
    Ok(value)
}

/// The name at `key`: it stands in tables, so it is not empty and fits on one line.
///
/// # Errors
/// No such name.
pub fn name(key: impl Into<String>, name: &str) -> Result<(), Invalid> {
    let is_line = !name.is_empty() && !name.contains(char::is_control);
    Invalid::unless(is_line, key, format!("{name:?}"), "a name on one line")
}

/// The number of entries of the list at `key`, which are called `what`; 1 to `high` of them are allowed.
///
/// # Errors
/// No entry, or too many.
pub fn length(key: impl Into<String>, len: usize, what: &str, high: usize) -> Result<(), Invalid> {
    Invalid::unless((1..=high).contains(&len), key, format!("{len} {what}"), format!("1 to {high} of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_ends_as_it_says() {
        let cases = [
            (Range::Positive, [false, true, true]),
            (Range::NonNegative, [true, true, true]),
            (Range::Share, [true, true, true]),
            (Range::OpenShare, [false, true, false]),
            (Range::BelowOne, [true, true, false]),
            (Range::Between(0.5, 1.0), [false, true, true]),
        ];
        for (range, expected) in cases {
            assert_eq!([0.0, 0.5, 1.0].map(|value| range.holds(value)), expected, "{range:?}");
            for value in [-0.0, -1.0, 2e12, f64::NAN, f64::INFINITY] {
                assert!(!range.holds(value), "{range:?} {value}");
            }
        }
    }

    #[test]
    fn a_refusal_names_key_value_and_what_is_allowed() {
        let refused = number("size", -0.0, Range::NonNegative).unwrap_err();
        assert_eq!(refused.to_string(), "size = -0.0: a number from 0 to 1e12");
        let refused = between("box", "size", 2.0, 0.0, 1.0).unwrap_err();
        assert_eq!(refused.to_string(), "box.size = 2.0: a number from 0.0 to 1.0");
        assert_eq!(count("n", 0, 9).unwrap_err().to_string(), "n = 0: a whole number from 1 to 9");
        assert_eq!(length("list", 0, "names", 3).unwrap_err().to_string(), "list = 0 names: 1 to 3 of them");
        assert!(name("x", "a\nb").is_err() && name("x", "").is_err() && name("x", "a b").is_ok());
    }
}
