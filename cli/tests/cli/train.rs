/// A run of about a second.
pub(crate) const TINY: &str = "\
scenario = \"tight\"
decisions = 1_024
eval_every_decisions = 512
log_every_decisions = 256

[agent]
from = \"ppo-tight\"

[agent.ppo]
n_envs = 8
n_steps = 32
batch_size = 64
net_arch = [16]
";

#[cfg(not(feature = "torch"))]
mod without_torch {
    use super::TINY;

    #[test]
    fn a_build_without_learners_says_how_to_get_them() {
        let desk = super::super::Desk::new();
        desk.write("tiny.toml", TINY);
        for line in ["train --config tiny.toml", "bench train --config tiny.toml"] {
            let outcome = desk.run(line).expect(2);
            assert!(outcome.stderr.starts_with("error: this program was built without its learners"));
            assert!(outcome.stderr.contains("type: pip install thoughtcache-cli==0."), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("in a checkout: cargo xtask setup"), "{}", outcome.stderr);
        }
    }
}

#[cfg(feature = "torch")]
mod with_torch {
    use super::super::{Desk, Outcome, repository};
    use super::TINY;
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::Duration;

    const SHORT: &str = "--set scenario.horizon_slots=5";

    fn train(desk: &Desk, options: &str) -> Outcome {
        desk.write("tiny.toml", TINY);
        desk.run(&format!("train --config tiny.toml {SHORT} {options}"))
    }

