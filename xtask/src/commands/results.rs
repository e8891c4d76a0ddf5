//! The pages that show results: README, `docs/street.md`, `docs/age-of-thought.md` and `docs/results/`, filled from `runs/reference/`.
//!
//! A page says where: `<!-- begin FILE -->` to `<!-- end -->` holds the table of that file, `<!-- begin overview PREFIX -->` one row
//! for each scenario, whose links begin with PREFIX.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::reference::scenarios;
use crate::failure::cannot;
use crate::files::{read, write};

/// The pages, beside those of the folder.
const README: &str = "README.md";
const WEIGHTS: &str = "docs/street.md";
const THOUGHT: &str = "docs/age-of-thought.md";
const FOLDER: &str = "docs/results";

/// Writes what is stale.
pub(super) fn refresh(root: &Path) -> Result<()> {
    for page in pages(root)? {
        let text = read(&page)?;
        let fresh = with_tables(&text, root)?;
        if fresh != text {
            write(&page, &fresh)?;
            println!("wrote {}", page.display());
        }
    }
    Ok(())
}

/// All pages that have tables.
fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join(FOLDER);
    let entries = fs::read_dir(&folder).with_context(cannot("read", &folder))?;
    let mut pages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    pages.sort();
    pages.extend([README, WEIGHTS, THOUGHT].map(|page| root.join(page)));
    Ok(pages)
}

/// The text with fresh tables between its marks; a table whose file is not there stays as it is.
pub(super) fn with_tables(text: &str, root: &Path) -> Result<String> {
    let mut lines = text.lines();
    let mut made = String::with_capacity(text.len());
    while let Some(line) = lines.next() {
        made += line;
        made.push('\n');
        let Some(name) = line.strip_prefix("<!-- begin ").and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let table = match name.strip_prefix("overview") {
            Some(prefix) => overview(root, prefix.trim())?,
            None if root.join(name).is_file() => read(&root.join(name))?,
            None => continue,
        };
        // Verdicts that were printed before the word changed.
        made += table.replace("DEARER than", "more expensive than").trim_end();
        made += "\n<!-- end -->\n";
        lines.by_ref().find(|shown| *shown == "<!-- end -->");
    }
    Ok(made)
}

/// One row for each scenario: its best rule, and what the learners cost beside it.
fn overview(root: &Path, prefix: &str) -> Result<String> {
    let mut lines = vec![
        "| scenario | best rule | its cost | PPO | relative to the best rule | DQN | relative to the best rule | bound | regret closed, %: rule, PPO, DQN |"
            .to_owned(),
        "|---|---|---:|---:|---|---:|---|---:|---|".to_owned(),
    ];
    for scenario in scenarios() {
        let file = root.join(format!("runs/reference/{scenario}.csv"));
        let shown = file.display();
        let rows = rows(&read(&file)?).with_context(|| format!("{shown} lacks policy, kind or mean_cost"))?;
        let rules = rows.iter().filter(|row| row.kind == "heuristic");
        let best = rules
            .min_by(|a, b| a.cost.total_cmp(&b.cost))
            .with_context(|| format!("{shown} has no heuristic"))?;
        let verdicts = read(&file.with_extension("md"))?;
        let mut cells = vec![
            format!("[{scenario}]({prefix}{scenario}.md)"),
            format!("`{}`", best.policy),
            four_digits(best.cost),
        ];
        let mut closed = vec![share(best.closed)];
        for learner in ["ppo", "dqn"] {
            let name = format!("{scenario}-{learner}");
            if let Some(row) = rows.iter().find(|row| row.policy == name) {
                let margin = margin(&verdicts, &name, &best.policy).with_context(|| {
                    format!("the .md of {shown} does not compare {name} with {}", best.policy)
                })?;
                cells.extend([four_digits(row.cost), margin]);
                closed.push(share(row.closed));
            } else {
                cells.extend(["–".to_owned(), "not trained".to_owned()]);
                closed.push("–".to_owned());
            }
        }
        let bound = best.bound.with_context(|| format!("{shown} has no bound"))?;
        cells.extend([four_digits(bound), closed.join(", ")]);
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    Ok(lines.join("\n"))
}

/// One policy of a comparison.
struct Row {
    policy: String,
    kind: String,
    cost: f64,
    /// The lower bound of the cost, where the table has one.
    bound: Option<f64>,
    /// The share of the baseline's regret that it closes.
    closed: Option<f64>,
}

/// The policies of a comparison's CSV.
fn rows(csv: &str) -> Option<Vec<Row>> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next()?;
    let at = |name: &str| header.iter().position(|column| *column == name);
    let (policy, kind, cost) = (at("policy")?, at("kind")?, at("mean_cost")?);
    let [bound, closed] = ["bound", "closed"].map(at);
    lines
        .map(|row| {
            let number = |column: Option<usize>| row.get(column?)?.parse().ok();
            Some(Row {
                policy: (*row.get(policy)?).to_owned(),
                kind: (*row.get(kind)?).to_owned(),
                cost: number(Some(cost))?,
                bound: number(bound),
                closed: number(closed),
            })
        })
        .collect()
}

