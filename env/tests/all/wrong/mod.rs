//! Scenarios with one mistake each, and what a person reads about them.

use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::workload::trace::Trace;

/// What `load` says, `accepted` where it says nothing.
pub(crate) fn verdict(text: &str) -> String {
    let recording = || {
        let rows: Vec<String> = (0..30).map(|second| format!("{second},m\n")).collect();
        Trace::read(format!("time_s,model\n{}", rows.concat()).as_bytes()).map_err(|error| error.to_string())
    };
    match Scenario::load("x.toml", text, &[], |_| recording()) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

/// Each line `key = value` of `text` from the line `from` on, changed in every way: `what: verdict`, one line each.
pub(crate) fn page(text: &str, from: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| *line == from).unwrap();
    let (mut page, mut table) = (String::new(), String::new());
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned() + ".";
        }
        let Some((key, value)) = line.split_once(" = ").filter(|_| index >= first) else { continue };
        let mut with = |what: &str, line: Option<String>| {
            let mut changed: Vec<&str> = lines.clone();
            match &line {
                Some(line) => changed[index] = line,
                None => drop(changed.remove(index)),
            }
            let verdict = verdict(&(changed.join("\n") + "\n"));
            page.extend([table.as_str(), key, " ", what, "\n    ", &verdict, "\n"]);
        };
        with("is missing", None);
        with("is misspelt", Some(format!("{}_{} = {value}", &key[..1], &key[1..])));
        let values: &[&str] = if value.starts_with('"') {
            &["3", "\"\"", "\"nonsense\"", "\"two\\nlines\"", "[]"]
        } else if value.starts_with("[[") {
            &[
                "3",
                "[]",
                "[[]]",
                "[[1.0, 0.0]]",
                "[[0.5], [1.0]]",
                "[[-1.0], [1.0]]",
                "[[nan], [1.0]]",
                "[[\"x\"]]",
            ]
        } else if value.starts_with("[0") {
            &["3", "[]", "[0.5]", "[5.0, 1.0]", "[nan, 1.0]", "[-1.0, 0.5]", "[0.0, 2.0]", "[\"x\"]"]
        } else if value.starts_with('[') {
            &["3", "[]", "[\"edge\"]", "[\"clout\"]", "[\"cloud\", \"cloud\"]"]
        } else if value == "true" {
            &["1", "\"yes\"", "false"]
        } else if value.contains('.') || value.contains('e') {
            &["\"3\"", "{}", "nan", "inf", "-1.0", "0.0", "1e300"]
        } else {
            &["\"3\"", "[3]", "2.5", "-1", "0", "4294967295", "4294967296"]
        };
        for value in values {
            with(&format!("= {value}"), Some(format!("{key} = {value}")));
        }
    }
    page
}
