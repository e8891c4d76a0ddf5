//! What can be typed wrong, and what the program says: one message, exit code 2. The snapshots are pages to be read aloud.

mod checkpoints;
mod flags;
mod paths;
mod settings;

use super::Desk;

/// One page: every line with what is said of it, `error: ` left out.
pub(super) fn assert_mistakes(name: &str, desk: &Desk, lines: &[&str]) {
    let mut page = String::new();
    for line in lines {
        let outcome = desk.run(line).expect(2);
        let transcript = outcome.transcript();
        assert!(!outcome.stderr.contains("panicked"), "{transcript}");
        let is_usage = outcome.stderr.contains("--help")
            || outcome.stderr.starts_with("Usage")
            || outcome.stderr.contains("Usage:");
        if !is_usage {
            let said = outcome.stderr.strip_prefix("error: ").unwrap_or_else(|| panic!("{transcript}"));
            assert_eq!(said.trim_end().lines().count(), 1, "{transcript}");
        }
        page.extend(["$ thoughtcache ", line, "\n"]);
        for text in [&outcome.stdout, &outcome.stderr] {
            // What is said of every mistake of the command line is no news.
            let lines =
                text.lines().filter(|line| !line.is_empty() && !line.starts_with("For more information"));
            lines.for_each(|line| page.extend(["    ", line, "\n"]));
        }
    }
    insta::assert_snapshot!(name, page);
}