/// What the verdict of a learner says about a rule, in bold where the whole interval lies below 0.
fn margin(verdicts: &str, learner: &str, rule: &str) -> Option<String> {
    let verdict = verdicts.split(". ").find(|sentence| sentence.starts_with(&format!("{learner} is ")))?;
    let (_, said) = verdict.split_once(&format!(" {rule} ("))?;
    let (said, _) = said.split_once(')')?;
    let (mean, interval) = said.split_once(" [")?;
    let high: f64 = interval.trim_end_matches(']').split_once(", ")?.1.parse().ok()?;
    Some(if high < 0.0 { format!("**{mean}** [{interval}") } else { said.to_owned() })
}

/// A share in whole per cent.
fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0}", 100.0 * share))
}

/// A positive number with four significant digits.
fn four_digits(number: f64) -> String {
    let digits_before = number.log10().floor();
    format!("{number:.*}", (3.0 - digits_before).max(0.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn tables_replace_what_stood_between_their_marks() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.md"), "x is DEARER than y\n").unwrap();
        let text =
            "x\n<!-- begin a.md -->\nold\nold\n<!-- end -->\ny\n<!-- begin b.md -->\nkept\n<!-- end -->\n";
        let expected = "x\n<!-- begin a.md -->\nx is more expensive than y\n<!-- end -->\ny\n<!-- begin b.md -->\nkept\n<!-- end -->\n";
        assert_eq!(with_tables(text, folder.path()).unwrap(), expected);
    }

    #[test]
    fn no_page_is_stale() {
        let root = Workspace::here().root().to_owned();
        let all = pages(&root).unwrap();
        assert!(all.len() > scenarios().len());
        for page in all {
            let text = read(&page).unwrap();
            let fresh = with_tables(&text, &root).unwrap();
            assert!(fresh == text, "{} is stale; type: cargo xtask docs", page.display());
        }
        let readme = read(&root.join(README)).unwrap();
        assert!(readme.contains("<!-- begin overview docs/results/ -->"));
        assert!(readme.lines().count() <= 150 && readme.len() <= 12_000, "README is for a first look");
    }

    #[test]
    fn a_margin_is_bold_only_when_its_whole_interval_is_below_nothing() {
        let verdicts = "street: 40 episodes. a-ppo is cheaper than every heuristic; the best of them: worth (-0.8 % [-1.0, -0.6]). \
                        a-dqn is cheaper than 2 of 3; no clear difference to lru (0.1 % [-1.0, +1.2]), worth (-0.3 % [-0.7, +0.1]). End";
        assert_eq!(margin(verdicts, "a-ppo", "worth").unwrap(), "**-0.8 %** [-1.0, -0.6]");
        assert_eq!(margin(verdicts, "a-dqn", "worth").unwrap(), "-0.3 % [-0.7, +0.1]");
        assert_eq!(margin(verdicts, "a-dqn", "fifo"), None);
    }

    #[test]
    fn the_overview_names_the_cheapest_rule_and_what_was_not_trained() {
        let table = overview(Workspace::here().root(), "").unwrap();
        assert_eq!(table.lines().count(), 2 + scenarios().len());
        assert!(
            table.contains("| [street](street.md) | `amortised+myopic` | 11.32 | 11.23 | **-0.8 %** [-1.0, -0.6] | 11.28 | -0.3 % [-0.7, +0.1] | 10.98 | 86, 90, 88 |"),
            "{table}"
        );
        assert!(table.contains("| – | not trained |"), "{table}");
    }

    #[test]
    fn numbers_have_four_digits() {
        assert_eq!([103.18, 11.229, 0.0795].map(four_digits), ["103.2", "11.23", "0.07950"]);
    }
}
