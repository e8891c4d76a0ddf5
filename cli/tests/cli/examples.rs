//! Every example works: those of the help texts, and every command of README and docs.
//!
//! The commands run as they are printed, one after another in one folder that looks like a checkout. Budgets are cut by one rule,
//! [`ALWAYS`] and [`WHERE_SAID`]. A command that needs recorded data that is not there is skipped, and said.

use super::{Desk, Outcome, repository};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command, an option, and the value that an example gets for it, whether it has the option or not.
const ALWAYS: [(&str, &str, &str); 14] = [
    ("train --config", "--set decisions=", "4096"),
    ("train --config", "--out", "runs/new-NUMBER"),
    ("compare", "--episodes", "2"),
    ("evaluate", "--episodes", "2"),
    ("tune", "--episodes", "1"),
    ("scenario plot", "--episodes", "2"),
    ("verify determinism", "--decisions", "2048"),
    ("verify resume", "--decisions", "8192"),
    ("verify resume", "--kills", "1"),
    ("bench env", "--seconds", "0.02"),
    ("bench env", "--set scenario.horizon_slots=", "5"),
    ("bench radio", "--seconds", "0.02"),
    ("bench train", "--decisions", "4096"),
    ("bench tiny", "--slots", "1000"),
];

/// The same for an example that has the option.
const WHERE_SAID: [(&str, &str, &str); 4] = [
    ("train --config", "--seeds", "1..2"),
    ("bench", "--at-least", "1"),
    ("bench env", "--lanes", "64"),
    ("bench tiny", "--seeds", "1"),
];

/// The same for training in `bench tiny`, which `--exact-only` rules out.
const TINY: [(&str, &str, &str); 2] = [("bench tiny", "--seeds", "1"), ("bench tiny", "--decisions", "4096")];

/// What a command may print that cannot work for lack of recorded data.
const LACKS_DATA: [&str; 2] = ["make it with: thoughtcache trace import", "copy it here"];

/// What else may stand in a block of commands.
const OTHER_PROGRAMS: [&str; 9] = [
    "cargo xtask ",
    "cargo install ",
    "cargo fuzz ",
    "cargo build",
    "cargo test",
    "cargo doc",
    "git ",
    "cd ",
    "alias ",
];

/// The lines of a text that are commands: those joined that end with a backslash, without `$` and what calls cargo.
fn commands<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut is_begun = false;
    for line in lines {
        let line = line.trim();
        let text = line.trim_end_matches('\\').trim_end();
        if is_begun {
            let last = commands.last_mut().unwrap();
            *last = format!("{last} {text}");
        } else {
            let text = text.strip_prefix("$ ").unwrap_or(text);
            let called = text.strip_prefix("cargo run ").and_then(|rest| rest.split_once("-- "));
            commands.push(called.map_or_else(|| text.to_owned(), |(_, rest)| format!("thoughtcache {rest}")));
        }
        is_begun = line.ends_with('\\');
    }
    commands.retain(|command| !command.is_empty() && !command.starts_with('#'));
    commands
}

/// The commands of a page's blocks of shell lines.
fn commands_of_page(text: &str) -> Vec<String> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut is_shell = false;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(kind) => {
                is_shell = ["sh", "bash", "shell"].contains(&kind.trim());
                blocks.push(Vec::new());
            }
            None if is_shell => blocks.last_mut().unwrap().push(line),
            None => {}
        }
    }
    blocks.into_iter().flat_map(commands).collect()
}

/// The examples of a command's help and of all commands below it.
fn commands_of_help(desk: &Desk, command: &str) -> Vec<String> {
    let help = desk.run(&format!("{command} --help")).expect(0).stdout;
    let section = |heading: &str| {
        let lines = help.lines().skip_while(move |line| !line.starts_with(heading)).skip(1);
        lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let examples = section("Example");
    let mut all = commands(examples.iter().map(String::as_str));
    for line in section("Commands:") {
        if let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            all.extend(commands_of_help(desk, &format!("{command} {}", name.split(' ').next().unwrap())));
        }
    }
    all
}

/// The command with a small budget.
fn cut(command: &str, number: usize) -> String {
    let end = [" #", " >", " |"].into_iter().filter_map(|mark| command.find(mark)).min();
    let (command, rest) = command.split_at(end.unwrap_or(command.len()));
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let trains = |(of, ..): &(&str, &str, &str)| *of != "bench tiny" || !command.contains("--exact-only");
    let always = ALWAYS.into_iter().chain(TINY.into_iter().filter(trains)).map(|rule| (rule, true));
    for ((of, option, small), is_added) in always.chain(WHERE_SAID.map(|rule| (rule, false))) {
        if !words.join(" ").starts_with(&format!("thoughtcache {of}")) {
            continue;
        }
        let small = small.replace("NUMBER", &number.to_string());
        let (flag, key) = option.split_once(' ').unwrap_or((option, ""));
        let said = words.windows(2).position(|pair| pair[0] == flag && pair[1].starts_with(key));
        match said {
            Some(at) => words[at + 1] = format!("{key}{small}"),
            None if is_added => words.extend([flag.to_owned(), format!("{key}{small}")]),
            None => {}
        }
    }
    words.join(" ") + rest
}

