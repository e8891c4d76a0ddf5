use super::{Desk, repository};
use std::fmt::Write;
use std::process::{Command, Stdio};

#[test]
fn shipped_scenarios_are_listed_with_a_line_each() {
    insta::assert_snapshot!(Desk::new().transcript(&["scenario list"]));
}

#[test]
fn a_shown_scenario_is_a_scenario() {
    let desk = Desk::new();
    let shown = desk.run("scenario show tight --set scenario.horizon_slots=50").expect(0);
    desk.write("short.toml", &shown.stdout);
    let checked = desk.run("scenario check street --set scenario.cell.memory_gb=40").expect(0);
    let warning = "warning: street: larger than the memory of a cell, and so never at the edge: gemma-27b (54.5 GB), qwen-32b (65.5 GB), mixtral (93.4 GB)";
    assert!(checked.stderr.contains(warning), "{}", checked.stderr);
    let checked = desk.run("scenario check short.toml tight").expect(0);
    assert_eq!(
        checked.stdout,
        "short.toml: ok (20 services, 960 GB, 50 slots)\ntight: ok (20 services, 960 GB, 200 slots)\n"
    );
    assert_eq!(desk.run("scenario show short.toml").expect(0).stdout, shown.stdout);
}

#[test]
fn a_world_and_one_of_its_slots_are_told() {
    insta::assert_snapshot!(Desk::new().transcript(&["scenario describe tight --slot 12 --seed 3"]));
}

/// Rows of three users who ask for 24 models in turns, and for the first of them more often.
fn write_recording(desk: &Desk) {
    let mut text = "gmt_create,predict_type,predict_status,exec_time_seconds,groupId,prompt_length,\
                    negative_prompt_length,num_images_per_prompt,num_inference_steps,checkpoint_model_version_id,num_lora\n"
        .to_owned();
    for row in 0..360 {
        let (day, hour, minute) = (row / 144 + 1, row % 144 / 6, row % 6 * 10);
        let model = if row % 3 == 0 { 0 } else { row % 24 };
        let user = row % 3;
        writeln!(
            text,
            "2024-11-{day:02} {hour:02}:{minute:02}:00,TXT_2_IMG,SUCCEED,9.5,G{user},63.0,,1.0,30.0,M{model},0"
        )
        .unwrap();
    }
    desk.write("rows.csv", &text);
    desk.write("loads.csv", "timestamp_anon,value,container_ip\n1.0,22700,a\n");
    let import = "trace import rows.csv --format gentd26 --load-times loads.csv --out trace.csv";
    desk.run(import).expect(0);
}

