//! What others wrote, inside our messages.

/// The most characters of a value that a message repeats.
const MAX_SHOWN_CHARS: usize = 200;

/// The text on one line: control characters are shown as Rust writes them (`\n`, `\u{1b}`), so that no file can break a
/// message into lines or speak to a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { line.extend(character.escape_debug()) } else { line.push(character) }
    }
    line
}

/// The same, cut where it is long.
pub fn shown(value: &str) -> String {
    let mut line: String = one_line(value);
    if let Some((end, _)) = line.char_indices().nth(MAX_SHOWN_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The name that was probably meant: the one that is most alike, unless more than half of it is different.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A page of text is no slip of the finger.
    let typed = typed.get(..MAX_SHOWN_CHARS).unwrap_or(typed);
    let (edits, name) = known.into_iter().map(|name| (distance(typed, name), name)).min()?;
    (edits > 0 && 2 * edits <= name.chars().count()).then_some(name)
}

/// How many letters have to be added, dropped or changed to get from one word to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
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
    fn a_letter_more_less_or_other_is_one_edit() {
        assert_eq!(
            [distance("lru", "lru"), distance("lru", "lfu"), distance("lr", "lfu"), distance("", "lru")],
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn a_slip_of_the_finger_is_told_from_another_word() {
        let known = ["density", "lru", "least-aot"];
        assert_eq!(nearest("desnity", known), Some("density"));
        assert_eq!(nearest("lur", known), None, "two of three letters");
        assert_eq!(nearest("leastaot", known), Some("least-aot"));
        assert_eq!(nearest("knapsack", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