/// A checkout for the examples: configs, reference runs, the program as `thoughtcache`, and the files that examples presuppose.
fn checkout() -> Desk {
    let desk = Desk::new();
    fs::create_dir(desk.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_thoughtcache"), desk.path("bin/thoughtcache")).unwrap();
    symlink(repository("configs").canonicalize().unwrap(), desk.path("configs")).unwrap();
    fs::create_dir(desk.path("runs")).unwrap();
    symlink(repository("runs/reference").canonicalize().unwrap(), desk.path("runs/reference")).unwrap();
    fs::copy(repository("configs/scenarios/tight.toml"), desk.path("my-world.toml")).unwrap();
    desk
}

fn shell(desk: &Desk, line: &str) -> Outcome {
    let path = format!("{}:{}", desk.path("bin").display(), env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(desk.path(".")).env("PATH", path).env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let line = line.trim_start_matches("thoughtcache ").to_owned();
    let code = output.status.code().unwrap_or(-1);
    Outcome { line, code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Puts what a command presupposes into the folder: recorded data, and runs such as `runs/tight-ppo-1`.
fn provide(desk: &Desk, command: &str, data: &[PathBuf]) {
    for word in command.split_whitespace().filter(|word| !desk.path(word).exists()) {
        let name = Path::new(word).file_name().unwrap_or_default();
        if let Some(path) = data.iter().find(|path| path.file_name().unwrap() == name) {
            fs::create_dir_all(desk.path(word).parent().unwrap()).unwrap();
            symlink(path.canonicalize().unwrap(), desk.path(word)).unwrap();
        }
        let run = word.strip_prefix("runs/").map(|rest| rest.split('/').next().unwrap()).unwrap_or_default();
        // `runs/tight-ppo` is a folder of seeds, `runs/tight-ppo-1` a run.
        let is_experiment = |name: &str| desk.path(&format!("configs/experiments/{name}.toml")).exists();
        let seeds = match run.rsplit_once('-') {
            _ if is_experiment(run) => Some((run, "--seeds 1..2".to_owned())),
            Some((experiment, seed)) if is_experiment(experiment) => {
                Some((experiment, format!("--seed {seed}")))
            }
            _ => None,
        };
        if let Some((experiment, seeds)) = seeds
            && !desk.path(&format!("runs/{run}")).exists()
        {
            let config = format!("--config configs/experiments/{experiment}.toml");
            let line = cut(&format!("thoughtcache train {config} {seeds} --quiet"), 0);
            shell(desk, &line.replace("runs/new-0", &format!("runs/{run}"))).expect(0);
        }
    }
}

#[test]
fn every_example_of_help_texts_and_pages_works() {
    let desk = checkout();
    let pages = [repository("README.md"), repository("CONTRIBUTING.md"), repository("configs/README.md")];
    let pages = pages.into_iter().chain(files(&repository("docs")));
    let pages = pages.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let (mut examples, mut failed) = (Vec::new(), Vec::new());
    let on_pages =
        pages.map(|path| (path.display().to_string(), commands_of_page(&fs::read_to_string(&path).unwrap())));
    for (place, commands) in
        [("a help text".to_owned(), commands_of_help(&desk, ""))].into_iter().chain(on_pages)
    {
        for command in commands {
            if !command.starts_with("thoughtcache ") {
                if !OTHER_PROGRAMS.iter().any(|program| command.starts_with(program)) {
                    failed.push(format!("{place}: no command that is known: {command}"));
                }
            } else if !places.contains_key(&command) {
                places.insert(command.clone(), place.clone());
                examples.push(command);
            }
        }
    }
    assert!(examples.len() > 40, "{examples:?}");
    let data: Vec<PathBuf> = files(&repository("../shared/data"));
    let mut skipped = Vec::new();
    for (number, example) in examples.iter().enumerate() {
        provide(&desk, example, &data);
        let line = cut(example, number);
        let outcome = shell(&desk, &line);
        println!("exit code {}  {line}", outcome.code);
        // What a small budget decides: speed is stated, and learners have not learned yet.
        let may_fail = outcome.code == 1 && line.starts_with("thoughtcache bench ");
        if outcome.code == 0 || may_fail {
            continue;
        }
        let text = outcome.transcript();
        let needs_file = example.split_whitespace().any(|word| {
            let is_recorded = [".csv.gz", ".csv", ".jsonl", ".jsonl.gz", ".bin.gz", ".tct", ".tcr"]
                .iter()
                .any(|end| word.ends_with(end));
            is_recorded && !desk.path(word).exists()
        });
        if needs_file || LACKS_DATA.iter().any(|words| text.contains(words)) {
            skipped.push(format!("{}: {example}", places[example]));
        } else {
            failed.push(format!("{}: {example}\n{text}", places[example]));
        }
    }
    eprintln!(
        "{} of {} examples were skipped for lack of recorded data:\n{}",
        skipped.len(),
        examples.len(),
        skipped.join("\n")
    );
    assert!(
        failed.is_empty(),
        "{} of {} examples fail:\n{}",
        failed.len(),
        examples.len(),
        failed.join("\n")
    );
}

#[test]
fn a_budget_is_cut_and_the_rest_of_a_line_stays() {
    let cases = [
        ("thoughtcache scenario show tight > half.toml", "thoughtcache scenario show tight > half.toml"),
        ("thoughtcache compare lru --episodes 40  # all", "thoughtcache compare lru --episodes 2 # all"),
        (
            "thoughtcache train --config x.toml --set decisions=200000 --set seed=2",
            "thoughtcache train --config x.toml --set decisions=4096 --set seed=2 --out runs/new-7",
        ),
        ("thoughtcache train --resume runs/x", "thoughtcache train --resume runs/x"),
        ("thoughtcache bench tiny --exact-only", "thoughtcache bench tiny --exact-only --slots 1000"),
    ];
    for (line, expected) in cases {
        assert_eq!(cut(line, 7), expected);
    }
}

#[test]
fn commands_are_found_in_blocks_of_shell_lines() {
    let page = "```sh\ncargo run --release -- compare x   # y\n$ thoughtcache a \\\n  --b\n```\n```text\nthoughtcache no\n```\n# no\n";
    assert_eq!(commands_of_page(page), ["thoughtcache compare x   # y", "thoughtcache a --b"]);
}
