//! How large the product is: lines of code, without blank lines, comments and tests.

use std::fs;
use std::path::Path;

/// What was measured when the house was rebuilt; a change that needs more says why.
const MOST: usize = 33_000;

/// Rust and Python of a crate, but for tests: folders `tests`, `fixtures` and `fuzz`, files `tests.rs` and `*_tests.rs`, and items behind
/// `#[cfg(test)]`.
fn lines_below(folder: &Path) -> usize {
    let mut lines = 0;
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_str().unwrap();
        if entry.is_dir() {
            let is_product = !["tests", "fixtures", "fuzz", "target", "snapshots"].contains(&name);
            lines += if is_product { lines_below(&entry) } else { 0 };
        } else if !name.ends_with("tests.rs")
            && entry.extension().is_some_and(|end| end == "rs" || end == "py")
        {
            lines += lines_of(&fs::read_to_string(&entry).unwrap());
        }
    }
    lines
}

/// An item behind `#[cfg(test)]` ends with the first line that is indented as its head is and closes a brace.
fn lines_of(text: &str) -> usize {
    let mut lines = text.lines().peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let code = line.trim();
        if code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test") {
            let head = lines.find(|line| !line.trim().starts_with("#[")).unwrap_or_default();
            let indent = &head[..head.len() - head.trim_start().len()];
            if !head.ends_with(';') && !head.ends_with('}') {
                lines.find(|line| line.starts_with(&format!("{indent}}}")));
            }
        } else {
            let is_attribute = code.starts_with("#[") || code.starts_with("#![");
            let is_comment = code.starts_with("//") || (code.starts_with('#') && !is_attribute);
            count += usize::from(!code.is_empty() && !is_comment);
        }
    }
    count
}

#[test]
fn comments_blank_lines_and_tests_are_no_code() {
    let text = "//! Doc.\n\nfn a() {\n    // why\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    fn c() {\n    }\n}\nconst D: u8 = 1;\n";
    assert_eq!(lines_of(text), 4);
    assert_eq!(lines_of("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 1);
}

#[test]
fn the_product_is_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let crates = ["env", "agents", "cli", "xtask", "benches", "docs"];
    let counts = crates.map(|name| lines_below(&root.join(name)));
    for (name, count) in crates.iter().zip(counts) {
        println!("{name:<8} {count:>6}");
    }
    // Worlds for learners that were public once: what became a test of its own counts all the same.
    let moved = lines_below(&root.join("agents/src/tests/anchors"));
    println!("{:<8} {moved:>6}", "moved");
    let all = counts.iter().sum::<usize>() + moved;
    println!("{:<8} {all:>6}", "all");
    assert!(all <= MOST, "{all} lines of code, at most {MOST} are allowed");
}