    fn checkpoint(run: &Path) -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(run.join("checkpoints/best")).unwrap();
        files
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect()
    }

    fn lines(text: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a run logged, but for its times.
    fn timeless(text: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let mut lines = lines(text);
        for line in &mut lines {
            line.retain(|tag, _| !tag.starts_with("time/"));
        }
        lines
    }

    #[test]
    fn a_run_folder_holds_everything_and_repeats_itself_to_the_last_byte() {
        let desk = Desk::new();
        let first = train(&desk, "").expect(0);
        assert!(first.stdout.contains("\n  thoughtcache compare runs/tiny-1\n"), "{}", first.stdout);
        let mut files: Vec<String> = std::fs::read_dir(desk.path("runs/tiny-1"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(
            files,
            ["checkpoints", "config.toml", "eval.csv", "metrics.jsonl", "provenance.toml", "tensorboard"]
        );
        let events: Vec<_> = std::fs::read_dir(desk.path("runs/tiny-1/tensorboard")).unwrap().collect();
        assert_eq!(events.len(), 1);
        let bytes = std::fs::read(events[0].as_ref().unwrap().path()).unwrap();
        assert!(
            bytes.windows(18).any(|window| window == b"rollout/ep_rew_mea"),
            "tags as in Stable-Baselines3"
        );

        let metrics = lines(&desk.read("runs/tiny-1/metrics.jsonl"));
        assert!(metrics.iter().all(|line| line.contains_key("decisions")));
        assert_eq!(metrics.last().unwrap()["decisions"], 1024);
        for tag in
            ["time/fps", "train/approx_kl", "eval/mean_reward", "rollout/ep_rew_mean", "cost/switching"]
        {
            assert!(metrics.iter().any(|line| line.contains_key(tag)), "{tag}");
        }
        assert_eq!(desk.read("runs/tiny-1/eval.csv").lines().count(), 3, "a heading and two validations");
        assert!(first.stdout.contains("  health      "), "{}", first.stdout);
        let provenance = desk.read("runs/tiny-1/provenance.toml");
        assert!(provenance.contains("ending = \"done\""), "{provenance}");

        let again = desk.run("train --config runs/tiny-1/config.toml --out again --quiet").expect(0);
        assert_eq!(again.stderr, "");
        assert_eq!(checkpoint(&desk.path("again")), checkpoint(&desk.path("runs/tiny-1")));
        assert_eq!(
            timeless(&desk.read("again/metrics.jsonl")),
            timeless(&desk.read("runs/tiny-1/metrics.jsonl"))
        );
        let values =
            |text: String| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        assert_eq!(values(desk.read("again/config.toml")), values(desk.read("runs/tiny-1/config.toml")));

        let other = desk.run("train --config runs/tiny-1/config.toml --seed 2 --json").expect(0).json();
        assert_eq!((other["run"].as_str(), other["seed"].as_u64()), (Some("runs/tiny-2"), Some(2)));
        assert_ne!(checkpoint(&desk.path("runs/tiny-2")), checkpoint(&desk.path("again")));
    }

    /// The decisions of the lines that say how learning goes.
    fn learning(text: &str) -> Vec<u64> {
        let lines = lines(text).into_iter().filter(|line| line.contains_key("train/loss"));
        lines.map(|line| line["decisions"].as_u64().unwrap()).collect()
    }

    #[test]
    fn the_last_update_is_logged_with_the_last_validation_however_seldom_a_run_logs() {
        // Updates after 256, 512, 768 and 1,024 decisions, validations after 512 and 1,024.
        let desk = Desk::new();
        for (every, expected) in [("768", vec![768, 1024]), ("100000", vec![1024])] {
            for folder in ["first", "again"] {
                train(&desk, &format!("--set log_every_decisions={every} --out {folder}-{every}")).expect(0);
            }
            let text = desk.read(&format!("first-{every}/metrics.jsonl"));
            assert_eq!(learning(&text), expected);
            let last = lines(&text).pop().unwrap();
            assert_eq!(last["time/total_timesteps"], 1024.0);
            assert_eq!(last["time/iterations"], 4.0);
            assert!(last.contains_key("eval/cost_per_slot"));
            assert_eq!(timeless(&text), timeless(&desk.read(&format!("again-{every}/metrics.jsonl"))));
        }
    }

    #[test]
    fn a_dqn_is_trained_too() {
        let desk = Desk::new();
        let keys = "--set agent=dqn-tight --set agent.dqn.learning_starts=256 --set agent.dqn.batch_size=32";
        let outcome = train(&desk, &format!("{keys} --out dqn --json")).expect(0);
        assert_eq!(outcome.json()["algorithm"], "dqn");
        let meta: serde_json::Value =
            serde_json::from_str(&desk.read("dqn/checkpoints/best/meta.json")).unwrap();
        assert_eq!(meta["trained_on"], "tight");
    }

    #[test]
    fn every_tag_that_a_run_logs_is_explained_and_every_explained_tag_is_logged() {
        let desk = Desk::new();
        let warm = "--set agent.warm_start=density --set agent.warm_start_decisions=512";
        train(&desk, &format!("{warm} --out ppo")).expect(0);
        let keys = "--set agent=dqn-tight --set agent.dqn.learning_starts=256 --set agent.dqn.batch_size=32";
        train(&desk, &format!("{keys} {warm} --out dqn")).expect(0);
        let mut logged: Vec<String> = ["ppo/metrics.jsonl", "dqn/metrics.jsonl"]
            .into_iter()
            .flat_map(|name| lines(&desk.read(name)))
            .flat_map(|line| line.into_iter().map(|(tag, _)| tag))
            .filter(|tag| tag != "decisions")
            .collect();
        logged.sort();
        logged.dedup();
        let page = std::fs::read_to_string(repository("docs/metrics.md")).unwrap();
        let mut explained: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(tag, _)| tag.to_owned())
            .collect();
        explained.sort();
        assert_eq!(logged, explained);
    }

    #[test]
    fn mistakes_leave_no_run_behind_and_no_run_is_overwritten() {
        let desk = Desk::new();
        desk.write("taken", "");
        desk.write("tiny.toml", TINY);
        let mut transcripts = Vec::new();
        for options in [
            "--config missing.toml",
            "--config tiny.toml --set agent=ppo",
            "--config tiny.toml --set agent.ppo.gama=0.9",
            "--config tiny.toml --set agent.ppo.gamma=1.5",
            "--config tiny.toml --set decisions=9223372036854775807",
            "--config tiny.toml --set eval_episodes=4294967296",
            "--config tiny.toml --set eval_episodes=3",
            "--config tiny.toml --set agent.ppo.ignore_entries=[\"aeg\"]",
            "--config tiny.toml --out taken",
        ] {
            let outcome = desk.run(&format!("train {options}")).expect(2);
            assert!(
                outcome.stdout.is_empty() && !outcome.stderr.contains("panicked"),
                "{}",
                outcome.transcript()
            );
            transcripts.push(outcome.transcript());
        }
        std::fs::create_dir(desk.path("full")).unwrap();
        desk.write("full/notes", "mine");
        transcripts.push(desk.run("train --config tiny.toml --out full").expect(2).transcript());
        assert_eq!(std::fs::read_dir(desk.path("full")).unwrap().count(), 1);
        assert!(!desk.path("runs").exists());
        insta::assert_snapshot!(transcripts.join("\n"));
    }

    #[test]
    fn a_validation_that_would_take_hours_ends_with_the_time_limit() {
        let desk = Desk::new();
        desk.write("tiny.toml", TINY);
        let long = "train --config tiny.toml --set eval_episodes=1000000 --time-limit 1s --out long";
        let outcome = desk.run(long).expect(0);
        assert!(
            outcome.stdout.contains("long: stopped while least-aot played the validation episodes"),
            "{}",
            outcome.stdout
        );
        assert!(desk.read("long/provenance.toml").contains("ending = \"time limit\""));
    }

    #[test]
    #[cfg(unix)]
    fn a_request_to_end_is_heard_during_a_validation() {
        let desk = Desk::new();
        desk.write("tiny.toml", TINY);
        let mut child = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .current_dir(desk.path(""))
            .args("train --config tiny.toml --set eval_episodes=1000000 --out long".split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !desk.path("long/config.toml").exists() && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(300)); // into the validation, which takes minutes
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains("played the validation episodes"), "{stdout}");
        assert!(desk.read("long/provenance.toml").contains("ending = \"interrupted\""));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_run_that_does_not_fit_into_memory_is_one_message() {
        let desk = Desk::new();
        desk.write("large.toml", "scenario = \"tight\"\nagent = \"dqn-tight\"\ndecisions = 32_000_000\n");
        let large = "--config large.toml --set agent.dqn.buffer_size=10000000 --out large";
        let program = env!("CARGO_BIN_EXE_thoughtcache");
        let output = Command::new("sh")
            .current_dir(desk.path(""))
            .args(["-c", &format!("ulimit -v 8000000; exec {program} train --quiet {large}")])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("dqn.buffer_size = 10000000: what fits into memory"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }

    #[test]
    fn ctrl_c_ends_a_run_in_good_order() {
        let desk = Desk::new();
        desk.write("tiny.toml", TINY);
        let child = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .current_dir(desk.path(""))
            .args(["train", "--config", "tiny.toml", "--set", "decisions=800000000", "--out", "long"])
            .args(["--set", "log_every_decisions=800000000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let is_under_way = || desk.path("long/checkpoints/best/meta.json").exists();
        for _ in 0..600 {
            if is_under_way() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        assert!(is_under_way());
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(130), "{stdout}");
        assert!(stdout.contains("stopped long:"), "{stdout}");
        assert!(stdout.contains("next:\n  thoughtcache train --resume long\n"), "{stdout}");
        assert_eq!(checkpoint(&desk.path("long")).len(), 2);
        assert!(desk.read("long/provenance.toml").contains("ending = \"interrupted\""));
        let metrics = desk.read("long/metrics.jsonl");
        let last = lines(&metrics).pop().unwrap()["decisions"].as_u64().unwrap();
        assert!(last < 800_000_000);
        assert_eq!(learning(&metrics), [last], "what was learnt is logged once, at the end");
    }

    #[test]
    fn ctrl_c_twice_ends_a_run_at_once_and_never_with_a_crash() {
        let desk = Desk::new();
        desk.write("tiny.toml", TINY);
        let trials: Vec<_> = (0..4)
            .map(|trial| {
                let child = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
                    .current_dir(desk.path(""))
                    .args(["train", "--config", "tiny.toml", "--set", "decisions=800000000", "--quiet"])
                    .args(["--out", &trial.to_string()])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap();
                (trial, child)
            })
            .collect();
        for (trial, child) in trials {
            for _ in 0..1_200 {
                if desk.path(&format!("{trial}/checkpoints/best/meta.json")).exists() {
                    break;
                }
                thread::sleep(Duration::from_millis(50));
            }
            for _ in 0..2 {
                Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
                thread::sleep(Duration::from_millis(2));
            }
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(130), "{:?}", output.status);
        }
    }

    #[test]
    fn a_machine_is_not_asked_for_more_threads_than_it_can_start() {
        let desk = Desk::new();
        let output = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .current_dir(desk.path(""))
            .args(["evaluate", "lru", "--scenario", "tight", "--episodes", "1"])
            .env("RAYON_NUM_THREADS", "99999999999")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.contains("warning: RAYON_NUM_THREADS=99999999999 is too much: 512 threads"),
            "{stderr}"
        );
    }

    /// Least-aot has nothing to pay in a world without prices: what is relative to it is left out.
    #[test]
    fn a_world_in_which_nothing_costs_has_no_number_that_is_not_finite() {
        let desk = Desk::new();
        desk.write("tiny.toml", TINY);
        let free = ["accuracy_weight", "edge_per_request", "cloud_per_request", "switching.per_gb.weight"];
        let free = free.map(|key| format!(" --set scenario.cost.{key}=0")).concat();
        let line = format!("train --config tiny.toml --set scenario.horizon_slots=5 --out run{free}");
        let outcome = desk.run(&line).expect(0);
        assert!(outcome.stderr.contains("(least-aot costs nothing)"), "{}", outcome.stderr);
        let validations = desk.read("run/eval.csv");
        for line in validations.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!((fields[1], fields[2]), ("0", ""), "{line}");
        }
        for text in [outcome.stdout, outcome.stderr, validations, desk.read("run/metrics.jsonl")] {
            assert!(!text.contains("NaN") && !text.contains("null") && !text.contains("inf "), "{text}");
        }
    }
}
