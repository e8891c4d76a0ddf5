//! `evaluate`, `compare` and `tune` as a person types them: tables, documents, files, and each kind of mistake.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use thoughtcache_agents::checkpoint::{Algorithm, Checkpoint, POLICY_FILE};
use thoughtcache_agents::net_policy::{Activation, Dense, Mlp};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

/// Makes episodes short.
const SHORT: [&str; 2] = ["--set", "scenario.horizon_slots=20"];

/// Runs the program in a folder.
fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

fn run(arguments: &[&str]) -> Output {
    run_in(Path::new("."), arguments)
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// The message of a command that could not work.
fn mistake(folder: &Path, arguments: &[&str]) -> String {
    let output = run_in(folder, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote to standard output");
    message
}

/// A run folder whose network always serves in the cloud: no layers, and a bias on that action.
fn cloud_run(folder: &Path, name: &str) -> PathBuf {
    let env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
    let (inputs, outputs) = (env.spec().num_entries(), env.spec().num_actions());
    let cloud = env.spec().actions.iter().position(|action| action == "cloud").unwrap();
    let mut bias = vec![0.0; outputs];
    bias[cloud] = 1.0;
    let head = Dense::new("head", inputs, outputs, vec![0.0; inputs * outputs], bias).unwrap();
    let net = Mlp::new(Vec::new(), head, None, Activation::Tanh, Vec::new()).unwrap();
    let bytes = Checkpoint::new(net, Algorithm::Ppo, env.spec(), 1_000, Some(0.1)).to_bytes();
    let best = folder.join(name).join("checkpoints/best");
    fs::create_dir_all(&best).unwrap();
    fs::write(best.join(POLICY_FILE), bytes.policy).unwrap();
    fs::write(best.join("meta.json"), bytes.meta).unwrap();
    folder.join(name)
}

/// The same with the config that it was trained with: `tight` with so much memory.
fn trained_run(folder: &Path, name: &str, memory_gb: f64) -> PathBuf {
    let run = cloud_run(folder, name);
    let text = thoughtcache_env::scenario::shipped::text("tight").unwrap();
    let mut scenario: toml::Table = text.parse().unwrap();
    scenario["cell"]["memory_gb"] = memory_gb.into();
    scenario["horizon_slots"] = 20.into();
    let config = toml::Table::from_iter([
        ("name".to_owned(), "my-ppo".into()),
        ("decisions".to_owned(), 4096.into()),
        ("agent".to_owned(), "ppo-tight".into()),
        ("scenario".to_owned(), scenario.into()),
    ]);
    fs::write(run.join("config.toml"), toml::to_string(&config).unwrap()).unwrap();
    run
}

/// `tight` under another name, in a file.
fn renamed_tight(folder: &Path) -> PathBuf {
    let path = folder.join("other.toml");
    let text = thoughtcache_env::scenario::shipped::text("tight").unwrap();
    fs::write(&path, text.replace("name = \"tight\"", "name = \"other\"")).unwrap();
    path
}

/// Takes the measured times out of a table: its last column.
fn without_times(text: &str) -> String {
    let mut is_timed = false;
    let line = |line: &str| {
        is_timed = if line.ends_with(" us") { true } else { is_timed && !line.is_empty() };
        let cut = if is_timed { line.rfind(' ').map_or(line, |at| line[..at].trim_end()) } else { line };
        format!("{cut}\n")
    };
    text.lines().map(line).collect()
}

#[test]
fn the_table_is_sorted_by_cost_and_ends_with_who_won() {
    let output =
        run(&[&["compare", "lru", "cloud-only", "--scenario", "tight", "--episodes", "3"], &SHORT[..]]
            .concat());
    insta::assert_snapshot!(without_times(&stdout(&output)));
}

/// What `tight` is compared with.
fn all_heuristics() -> Vec<String> {
    let tight = Scenario::shipped("tight");
    thoughtcache_agents::heuristics::registry::names(&tight)
}

#[test]
fn without_names_all_heuristics_are_compared() {
    let arguments = ["compare", "--scenario", "tight", "--episodes", "2", "--json"];
    let document = json(&run(&[&arguments[..], &SHORT].concat()));
    let mut names: Vec<&str> = document["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    let mut known = all_heuristics();
    known.sort_unstable();
    assert_eq!(names, known);
    let costs: Vec<f64> = document["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["mean_cost"].as_f64().unwrap())
        .collect();
    assert!(costs.is_sorted());
}

#[test]
fn a_run_plays_against_all_heuristics_and_is_what_its_network_is() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = cloud_run(folder.path(), "my-ppo");
    let arguments =
        ["compare", run_folder.to_str().unwrap(), "--scenario", "tight", "--episodes", "2", "--json"];
    let output = run(&[&arguments[..], &SHORT].concat());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let document = json(&output);
    let policies = document["policies"].as_array().unwrap();
    assert_eq!(policies.len(), all_heuristics().len() + 1);
    let find = |name: &str| policies.iter().find(|policy| policy["name"] == name).unwrap();
    let (net, rule) = (find("my-ppo"), find("cloud-only"));
    assert_eq!((&net["kind"], &rule["kind"]), (&"ppo".into(), &"heuristic".into()));
    for key in ["mean_cost", "ci95", "relative", "hit_ratio", "cost"] {
        assert_eq!(net[key], rule[key], "{key}");
    }
}

#[test]
fn the_document_does_not_depend_on_the_number_of_threads() {
    let with = |threads: &str| {
        let arguments = ["compare", "lru", "random", "--scenario", "tight", "--episodes", "5", "--json"];
        let output = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .args(arguments)
            .args(SHORT)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let mut document = json(&output);
        for policy in document["policies"].as_array_mut().unwrap() {
            assert!(policy["decide_us"].take().as_f64().unwrap() > 0.0);
        }
        document
    };
    let one = with("1");
    assert_eq!(one, with("2"));
    assert_eq!(one, with("8"));
    assert_eq!(one["trajectory_hash"].as_str().unwrap().len(), 16);
}

#[test]
fn a_run_of_another_scenario_is_named_as_such_and_may_be_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = cloud_run(folder.path(), "my-ppo");
    let run_folder = run_folder.to_str().unwrap();
    let other = renamed_tight(folder.path());
    let arguments = [
        "compare",
        run_folder,
        "lru",
        "--scenario",
        other.to_str().unwrap(),
        "--baseline",
        run_folder,
        "--episodes",
        "2",
    ];
    let document = json(&run(&[&arguments[..], &SHORT, &["--json"]].concat()));
    assert_eq!(document["baseline"], "my-ppo (trained on tight)");
    assert_eq!(document["policies"].as_array().unwrap().len(), 2);
}

#[test]
fn a_run_plays_the_scenario_that_it_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained_run(folder, "small", 480.0);
    let hash = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = run_in(folder, &[&arguments[..], &["--episodes", "2", "--json"]].concat());
        let document = json(&output);
        assert_eq!(document["scenario"], "tight", "{line}");
        (document["trajectory_hash"].clone(), String::from_utf8(output.stderr).unwrap())
    };
    let set = "--set scenario.horizon_slots=20 --set scenario.cell.memory_gb=480";
    let (small, note) = hash(&format!("evaluate small lru --scenario tight {set}"));
    assert!(note.is_empty(), "nothing differs: {note}");
    for policy in ["small", "small/checkpoints/best"] {
        assert_eq!(hash(&format!("evaluate {policy} lru")), (small.clone(), String::new()), "{policy}");
    }
    assert_eq!(hash("evaluate lru small --scenario small").0, small, "a run's folder names its scenario");
    let own = hash("compare small lru --only --baseline lru");
    assert_eq!(own, hash(&format!("compare small lru --only --baseline lru --scenario tight {set}")));
    assert_eq!(own, hash("compare lru --only --baseline small"), "the baseline is a run too");
    // Another scenario is played when it is typed, and what differs is said.
    let (tight, note) = hash("evaluate small lru --scenario tight --set scenario.horizon_slots=20");
    assert_ne!(tight, small);
    assert_eq!(note, "small was trained on another scenario than it plays: cell.memory_gb 480.0 -> 960.0\n");
    let sweep = "compare small --only --episodes 1 --scenario tight --set scenario.horizon_slots=20 --sweep scenario.cell.memory_gb=240,960";
    let output = run_in(folder, &sweep.split(' ').collect::<Vec<_>>());
    let note = String::from_utf8(output.stderr).unwrap();
    assert_eq!(note.matches("cell.memory_gb 480.0 -> 240.0").count(), 1, "{note}");
    let plot = run_in(folder, &["scenario", "plot", "--policy", "small", "--episodes", "1", "--out", "svg"]);
    assert_eq!(stdout(&plot), "svg/tight-episode.svg\nsvg/tight-state.svg\n");
    assert!(fs::read_to_string(folder.join("svg/tight-episode.svg")).unwrap().contains("480"));
}

