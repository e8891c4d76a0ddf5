//! What the TOML reader says, in the words of a person who writes a file.

use crate::message::{nearest, one_line};

/// What is said of a choice table that names none, or several.
pub(super) const ONE_CHOICE: &str = "exactly one choice is needed here";

/// The path of the key that is meant, and the message; `path` is that of the key or table where the reader stopped, empty
/// where it is not known.
pub(super) fn explained(path: &str, message: &str) -> (String, String) {
    // The reader's own sentences have several lines; a name that it repeats may have some as well.
    let is_sentence = !message.starts_with("unknown ");
    let message =
        one_line(&if is_sentence { message.trim().replace('\n', ", ") } else { message.to_owned() });
    if let Some(name) = between(&message, "unknown field `", "`") {
        let key = if path.is_empty() { name } else { path };
        return (key.to_owned(), format!("unknown key `{key}`{}", allowed(&message, name)));
    }
    if let Some(name) = between(&message, "unknown variant `", "`") {
        // The name of a choice is a key where the choice is a table, a value where it is not.
        let is_key = path == name || path.ends_with(&format!(".{name}"));
        let place = if path.is_empty() || is_key { String::new() } else { format!("{path} = ") };
        let shown = if is_key { path } else { name };
        return (path.to_owned(), format!("{place}`{shown}` is no choice{}", allowed(&message, name)));
    }
    if let Some(name) = between(&message, "missing field `", "`") {
        let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        return (path.to_owned(), format!("the key `{key}` is missing"));
    }
    let message = plain(&message);
    let message = if path.is_empty() { message } else { format!("{path}: {message}") };
    (path.to_owned(), message)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(before)?;
    rest.find(after).map(|end| &rest[..end])
}

/// The names that the reader lists behind `expected`.
pub(super) fn listed(message: &str) -> Vec<&str> {
    let list = message.split_once("`, expected ").map_or("", |(_, list)| list);
    list.split('`').skip(1).step_by(2).collect()
}

/// The same for a message, with the name that is most alike.
fn allowed(message: &str, name: &str) -> String {
    let known = listed(message);
    let hint = nearest(name, known.iter().copied());
    let hint = hint.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
    format!("{hint}; {}", these(&known))
}

/// `allowed are ...`
pub(super) fn these(known: &[&str]) -> String {
    let listed: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    match &listed[..] {
        [] => "none is allowed here".into(),
        [only] => format!("allowed is {only}"),
        _ => format!("allowed are {}", listed.join(", ")),
    }
}

/// Types as a person calls them.
fn plain(message: &str) -> String {
    match message {
        "wanted string or table" => return "a name in quotes is needed".into(),
        "wanted exactly 1 element, found 0 elements" => return format!("{ONE_CHOICE}, there is none"),
        "wanted exactly 1 element, more than 1 element" => return format!("{ONE_CHOICE}, there are several"),
        _ => {}
    }
    let parts = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "));
    let Some((found, expected)) = parts.and_then(|parts| parts.rsplit_once(", expected ")) else {
        return message.to_owned();
    };
    let expected = match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        "f64" | "f32" => "a number",
        "a string" => "a text in quotes",
        "a sequence" => "a list in brackets",
        "a map" | "map" => "a table",
        "newtype variant" | "struct variant" => "a table named after the choice",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("enum ") => "a name in quotes",
        other => other,
    };
    let found = found
        .replace("floating point ", "the number ")
        .replace("integer ", "the whole number ")
        .replace("string ", "the text ")
        .replace("boolean ", "the value ")
        .replace(" as i128", "");
    let found = match found.as_str() {
        "map" => "a table",
        "sequence" => "a list",
        "unit variant" => "a name",
        other => other,
    };
    format!("{found} stands where {expected} is needed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_repeated_with_the_one_that_was_meant() {
        let cases = [
            (
                "cell.cuont",
                "unknown field `cuont`, expected `count` or `memory_gb`",
                "unknown key `cell.cuont`, did you mean `count`?; allowed are `count`, `memory_gb`",
            ),
            (
                "",
                "unknown field `x`, expected one of `count`, `memory_gb`",
                "unknown key `x`; allowed are `count`, `memory_gb`",
            ),
            ("top", "unknown field `top`, there are no fields", "unknown key `top`; none is allowed here"),
            (
                "memory.refresh",
                "unknown variant `evct`, expected `evict`",
                "memory.refresh = `evct` is no choice, did you mean `evict`?; allowed is `evict`",
            ),
            (
                "quality.linaer",
                "unknown variant `linaer`, expected `linear` or `logarithmic`",
                "`quality.linaer` is no choice, did you mean `linear`?; allowed are `linear`, `logarithmic`",
            ),
            ("cell", "missing field `count`", "the key `cell.count` is missing"),
            ("", "missing field `name`", "the key `name` is missing"),
            (
                "cell.memory_gb",
                "invalid type: string \"big\", expected f64",
                "cell.memory_gb: the text \"big\" stands where a number is needed",
            ),
            (
                "horizon_slots",
                "invalid value: integer `-3`, expected u32",
                "horizon_slots: the whole number `-3` stands where a whole number from 0 to 4294967295 is needed",
            ),
        ];
        for (path, message, expected) in cases {
            assert_eq!(explained(path, message).1, expected);
        }
    }
}
