//! docs/learners.md names files and tests: both must exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The rows of the page's tables: point, what we do, where, test.
fn rows() -> Vec<[String; 4]> {
    let page = fs::read_to_string(root().join("docs/learners.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<[String; 4]> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| point"))
        .map(|line| cells(line).try_into().unwrap_or_else(|cells| panic!("not four cells: {cells:?}")))
        .collect();
    assert!(rows.len() > 30, "{} points", rows.len());
    rows
}

/// What stands between back-quotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The names of the functions below `folder` that are marked as tests.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let functions =
                text.split("#[test]").skip(1).filter_map(|after| after.split_once("fn ")?.1.split_once('('));
            names.extend(functions.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_test_of_the_page_exists() {
    let mut known = BTreeSet::new();
    for package in ["agents", "env"] {
        for folder in ["src", "tests"] {
            tests_below(&root().join(package).join(folder), &mut known);
        }
    }
    for [point, _, _, tests] in rows() {
        let names = quoted(&tests);
        assert!(!names.is_empty() || tests.starts_with("none: "), "{point}: no test and no reason");
        for name in names {
            assert!(known.contains(name), "{point}: there is no test {name}");
        }
    }
}

#[test]
fn every_file_of_the_page_exists() {
    for [point, _, files, _] in rows() {
        let names = quoted(&files);
        assert!(!names.is_empty(), "{point}: no file");
        for name in names {
            let folders = [root().join("agents/src/learn"), root()];
            assert!(
                folders.iter().any(|folder| folder.join(name).is_file()),
                "{point}: there is no file {name}"
            );
        }
    }
}

#[test]
fn every_fixture_is_read_and_was_written_by_the_script() {
    let fixtures = root().join("agents/tests/fixtures");
    let script = fs::read_to_string(fixtures.join("export.py")).unwrap();
    let readers = ["returns", "losses", "dqn", "optimiser"]
        .map(|name| fs::read_to_string(root().join(format!("agents/src/learn/fixtures/{name}.rs"))).unwrap())
        .concat();
    let mut count = 0;
    for entry in fs::read_dir(&fixtures).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".json") {
            assert!(script.contains(&format!("write(\"{stem}\"")), "{name} is not written by the script");
            assert!(readers.contains(&format!("tests/fixtures/{name}")), "{name} is read by no test");
            count += 1;
        }
    }
    assert_eq!(count, script.matches("\nwrite(\"").count());
}