#[cfg(unix)]
#[test]
fn names_are_shown_escaped_and_end_no_cell_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained_run(folder, "a\u{1b}[31m|b\nc", 480.0);
    let arguments = ["compare", "a\u{1b}[31m|b\nc", "lru", "--only", "--baseline", "lru", "--episodes", "2"];
    let files = ["--out-csv", "out.csv", "--out-markdown", "out.md", "--out-text", "out.txt"];
    let text = stdout(&run_in(folder, &[&arguments[..], &files].concat()));
    let [csv, markdown, file] =
        ["out.csv", "out.md", "out.txt"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    for text in [&text, &csv, &markdown, &file] {
        assert!(text.contains("a\\u{1b}[31m") && !text.contains('\u{1b}'), "{text}");
    }
    assert!(markdown.contains("| **a\\u{1b}[31m\\|b\\nc** |"), "{markdown}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
}

#[test]
fn runs_of_different_scenarios_need_one_to_be_typed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained_run(folder, "small", 480.0);
    trained_run(folder, "large", 960.0);
    cloud_run(folder, "homeless");
    let messages = [
        mistake(folder, &["compare", "small", "large"]),
        mistake(folder, &["evaluate", "lru", "large", "small"]),
        mistake(folder, &["evaluate", "homeless"]),
        mistake(folder, &["scenario", "plot", "--policy", "homeless"]),
        mistake(folder, &["compare", "small", "--baseline", "large"]),
    ];
    insta::assert_snapshot!(messages.concat());
    assert!(run_in(folder, &["compare", "small", "large", "--scenario", "large", "--only"]).status.success());
}

