//! Ranges of numbers that a user types, with messages that name the key.

use crate::scenario::text::Invalid;

/// The number, if it lies from `low` to `high`, both allowed. `key` is the whole path of the key.
pub(crate) fn between(table: &str, key: &str, value: f64, low: f64, high: f64) -> Result<f64, Invalid> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(Invalid::new(
        format!("{table}.{key}"),
        format!("{value:?}"),
        format!("a number from {low:?} to {high:?}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_or_out_of_range_is_refused_with_its_key() {
        assert_eq!(between("radio.link", "load_ratio", 1.0, 0.0, 1.0).unwrap(), 1.0);
        let error = between("radio.link", "load_ratio", f64::NAN, 0.0, 1.0).unwrap_err().to_string();
        assert_eq!(error, "radio.link.load_ratio = NaN: a number from 0.0 to 1.0");
        assert!(between("a", "b", f64::INFINITY, 0.0, 1.0).is_err());
    }
}
