//! From the text of a configuration to its typed form, with errors that point into the text.
//!
//! Scenarios, agents, experiments and the catalogue are read here: all are TOML, all reject unknown keys, all but the catalogue
//! accept `key=value` overrides. A scenario may inherit from others ([`Texts`]).

mod inherit;
mod overrides;
mod place;
mod read;

pub use inherit::Texts;
pub use overrides::Override;
pub use place::locate;

use crate::invalid::Invalid;
use crate::message::{one_line, shown};
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A mistake in a configuration: what, where, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The text is no TOML, or a key is unknown, missing or of the wrong type.
    #[error("{file}{}: {message}", position(*.line, *.column))]
    Shape {
        /// File or shipped name.
        file: String,
        /// Line from 1, where known.
        line: Option<usize>,
        /// Column from 1, where known.
        column: Option<usize>,
        /// The path of the key that is wrong, or of the table that lacks one; empty where the text is no TOML.
        key: String,
        /// What is wrong, with the key.
        message: String,
    },
    /// A value is out of its range, or contradicts another.
    #[error("{file}{}: {key} = {value}: {allowed}", position(*.line, None))]
    Value {
        /// File or shipped name.
        file: String,
        /// Line from 1, where the key stands in the file.
        line: Option<usize>,
        /// The path of the key.
        key: String,
        /// Its value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// Overrides are no `key=value`, or do not fit.
    #[error("{}: {message}", flags(.typed))]
    Override {
        /// The overrides that are to blame, as they were typed; several only where each fits without the others.
        typed: Vec<Override>,
        /// What is wrong.
        message: String,
    },
}

fn position(line: Option<usize>, column: Option<usize>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        (Some(line), None) => format!(":{line}"),
        _ => String::new(),
    }
}

fn flags(typed: &[Override]) -> String {
    typed.iter().map(|change| format!("--set {change}")).collect::<Vec<_>>().join(" ")
}

impl Invalid {
    /// The error with file and line.
    pub fn in_text(self, file: &str, text: &str) -> ConfigError {
        let line = locate(text, &self.key);
        ConfigError::Value {
            file: file.to_owned(),
            line,
            key: self.key,
            value: self.value,
            allowed: self.allowed,
        }
    }
}

/// Reads a file's text and applies overrides. `choices` are the paths of choice tables: naming another variant of one
/// replaces it.
///
/// # Errors
/// [`ConfigError::Shape`] with line and column for the file, [`ConfigError::Override`] for what was typed.
pub fn parse<T: DeserializeOwned>(
    file: &str,
    text: &str,
    overrides: &[Override],
    choices: &[&str],
) -> Result<T, ConfigError> {
    Texts::new(file, text).parse(overrides, choices)
}

/// The error of a text that is no TOML.
fn no_toml(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let (line, column) = error.span().map(|span| place::position(text, span.start)).unzip();
    let at = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    let is_whole = !at.is_empty() && at.chars().all(|c| c.is_ascii_digit() || "+-_".contains(c));
    let message = match error.message() {
        "duplicate key" => format!("the key `{}` stands there twice", shown(at)),
        _ if is_whole => format!("`{}` is too far from 0: whole numbers have 64 bits", shown(at)),
        other => one_line(&other.trim().replace('\n', ", ")),
    };
    ConfigError::Shape { file: file.to_owned(), line, column, key: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Toy {
        size: f64,
        names: Vec<String>,
        shape: BTreeMap<String, BTreeMap<String, f64>>,
    }

    const TOY: &str = "size = 2.5\nnames = [\n  \"a\",\n  \"b\",\n]\n\n[shape.circle]\nradius = 1.0\n";

    fn toy(text: &str, overrides: &[(&str, &str)]) -> Result<Toy, ConfigError> {
        let overrides: Vec<Override> =
            overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
        parse("toy.toml", text, &overrides, &["shape"])
    }

    fn message(text: &str, overrides: &[(&str, &str)]) -> String {
        toy(text, overrides).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_of_shape_are_named_with_their_position() {
        let cases = [
            (
                TOY.replace("size", "sice"),
                "1:1: unknown key `sice`, did you mean `size`?; allowed are `size`, `names`, `shape`",
            ),
            (TOY.replace("2.5", "\"big\""), "1:8: size: the text \"big\" stands where a number is needed"),
            (
                TOY.replace("\"b\"", "7"),
                "4:3: names[1]: the whole number `7` stands where a text in quotes is needed",
            ),
            (TOY.replace("[shape.circle]\nradius = 1.0\n", ""), "1:1: the key `shape` is missing"),
            (
                TOY.replace("1.0", "true"),
                "8:10: shape.circle.radius: the value `true` stands where a number is needed",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(message(&text, &[]), format!("toy.toml:{expected}"));
        }
    }

    #[test]
    fn overrides_reach_values_lists_and_strings() {
        let toy = toy(TOY, &[("size", "3"), ("names.1", "plain words"), ("shape.circle.radius", "2.0")]);
        let toy = toy.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (toy.size, toy.names[1].as_str(), toy.shape["circle"]["radius"]),
            (3.0, "plain words", 2.0)
        );
    }

    #[test]
    fn naming_another_variant_replaces_a_choice() {
        let toy = toy(TOY, &[("shape.square.side", "4.0")]).unwrap();
        assert_eq!(toy.shape.keys().collect::<Vec<_>>(), ["square"]);
    }

    #[test]
    fn overrides_that_do_not_fit_say_why() {
        let one = |key, value| message(TOY, &[(key, value)]);
        assert_eq!(
            one("colour", "1"),
            "--set colour=1: unknown key `colour`; allowed are `size`, `names`, `shape`"
        );
        assert_eq!(one("names.7", "x"), "--set names.7=x: names is a list with the positions 0 to 1");
        assert_eq!(one("size.x", "1"), "--set size.x=1: size holds a value, not a table");
        assert_eq!(one("size", ""), "--set size=: the text \"\" stands where a number is needed");
    }

    #[test]
    fn of_several_overrides_the_one_to_blame_is_named() {
        let several = [("size", "3"), ("sice", "4"), ("names.0", "c")];
        assert!(message(TOY, &several).starts_with("--set sice=4: unknown key `sice`, did you mean"));
        let together = [("shape", "{}"), ("shape.circle", "1"), ("size", "3")];
        assert!(message(TOY, &together).starts_with("--set shape.circle=1: "), "{}", message(TOY, &together));
    }

    #[test]
    fn a_value_error_finds_its_line() {
        let invalid = Invalid::new("shape.circle.radius", 1.0, "a number above 2");
        assert_eq!(
            invalid.in_text("toy.toml", TOY).to_string(),
            "toy.toml:8: shape.circle.radius = 1: a number above 2"
        );
    }
}