#[cfg(unix)]
#[test]
fn results_go_into_pipes_and_devices_and_leave_them_what_they_are() {
    use std::os::unix::fs::FileTypeExt;

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let compare = |out: &[&str]| {
        let arguments = ["compare", "lru", "--scenario", "tight", "--episodes", "2", "--only"];
        run_in(folder, &[&arguments[..], &SHORT, out].concat())
    };
    stdout(&compare(&["--out-csv", "file.csv"]));
    let header = |csv: &str| csv.lines().next().unwrap().to_owned();
    let whole = fs::read_to_string(folder.join("file.csv")).unwrap();
    assert_eq!(whole.lines().count(), 3);

    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    stdout(&compare(&["--out-csv", "pipe"]));
    let piped = reader.join().unwrap();
    assert_eq!((header(&piped), piped.lines().count()), (header(&whole), 3));
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());

    for output in ["-", "/dev/stdout"] {
        let text = stdout(&compare(&["--out-csv", output]));
        assert_eq!((header(&text), text.lines().count()), (header(&whole), 3), "nothing but the CSV: {text}");
    }
    stdout(&compare(&["--out-csv", "/dev/null", "--out-text", "/dev/null"]));
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let shell = format!(
        "{} compare lru --scenario tight --episodes 2 --only {} --out-csv >(cat > copy.csv) && sleep 1",
        env!("CARGO_BIN_EXE_thoughtcache"),
        SHORT.join(" ")
    );
    let output = Command::new("bash").args(["-c", &shell]).current_dir(folder).output().unwrap();
    stdout(&output);
    assert_eq!(header(&fs::read_to_string(folder.join("copy.csv")).unwrap()), header(&whole));
    assert!(mistake(folder, &["compare", "--out-csv", "-", "--json"]).contains("name a file for --out-csv"));
}

