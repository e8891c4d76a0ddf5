//! Numbers with their units, as people write them.

/// Digits of a number that stands beside its unit.
const DIGITS: i32 = 3;

/// A number as short as it can be written, with at most six digits.
pub(crate) fn number(value: f64) -> String {
    rounded(value, 6)
}

/// A number with at most three digits that count; whole ones keep all of theirs.
pub(crate) fn short(value: f64) -> String {
    rounded(value, DIGITS)
}

fn rounded(value: f64, digits: i32) -> String {
    let decimals = digits - 1 - value.abs().log10().floor().clamp(-6.0, f64::from(digits - 1)) as i32;
    let rounded = format!("{value:.*}", decimals.max(0) as usize);
    if rounded.contains('.') {
        rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        rounded
    }
}

/// The value in the largest of the units that leaves at least 1 before the point, 0 in the one of size 1; units ascend by size.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let size = if value == 0.0 { 1.0 } else { value.abs() };
    let fitting = units.iter().rev().find(|(unit, _)| size >= *unit);
    let (size, unit) = fitting.or(units.first()).copied().unwrap_or((1.0, ""));
    format!("{} {unit}", short(value / size))
}

/// `250 us`, `12.5 ms`, `1.5 s`.
pub(crate) fn seconds(value: f64) -> String {
    scaled(value, &[(1e-6, "us"), (1e-3, "ms"), (1.0, "s")])
}

/// `250 mJ`, `1.5 J`, `12 kJ`.
pub(crate) fn joules(value: f64) -> String {
    scaled(value, &[(1e-6, "uJ"), (1e-3, "mJ"), (1.0, "J"), (1e3, "kJ")])
}

/// `450 kbit`, `8 Mbit`.
pub(crate) fn bits(value: f64) -> String {
    scaled(value, &[(1.0, "bit"), (1e3, "kbit"), (1e6, "Mbit"), (1e9, "Gbit")])
}

/// `450 kbit/s`, `8 Mbit/s`.
pub(crate) fn bits_per_s(value: f64) -> String {
    format!("{}/s", bits(value))
}

/// `15.2 GB`.
pub(crate) fn gb(value: f64) -> String {
    format!("{} GB", short(value))
}

/// `10 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short() {
        let texts = [960.0, 0.0001, 0.003_48, 1e-5, 0.0, 2.5, 1_234_567.0, 0.1 + 0.2].map(number);
        assert_eq!(texts, ["960", "0.0001", "0.00348", "0.00001", "0", "2.5", "1234567", "0.3"]);
        let texts = [15.232, 3350.0, 0.469_762, 2.0, 0.0].map(short);
        assert_eq!(texts, ["15.2", "3350", "0.47", "2", "0"]);
    }

    #[test]
    fn quantities_have_the_unit_that_fits() {
        let times = [0.0, 2.5e-5, 0.0125, 1.0, 61.27].map(seconds);
        assert_eq!(times, ["0 s", "25 us", "12.5 ms", "1 s", "61.3 s"]);
        assert_eq!([0.0, 0.2, 7.6543, 2500.0].map(joules), ["0 J", "200 mJ", "7.65 J", "2.5 kJ"]);
        assert_eq!([0.0, 5e5, 8e6, 1.25e9].map(bits), ["0 bit", "500 kbit", "8 Mbit", "1.25 Gbit"]);
        assert_eq!(bits_per_s(93.4e6), "93.4 Mbit/s");
        assert_eq!((gb(15.232), percent(0.1)), ("15.2 GB".into(), "10 %".into()));
    }
}