#[test]
fn whose_the_requests_of_a_recording_are_is_said_and_users_are_not_typed_where_they_are_recorded() {
    let desk = Desk::new();
    write_recording(&desk);
    let scenario = "trace-gentd26 --set scenario.workload.trace.path=trace.csv";
    let scenario = format!(
        "{scenario} --set scenario.workload.trace.services.drawn={{zipf_exponent=1.0,seed=1}} --set scenario.cost.switching.per_gb={{weight=0.1}}"
    );
    let described = desk
        .run(&format!("scenario describe {scenario} --set scenario.context={{scope=\"user\"}} --json"))
        .expect(0)
        .json();
    assert_eq!((&described["users"], &described["users_are"]), (&3.into(), &"recorded".into()));
    let typed = format!("scenario check {scenario} --set scenario.context={{scope=\"user\",users=3}}");
    let refused = desk.run(&typed).expect(2).stdout;
    let why =
        "scenario.context.users = 3: no number: the recording names the users of its requests, 3 of them";
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn another_policy_tells_another_story_of_the_same_requests() {
    let desk = Desk::new();
    let story = |policy: &str| {
        desk.run(&format!("scenario describe tight --policy {policy} --json")).expect(0).json()
    };
    let requests = |story: &serde_json::Value| -> Vec<(String, u64)> {
        let batches = story["story"]["batches"].as_array().unwrap();
        batches
            .iter()
            .map(|batch| (batch["service"].to_string(), batch["requests"].as_u64().unwrap()))
            .collect()
    };
    let (cloud, edge) = (story("cloud-only"), story("least-aot"));
    assert_eq!(requests(&cloud), requests(&edge));
    assert_ne!(cloud["story"]["cost"], edge["story"]["cost"]);
    assert_eq!(cloud["num_entries"], 191);
}

#[test]
fn every_shipped_scenario_is_valid_or_says_how_to_get_its_recording() {
    let desk = Desk::new();
    for entry in std::fs::read_dir(repository("configs/scenarios")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let outcome = desk.run(&format!("scenario check {name}"));
        let hows = ["make it with: thoughtcache trace import", "copy it here: traces of Lumos5G"];
        let is_told = hows.iter().any(|how| outcome.stdout.contains(how));
        assert!(outcome.code == 0 || is_told, "{}", outcome.transcript());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_mistake() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
        .args(["scenario", "show", "tight"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// A small physical world, which does not change when shipped ones are calibrated.
fn square() -> Desk {
    let desk = Desk::new();
    desk.write("square.toml", include_str!("square.toml"));
    desk
}

#[test]
fn a_physical_world_and_one_of_its_slots_are_told_stage_by_stage() {
    let desk = square();
    insta::assert_snapshot!(desk.transcript(&["scenario describe square.toml --slot 10 --seed 3"]));
    let two = desk.run("scenario describe square.toml --slot 4 --seed 3").expect(0).stdout;
    insta::assert_snapshot!(two[two.find("\nstory").unwrap()..].trim());
}

#[test]
fn a_slot_in_which_nobody_asks_says_when_somebody_does() {
    let desk = square();
    let told = |slot: u64| desk.run(&format!("scenario describe square.toml --slot {slot} --seed 3 --json"));
    let empty = (0..60).map(|slot| (slot, told(slot).expect(0).json()["story"].clone()));
    let (slot, story) = empty
        .into_iter()
        .find(|(_, story)| story["batches"].as_array().unwrap().is_empty())
        .expect("a slot without requests");
    let next = story["next_slot"].as_u64().unwrap();
    assert!(next > slot);
    assert!(!told(next).json()["story"]["batches"].as_array().unwrap().is_empty());
    let text = desk.run(&format!("scenario describe square.toml --slot {slot} --seed 3")).expect(0).stdout;
    let next = next.to_string();
    assert!(text.lines().any(|line| line.split_whitespace().eq(["next", "slot", &next])), "{text}");
}

#[test]
fn the_numbers_of_a_physical_story_add_up() {
    let desk = square();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let near = |one: f64, other: f64| (one - other).abs() <= 1e-9 * (1.0 + other.abs());
    let mut told = 0;
    for slot in 0..12 {
        let story = desk
            .run(&format!("scenario describe square.toml --slot {slot} --seed 3 --json"))
            .expect(0)
            .json()["story"]
            .clone();
        let mut costs = story["holding"]["cost"].as_f64().unwrap_or(0.0);
        for batch in story["batches"].as_array().unwrap() {
            told += 1;
            let placed = batch;
            let stages = placed["stages"].as_array().unwrap();
            let sum = |what: &str| stages.iter().map(|stage| number(&stage[what])).sum::<f64>();
            assert!(near(sum("seconds"), number(&placed["latency_s"])), "{placed}");
            assert!(near(sum("joules"), number(&placed["joules"])), "{placed}");
            assert!(near(sum("money"), number(&placed["money"])), "{placed}");
            let factors = placed["factors"].as_object().unwrap();
            assert_eq!(factors.len(), 5);
            assert!(near(factors.values().map(number).product(), number(&placed["quality"])), "{placed}");
            let options = placed["options"].as_array().unwrap();
            assert!(options.iter().any(|option| option["placement"] == placed["placement"]), "{placed}");
            costs += number(&batch["cost"]["total"]);
        }
        assert!(near(costs, number(&story["cost"]["total"])), "{story}");
    }
    assert!(told > 3, "{told} requests");
}

#[test]
fn the_street_is_told_with_all_its_sections() {
    let outcome = Desk::new().run("scenario describe street --slot 17 --seed 3").expect(0);
    for section in ["requests", "settings", "models", "elsewhere", "services", "costs", "actions", "story"] {
        assert!(outcome.stdout.contains(&format!("\n{section}\n")), "{section}: {}", outcome.stdout);
    }
}

#[test]
fn places_ways_and_throughput_are_read_from_files_and_each_mistake_in_them_is_one_message() {
    let desk = Desk::new();
    desk.write("two.csv", "name,x_m,y_m\nwest,100,200\neast,300,200\n");
    desk.write("twice.csv", "name,x_m,y_m\nwest,100,200\nwest,300,200\n");
    desk.write("far.csv", "name,x_m,y_m\nwest,100,200\nmoon,500,200\n");
    desk.write("odd.csv", "name,x_m,y_m\nwest,100,here\n");
    desk.write("bare.csv", "name,x,y\nwest,100,200\n");
    desk.write("walks.csv", "path,time_s,x_m,y_m\na,0,0,0\na,100,400,400\n");
    desk.write("away.csv", "path,time_s,x_m,y_m\na,0,0,0\na,100,400,401\n");
    let rates = "radio,trace,time_s,downlink_mbps\n5G,a,0,100\n5G,a,1,200\n5G,b,0,50\n5G,b,1,60\n4G,c,0,7\n";
    desk.write("rates.csv", rates);
    let sites = "scenario check street --set scenario.cell.count=2 --set scenario.physical.sites.file.path=";
    let walks = "scenario check street --set scenario.physical.radio.mobility.recorded.file=";
    let rates = "scenario check trace-lumos5g --set scenario.physical.radio.recorded_rates.path=";
    let lines: Vec<String> =
        ["two.csv", "none.csv", "twice.csv", "far.csv", "odd.csv", "bare.csv", "city.csv"]
            .map(|file| format!("{sites}{file}"))
            .into_iter()
            .chain(["walks.csv", "none.csv", "away.csv", "two.csv"].map(|file| format!("{walks}{file}")))
            .chain(["rates.csv", "none.csv", "two.csv"].map(|file| format!("{rates}{file}")))
            .chain(
                [
                    "--set scenario.physical.radio.recorded_rates.kind=6G",
                    "--set scenario.physical.radio.recorded_rates.kind=4G",
                    "--set scenario.physical.radio.recorded_rates.format=irish5g",
                    "--set scenario.physical.radio.recorded_rates.part=half",
                    "--set scenario.physical.radio.recorded_rates.uplink_ratio=0",
                    "--set scenario.physical.radio.link.gap_db=1",
                    "--set scenario.physical.radio.fading.block={}",
                ]
                .map(|change| format!("{rates}rates.csv {change}")),
            )
            .chain(["scenario check trace-lumos5g".to_owned()])
            .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    insta::assert_snapshot!(desk.transcript(&lines));
}

#[test]
fn a_resolved_scenario_names_the_files_that_were_opened() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("worlds")).unwrap();
    desk.write("worlds/two.csv", "name,x_m,y_m\nwest,100,200\neast,300,200\n");
    let sets = "--set scenario.cell.count=2 --set scenario.physical.sites.file.path=two.csv";
    desk.write("worlds/pair.toml", &desk.run(&format!("scenario show street {sets}")).expect(0).stdout);
    let described = desk.run("scenario describe worlds/pair.toml").expect(0).stdout;
    assert!(described.contains("(100 m, 200 m), (300 m, 200 m)"), "{described}");
}

#[test]
fn a_name_with_control_characters_is_shown_escaped_on_one_line() {
    let desk = Desk::new();
    let name = "a\u{1b}[31m\nb c.toml";
    std::fs::write(desk.path(name), "name = 3").unwrap();
    for name in [name, "none\u{1b}\n"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoughtcache"));
        let output = command.current_dir(desk.path(".")).args(["scenario", "check", name]).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains(&name.escape_debug().to_string()) && !said.contains('\u{1b}'), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}

#[test]
fn a_scenario_inherits_from_another_and_what_is_shown_needs_no_other() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("worlds")).unwrap();
    let base = "from = \"square.toml\"\n[cell]\nmemory_gb = 40.0\n[physical.weights]\ncost_per_s = 0.25\n";
    desk.write("worlds/square.toml", include_str!("square.toml"));
    desk.write("worlds/base.toml", base);
    desk.write("worlds/child.toml", "from = \"base.toml\"\nname = \"child\"\nhorizon_slots = 50\n");
    let shown =
        desk.run("scenario show worlds/child.toml --set scenario.cell.memory_gb=36.0").expect(0).stdout;
    let changed = desk.run(
        "scenario show worlds/square.toml --set scenario.name=child --set scenario.horizon_slots=50 --set scenario.cell.memory_gb=36.0 --set scenario.physical.weights.cost_per_s=0.25",
    );
    assert_eq!(shown, changed.expect(0).stdout);
    let costs = |line: &str| {
        desk.run(&format!("{line} --set scenario.cell.memory_gb=36.0 --json")).expect(0).json()["rows"]
            .clone()
    };
    let inherited = costs("compare lru cloud-only --scenario worlds/child.toml --episodes 2");
    std::fs::remove_dir_all(desk.path("worlds")).unwrap();
    desk.write("whole.toml", &shown);
    assert_eq!(costs("compare lru cloud-only --scenario whole.toml --episodes 2"), inherited);
    assert_eq!(desk.run("scenario show whole.toml").expect(0).stdout, shown);
}

/// A device of one's own, as it stands in a scenario.
const OWN_GPU: &str = "from = \"street\"
physical.server.device = \"mine\"
[[physical.catalogue.devices]]
name = \"mine\"
source = \"a test\"
constants_source = \"a test\"
peak_fp16_tflop_per_s = 989.0
memory_gb = 80.0
bandwidth_gb_per_s = 3350.0
power_idle_w = 70.0
power_busy_w = 490.0
mfu = 0.5
eta = 0.7
t_step_ms = 3.0
";

#[test]
fn what_is_wrong_with_an_inherited_scenario_is_told_in_the_file_that_says_it() {
    let desk = Desk::new();
    for (name, text) in [
        ("key.toml", "from = \"street\"\n[cell]\nmemory_gbb = 80.0\n"),
        ("value.toml", "from = \"street\"\n[cell]\nmemory_gb = -1.0\n"),
        ("nobody.toml", "from = \"stret\"\n"),
        ("number.toml", "from = 3\n"),
        ("one.toml", "from = \"two.toml\"\n"),
        ("two.toml", "name = \"two\"\nfrom = \"one.toml\"\n"),
        ("away.toml", "from = \"../one.toml\"\n"),
        ("deep.toml", "from = \"key.toml\"\nhorizon_slots = 5\n"),
        ("own.toml", OWN_GPU),
        ("shipped.toml", &OWN_GPU.replace("\"mine\"", "\"h200\"")),
        ("misspelt.toml", &OWN_GPU.replacen("\"mine\"", "\"mien\"", 1)),
        ("unfit.toml", &OWN_GPU.replace("eta = 0.7", "eta = 1.7")),
        ("abstract.toml", "from = \"tight\"\n[[physical.catalogue.devices]]\nname = \"mine\"\n"),
    ] {
        desk.write(name, text);
    }
    let names = "key value nobody number one away deep own shipped misspelt unfit abstract";
    let lines: Vec<String> = names.split(' ').map(|name| format!("scenario check {name}.toml")).collect();
    let lines: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .chain(["scenario check own.toml --set scenario.from=tight"])
        .collect();
    insta::assert_snapshot!(desk.transcript(&lines));
}