#[test]
fn a_sweep_has_a_table_a_value_a_matrix_and_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "compare",
        "cloud-only",
        "--only",
        "--scenario",
        "tight",
        "--episodes",
        "2",
        "--sweep",
        "scenario.cell.memory_gb=400,1200",
        "--out-csv",
        "out/sweep.csv",
        "--out-text",
        "sweep.txt",
        "--out-markdown",
        "sweep.md",
    ];
    let output = run_in(folder.path(), &[&arguments[..], &SHORT].concat());
    let text = stdout(&output);
    assert!(text.contains("== scenario.cell.memory_gb = 400 ==") && text.contains("= 1200 =="));
    assert!(text.contains("relative to least-aot, %; * cheapest"));
    assert_eq!(fs::read_to_string(folder.path().join("sweep.txt")).unwrap().trim_end(), text.trim_end());
    let csv = fs::read_to_string(folder.path().join("out/sweep.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1 + 2 * 2);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_eq!((rows[0][4], rows[1][4], rows[4][4]), ("scenario.cell.memory_gb", "400", "1200"));
    // The cloud has no memory: what it costs is the same at every size.
    let cloud: Vec<&Vec<&str>> = rows.iter().filter(|row| row[5] == "cloud-only").collect();
    assert_eq!(cloud[0][7], cloud[1][7]);
    let markdown = fs::read_to_string(folder.path().join("sweep.md")).unwrap();
    assert!(markdown.contains("### `scenario.cell.memory_gb` = 400\n\n| policy |"));

    let document = json(&run_in(folder.path(), &[&arguments[..9], &SHORT, &["--json"]].concat()));
    assert_eq!(document["sweep"], "scenario.cell.memory_gb");
    assert_eq!(document["values"][1]["value"], "1200");
    assert_eq!(document["values"][1]["comparison"]["policies"].as_array().unwrap().len(), 2);
}

#[test]
fn a_bound_is_found_once_and_regret_stands_in_tables_documents_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let typed = ["compare", "--scenario", "tight", "worth", "--only", "--bound", "--episodes", "3"];
    let out = ["--out-csv", "t.csv", "--out-markdown", "t.md"];
    let first = stdout(&run_in(folder.path(), &[&typed[..], &SHORT, &out].concat()));
    insta::assert_snapshot!(without_times(&first));
    let page = fs::read_to_string(folder.path().join("t.md")).unwrap();
    // The last column is measured.
    let lines = page.lines().map(|line| line.rsplit_once(" | ").map_or(line, |(line, _)| line));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    let csv = fs::read_to_string(folder.path().join("t.csv")).unwrap();
    let head = csv.lines().next().unwrap();
    assert!(head.contains("bound,regret,regret_low,regret_high,closed,closed_low,closed_high"), "{head}");
    let kept = fs::read_dir(folder.path().join("runs/bounds")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&kept).unwrap();
    assert_eq!(text.lines().count(), 4);
    // What is kept is believed: one that is raised beyond every cost is found out.
    let raised = text.lines().map(|line| match line.rsplit_once(',') {
        Some((key, bound)) if !bound.starts_with('t') => format!("{key},{}\n", ["9.0"; 20].join(" ")),
        _ => format!("{line}\n"),
    });
    fs::write(&kept, raised.collect::<String>()).unwrap();
    let message = mistake(folder.path(), &[&typed[..], &SHORT].concat());
    assert!(message.contains("costs less than 9, the bound of episode 0"), "{message}");
    // A file that is not one is found anew.
    fs::write(&kept, "episode\n0,1\n").unwrap();
    let again = stdout(&run_in(folder.path(), &[&typed[..], &SHORT].concat()));
    assert_eq!(without_times(&again), without_times(&first));
    assert_eq!(fs::read_to_string(&kept).unwrap(), text);
    let document = json(&run_in(folder.path(), &[&typed[..], &SHORT, &["--json"]].concat()));
    assert!(document["bound"]["mean_cost"].as_f64().unwrap() > 0.0);
    assert!(document["policies"][0]["closed"]["mean"].as_f64().unwrap() > 0.0);
    let street =
        ["compare", "--scenario", "street", "worth", "--only", "--bound", "--episodes", "2", "--json"];
    let document = json(&run_in(folder.path(), &[&street[..], &SHORT].concat()));
    assert!(document["bound"]["mean_cost"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_looks_ahead_is_compared_like_any_rule_and_a_reference_stands_in_brackets() {
    let names = ["rollout(density, samples=2, slots=2)", "lookahead(density, slots=2)"];
    let played = ["--scenario", "tight", "--episodes", "2", "--baseline", "density"];
    let arguments = [&["compare"], &names[..], &played, &SHORT].concat();
    let text = stdout(&run(&arguments));
    for start in ["\nrollout(density, samples=2, slots=2) ", "\n(lookahead(density, slots=2)) "] {
        assert!(text.contains(start), "{text}");
    }
    assert!(text.contains("(in brackets): a reference that knows the future, no policy"));
    assert!(
        !text.lines().last().unwrap().contains("lookahead"),
        "it is not among those who can be the cheapest"
    );
    let document = json(&run(&[&arguments[..], &["--json"]].concat()));
    let kinds = document["policies"].as_array().unwrap().iter().map(|row| [&row["name"], &row["kind"]]);
    let mut kinds: Vec<[&str; 2]> = kinds.map(|row| row.map(|text| text.as_str().unwrap())).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [["density", "heuristic"], [names[1], "reference"], [names[0], "heuristic"]]);
}

#[test]
fn evaluate_shows_each_policy_by_itself() {
    let arguments = ["evaluate", "cloud-only", "lru", "--scenario", "tight", "--episodes", "2"];
    let text = stdout(&run(&[&arguments[..], &SHORT].concat()));
    insta::assert_snapshot!(without_times(&text));
    let document = json(&run(&[&arguments[..], &SHORT, &["--json"]].concat()));
    assert_eq!(document["policies"][0]["name"], "cloud-only");
    assert_eq!(document["policies"][0]["hit_ratio"], 0.0);
    assert_eq!(document["episodes"], 2);
}

#[test]
fn tune_marks_the_best_setting_and_prints_it_as_toml() {
    let arguments = ["tune", "--scenario", "tight", "--policy", "density", "--episodes", "2"];
    let text = stdout(&run(&[&arguments[..], &SHORT].concat()));
    assert_eq!(text.matches("  best\n").count(), 1);
    assert!(text.contains("\n[policies.density]\nmargin = "), "{text}");
    let document = json(&run(&[&arguments[..], &SHORT, &["--json"]].concat()));
    let trials = document["trials"].as_array().unwrap();
    assert_eq!(trials.iter().filter(|trial| trial["best"] == true).count(), 1);
}

#[test]
fn each_mistake_is_one_message_with_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::write(folder.join("note.txt"), "").unwrap();
    let damaged = cloud_run(folder, "damaged").join("checkpoints/best").join(POLICY_FILE);
    let mut bytes = fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&damaged, bytes).unwrap();
    cloud_run(folder, "good");
    fs::remove_file(cloud_run(folder, "half").join("checkpoints/best/meta.json")).unwrap();
    let mistakes: [&[&str]; 16] = [
        &["compare", "least_aot", "--scenario", "tight"],
        &["compare", "runs/absent", "--scenario", "tight"],
        &["compare", "empty", "--scenario", "tight"],
        &["compare", "note.txt", "--scenario", "tight"],
        &["compare", "damaged", "--scenario", "tight"],
        &["compare", "half", "--scenario", "tight"],
        &["compare", "good", "--scenario", "paper"],
        &["compare", "--scenario", "tight", "--baseline", "belady"],
        &["compare", "--scenario", "tight", "--episodes", "0"],
        &["compare", "--scenario", "tight", "--sweep", "scenario.slot_s"],
        &["compare", "--scenario", "tight", "--sweep", "scenario.cell.memory_gb=960,none"],
        &["compare", "good", "--scenario", "tight", "--sweep", "scenario.decision.placements=[\"cloud\"]"],
        &["compare", "--scenario", "tight", "--only"],
        &["compare", "--scenario", "tight", "--set", "scenario.policies.density.margn=1"],
        &["evaluate", "--scenario", "tight"],
        &["tune", "--scenario", "tight", "--policy", "worthy"],
    ];
    let report = |arguments: &&[&str]| {
        let message = mistake(folder, arguments).replace(folder.to_str().unwrap(), "FOLDER");
        format!("$ thoughtcache {}\n{}", arguments.join(" "), message.trim_end())
    };
    let mut reports: Vec<String> = mistakes.iter().map(report).collect();
    let unwritable =
        [&["compare", "lru", "--scenario", "tight", "--out-csv", "note.txt/x.csv"], &SHORT[..]].concat();
    reports.push(report(&&unwritable[..]));
    insta::with_settings!({ filters => vec![(r"[0-9a-f]{64}", "SHA256")] }, {
        insta::assert_snapshot!(reports.join("\n\n"));
    });
}

