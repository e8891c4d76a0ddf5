//! How messages show what others wrote.

/// The most characters of a value that a message repeats.
const MAX_SHOWN_CHARS: usize = 200;

/// Returns the text on one line: control characters are shown as Rust writes them (`\n`, `\u{1b}`), so that no file can break a
/// message into lines or send commands to a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { line.extend(character.escape_debug()) } else { line.push(character) }
    }
    line
}

/// Returns the text on one line, cut after 200 characters.
pub fn shown(value: &str) -> String {
    let mut line: String = one_line(value);
    if let Some((end, _)) = line.char_indices().nth(MAX_SHOWN_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Returns the known name with the fewest letters to change from what was typed, unless more than half of its letters change.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A longer text is no misspelt name.
    let typed = typed.get(..MAX_SHOWN_CHARS).unwrap_or(typed);
    let (edits, name) = known.into_iter().map(|name| (strsim::levenshtein(typed, name), name)).min()?;
    (edits > 0 && 2 * edits <= name.chars().count()).then_some(name)
}

/// Returns the end of a message about an unknown name: `, did you mean X?` with the nearest that is known, or nothing.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_letters_stay() {
        assert_eq!(one_line("é \"a\"\n\t\u{1b}[31m"), "é \"a\"\\n\\t\\u{1b}[31m");
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        assert_eq!(shown(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(shown(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
    }

    #[test]
    fn a_misspelt_name_is_told_from_another_word() {
        let known = ["density", "lru", "least-aot"];
        assert_eq!(nearest("desnity", known), Some("density"));
        assert_eq!(nearest("lur", known), None, "two of three letters");
        assert_eq!(nearest("leastaot", known), Some("least-aot"));
        assert_eq!(nearest("knapsack", known), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(did_you_mean("desnity", known), ", did you mean density?");
        assert_eq!(did_you_mean("knapsack", known), "");
    }
}
