//! The page of equations and the code say the same: what the page names exists, and what has an equation is named there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands between backticks and looks like a path of the repository, and the targets of links to files beside the page.
fn named(page: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let prose: Vec<&str> = page
        .lines()
        .filter(|line| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
        .collect();
    let prose = prose.join("\n");
    let quoted = prose.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|text| {
        ["env/", "agents/", "cli/", "configs/", "docs/"].iter().any(|start| text.starts_with(start))
    });
    let links = prose.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
    paths.map(str::to_owned).chain(links.map(|link| format!("docs/{link}"))).collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether the heading of a module has an equation.
fn has_equation(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("//! *Equation.*") || line.starts_with("//! Equation"))
}

#[test]
fn every_file_that_a_document_names_exists() {
    for document in ["docs/model.md", "docs/semantics.md"] {
        let page = fs::read_to_string(root().join(document)).unwrap();
        let names = named(&page);
        assert!(document != "docs/model.md" || names.len() > 20, "{document}: {names:?}");
        let lost: Vec<&String> = names.iter().filter(|name| !root().join(name).exists()).collect();
        assert!(lost.is_empty(), "{document} names {lost:?}");
    }
}

#[test]
fn every_module_with_an_equation_is_named_on_the_page_of_equations() {
    let page = fs::read_to_string(root().join("docs/model.md")).unwrap();
    let mut files = Vec::new();
    rust_files(&root().join("env/src"), &mut files);
    let with_equation: Vec<&PathBuf> =
        files.iter().filter(|path| has_equation(&fs::read_to_string(path).unwrap())).collect();
    assert!(with_equation.len() > 30, "{} modules", with_equation.len());
    let is_named = |path: &Path| {
        let place = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        // A folder stands for its modules where the section names them by their last part.
        let last = place.rsplit('/').next().unwrap().to_owned();
        let folder = place.rsplit_once('/').unwrap().0.to_owned() + "/";
        page.contains(&format!("`{place}`"))
            || (last == "mod.rs" && page.contains(&format!("`{folder}`")))
            || (page.contains(&format!("`{folder}`")) && page.contains(&format!("`{last}`")))
    };
    let missing: Vec<&&PathBuf> = with_equation.iter().filter(|path| !is_named(path)).collect();
    assert!(missing.is_empty(), "not named in docs/model.md: {missing:?}");
}