#[test]
fn recorded_requests_are_one_run_whatever_number_is_typed() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/gentd26");
    if !Path::new(data).is_dir() {
        eprintln!("skipped: no recorded data at ../shared/data");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (requests, loads) =
        (format!("{data}/lora_request_trace.csv.gz"), format!("{data}/basemodel_update_latency_anon.csv.gz"));
    let import = [
        "trace",
        "import",
        &requests,
        "--format",
        "gentd26",
        "--load-times",
        &loads,
        "--out",
        "gentd26.csv.gz",
    ];
    stdout(&run_in(folder.path(), &import));
    let output = run_in(folder.path(), &["compare", "lru", "--scenario", "trace-gentd26", "--episodes", "7"]);
    let text = stdout(&output);
    assert!(
        text.starts_with("trace-gentd26: recorded requests, the whole test part as one run of 663 slots\n"),
        "{text}"
    );
    assert!(
        text.contains("relative to least-aot, paired by slot; intervals by moving blocks of slots"),
        "{text}"
    );
    let note = String::from_utf8(output.stderr).unwrap();
    // Lines about how far it is may follow where it takes long.
    assert_eq!(
        note.lines().next().unwrap(),
        "trace-gentd26 replays recorded requests: the whole test part is one run; --episodes 7 does not apply"
    );
}
