use super::Desk;
use std::fmt::Write;

/// 40 requests, one each half second.
fn azure() -> String {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for row in 0..40 {
        let (second, digits) = (row / 2, if row % 2 == 0 { "0000000" } else { "5000000" });
        writeln!(text, "2023-11-16 18:15:{second:02}.{digits},{},{}", 100 + row, 10 + row % 7).unwrap();
    }
    text
}

/// Six requests for two models, and load times.
fn gentd26() -> (String, String) {
    let mut text = "gmt_create,predict_type,predict_status,exec_time_seconds,groupId,prompt_length,\
                    negative_prompt_length,num_images_per_prompt,num_inference_steps,\
                    checkpoint_model_version_id,num_lora\n"
        .to_owned();
    for (row, model) in ["m1", "m2", "m1", "", "m1", "m2"].iter().enumerate() {
        writeln!(text, "2024-11-15 16:57:{row:02},t,ok,1.5,g{},10,0,1,20,{model},0", row % 2).unwrap();
    }
    (text, "timestamp_anon,value,container_ip\n1,22700,a\n2,9000,b\n".to_owned())
}

fn snapshot(desk: &Desk, lines: &[&str]) -> String {
    let text = desk.transcript(lines);
    // The time that the import took, and the size that depends on the packing library.
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("imported in")).collect();
    text.join("\n").replace("--- stderr\n", "")
}

#[test]
fn an_imported_recording_is_summarised_checked_and_replayed() {
    let desk = Desk::new();
    desk.write("conv.csv", &azure());
    insta::with_settings!({filters => vec![(r"\d+ B\b", "[bytes]")]}, {
        insta::assert_snapshot!(snapshot(&desk, &[
            "trace import conv.csv --format azure --out conv.rec.csv",
            "trace stats conv.rec.csv --slot-s 1",
            "trace check conv.rec.csv",
            "scenario check trace-azure --set scenario.workload.trace.path=conv.rec.csv --set scenario.horizon_slots=10",
        ]));
    });
    let line = "scenario describe trace-azure --set scenario.workload.trace.path=conv.rec.csv --set scenario.horizon_slots=10";
    assert!(desk.run(&format!("{line} --slot 2")).expect(0).stdout.contains("trace (path conv.rec.csv"));
}

/// Two clients of one class over 20 periods, and one of another.
fn servegen() -> String {
    let mut text =
        "model,client,t_start_s,rate_req_s,iat_cv,arrival_family,arg1_shape,arg2_scale\n".to_owned();
    for period in 0..20 {
        let start = 600 * period;
        writeln!(text, "large,0,{start},2.5,3.0,Gamma,0.1,4.0").unwrap();
        writeln!(text, "large,1,{start},0.5,1.5,Weibull,0.7,1.6").unwrap();
        writeln!(text, "small,0,{start},1.0,1.0,Gamma,1.0,1.0").unwrap();
    }
    text
}

#[test]
fn imported_rates_are_summarised_checked_and_drawn_from() {
    let desk = Desk::new();
    desk.write("rates.csv", &servegen());
    let shipped = include_str!("../../../configs/scenarios/trace-servegen.toml");
    let services = shipped.match_indices("[[services]]").nth(2).unwrap().0;
    let two = shipped[..services]
        .replace("rate_scale = 0.002", "rate_scale = 0.1")
        .replace("language/m-large", "large")
        .replace("horizon_slots = 200 ", "horizon_slots = 50 ");
    desk.write("two.toml", &two);
    insta::with_settings!({filters => vec![(r"\d+ B\b", "[bytes]")]}, {
        insta::assert_snapshot!(snapshot(&desk, &[
            "scenario check two.toml",
            "trace import rates.csv --format servegen --out servegen.csv.gz",
            "trace stats servegen.csv.gz",
            "trace stats servegen.csv.gz --slot-s 1",
            "trace stats servegen.csv.gz --split 0.5,0.2",
            "trace check servegen.csv.gz",
            "scenario check two.toml",
            "scenario check trace-azure --set scenario.workload.trace.path=servegen.csv.gz",
            "scenario check two.toml --set scenario.workload.rates.path=rates.csv",
        ]));
    });
    let described = desk.run("scenario describe two.toml").expect(0).stdout;
    assert!(described.contains("rates (path servegen.csv.gz, rate scale 0.1,"), "{described}");
    desk.run("evaluate lru --scenario two.toml").expect(0);
}

#[test]
fn models_and_their_load_times_are_kept() {
    let desk = Desk::new();
    let (requests, load_times) = gentd26();
    desk.write("lora.csv", &requests);
    desk.write("load.csv", &load_times);
    insta::with_settings!({filters => vec![(r"\d+ B\b", "[bytes]")]}, {
        insta::assert_snapshot!(snapshot(&desk, &[
            "trace import lora.csv --format gentd26 --load-times load.csv --out lora.rec.csv",
            "trace stats lora.rec.csv",
        ]));
    });
    let imported =
        desk.run("--json trace import lora.csv --format gentd26 --out again.rec.csv").expect(0).json();
    assert_eq!((imported["requests"].as_u64(), imported["num_models"].as_u64()), (Some(6), Some(2)));
}

#[test]
fn importing_twice_gives_the_same_bytes_and_leaves_nothing_beside() {
    let desk = Desk::new();
    desk.write("conv.csv", &azure());
    for out in ["one.rec.csv", "two.rec.csv"] {
        desk.run(&format!("trace import conv.csv --format azure --out {out}")).expect(0);
    }
    let read = |name: &str| std::fs::read(desk.path(name)).unwrap();
    assert_eq!(read("one.rec.csv"), read("two.rec.csv"));
    assert_eq!(std::fs::read_dir(desk.path("")).unwrap().count(), 3);
}

#[test]
fn a_damaged_recording_is_named_and_not_used() {
    let desk = Desk::new();
    desk.write("conv.csv", &azure());
    desk.run("trace import conv.csv --format azure --out conv.csv.gz").expect(0);
    let mut bytes = std::fs::read(desk.path("conv.csv.gz")).unwrap();
    let last = bytes.len() - 6;
    bytes[last] ^= 1;
    std::fs::write(desk.path("conv.csv.gz"), bytes).unwrap();
    for command in ["check", "stats"] {
        let said = desk.run(&format!("trace {command} conv.csv.gz")).expect(2).stderr;
        assert!(said.contains("error: conv.csv.gz: line 42: cannot be read: corrupt"), "{said}");
    }
}

/// Forty requests by hand, with a model that is new at the end and a row out of order.
fn by_hand() -> String {
    let mut text = "time_s,model,user,session,turn,think_time_s,load_s\n".to_owned();
    for row in 0..40 {
        let (time, model) =
            (if row == 7 { 1 } else { row }, if row == 39 { "new" } else { ["a", "b"][row % 2] });
        let load = if model == "a" { "2.5" } else { "" };
        writeln!(text, "{time},{model},u{},s{},{},{}.5,{load}", row % 3, row / 8, row % 8, row % 4).unwrap();
    }
    text
}

#[test]
fn a_recording_by_hand_is_replayed_as_it_is_and_small_parts_are_told() {
    let desk = Desk::new();
    desk.write("hand.csv", &by_hand());
    desk.write("few.csv", "time_s\n0\n1\n2\n3\n9\n10\n");
    desk.write("agents.toml", AGENTS);
    insta::assert_snapshot!(snapshot(
        &desk,
        &[
            "trace stats hand.csv --slot-s 1",
            "trace stats hand.csv --slot-s 1 --split 0.5,0.25",
            "trace stats hand.csv --split 0.5,0.5",
            "trace stats hand.csv --split 0.5",
            "trace check hand.csv",
            "trace check few.csv",
            "scenario check agents.toml --set scenario.workload.trace.path=hand.csv --set scenario.services=[{model=\"a\",alpha=0.5},{model=\"a\",alpha=0.5}]",
            "scenario check agents.toml --set scenario.workload.trace.path=hand.csv --set scenario.workload.trace.split={train=0.98,validate=0.01}",
            "scenario check agents.toml --set scenario.workload.trace.path=few.csv --set scenario.workload.trace.services.drawn={zipf_exponent=1.0,seed=1}",
        ]
    ));
}

/// A world of three services: the models that a recording asks for most, with a context for each of its users.
const AGENTS: &str = r#"
name = "agents"
horizon_slots = 10
slot_s = 1.0
models = [{ name = "a", memory_gb = 4.0, window_tokens = 4500.0 }]
services = [{ model = "a", alpha = 0.5 }, { model = "a", alpha = 0.5 }, { model = "a", alpha = 0.5 }]
[cell]
count = 1
memory_gb = 8.0
[thought]
tokens = 100.0
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.5
[memory]
refresh = "clear"
[context]
scope = "user"
[quality.linear]
beta = 0.5
[workload.trace]
path = "agents.csv.gz"
[workload.trace.services.top_models]
[decision]
granularity = "service"
placements = ["edge", "cloud"]
[cost]
edge_per_request = 1.0
cloud_per_request = 10.0
accuracy_weight = 1000.0
compute_weight = 0.0
[cost.switching.per_gb]
weight = 2.0
"#;

const MAPS: &str = "--map time_s=t_s --map model=model --map user=session --map session=session --map turn=turn \
                    --map prompt_tokens=in_tokens --map output_tokens=out_tokens --map reused_tokens=shared_prefix_blocks64*64 \
                    --map think_time_s=think_time_s --session-clock --sessions-per-s 0.05 --seed 7";

#[test]
fn any_other_csv_is_mapped_and_sessions_begin_at_a_stated_rate() {
    let desk = Desk::new();
    let mut text =
        "session,turn,t_s,model,in_tokens,out_tokens,shared_prefix_blocks64,think_time_s\n".to_owned();
    for row in 0..60 {
        let (session, turn) = (row / 4, row % 4);
        writeln!(text, "s{session},{turn},{}.5,m{},{},9,{turn},1.5", turn * 20, session % 3, 64 * turn + 10)
            .unwrap();
    }
    desk.write("sessions.csv", &text);
    desk.write("agents.toml", AGENTS);
    let import = format!("trace import sessions.csv {MAPS}");
    insta::assert_snapshot!(snapshot(
        &desk,
        &[
            &format!("{import} --out agents.csv.gz"),
            "trace stats agents.csv.gz",
            "scenario check agents.toml",
            "trace import sessions.csv --out x.csv",
            "trace import sessions.csv --map user=session --out x.csv",
            "trace import sessions.csv --map time_s=t_s --map time_s=turn --out x.csv",
            "trace import sessions.csv --map time_s=when --out x.csv",
            "trace import sessions.csv --map time=t_s --out x.csv",
            "trace import sessions.csv --map time_s=t_s*x --out x.csv",
            "trace import sessions.csv --map time_s=t_s --session-clock --out x.csv",
            "trace import sessions.csv --map time_s=t_s --session-clock --sessions-per-s 1 --out x.csv",
            "trace import sessions.csv --map time_s=t_s --map session=session --session-clock --sessions-per-s 0 --out x.csv",
            "trace import sessions.csv --map time_s=t_s --format azure --out x.csv",
            "trace import sessions.csv --map time_s=t_s --out sessions.csv",
        ]
    ));
    let plain = desk.run(&format!("{import} --out -")).expect(0).stdout;
    assert!(plain.starts_with(
        "time_s,model,user,session,turn,prompt_tokens,output_tokens,reused_tokens,think_time_s\n0,"
    ));
    assert_eq!(plain.lines().count(), 61);
    desk.run("evaluate lru --scenario agents.toml").expect(0);
}

#[test]
fn recorded_sessions_of_a_coding_agent_are_imported_and_replayed_without_a_line_of_code() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/data/claude_code_agents/claude_code_requests_even.csv.gz"
    );
    if !std::path::Path::new(file).exists() {
        println!("skipped: recorded data ../shared/data/claude_code_agents is not here");
        return;
    }
    let desk = Desk::new();
    desk.write("agents.toml", AGENTS);
    // Sessions last hours and days: begun within four days, they give every part of the split its requests.
    let maps = MAPS.replace("0.05", "0.001");
    let imported =
        desk.run(&format!("--json trace import {file} {maps} --out agents.csv.gz")).expect(0).json();
    assert_eq!((imported["requests"].as_u64(), imported["num_sessions"].as_u64()), (Some(22_589), Some(344)));
    let stats = desk.run("--json trace stats agents.csv.gz --slot-s 600").expect(0).json();
    assert_eq!((stats["models"].as_array().unwrap().len(), stats["num_users"].as_u64()), (6, Some(344)));
    assert_eq!(stats["warnings"].as_array().unwrap().len(), 0, "{stats}");
    assert!(stats["reuse_ratio"].as_f64().unwrap() > 0.5, "{stats}");
    let played = "--scenario agents.toml --set scenario.slot_s=600 --json";
    let evaluated = desk.run(&format!("evaluate lru {played}")).expect(0).stdout;
    assert!(evaluated.contains("\"lru\""), "{evaluated}");
}

/// Five requests of three chats, with the line ends, further keys, order and ties of files in the wild.
fn mooncake() -> &'static str {
    "{\"timestamp\": 3000, \"input_length\": 1200, \"output_length\": 5, \"hash_ids\": [0, 1, 2]}\r\n\
     {\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 90, \"hash_ids\": [0, 1], \"type\": \"chat\"}\r\n\
     {\"timestamp\": 3000, \"input_length\": 700, \"output_length\": 6, \"hash_ids\": [3, 4]}\r\n\
     {\"timestamp\": 9500.5, \"input_length\": 2000, \"output_length\": 7, \"hash_ids\": [0, 1, 2, 5]}\r\n\
     {\"timestamp\": 12000, \"input_length\": 600, \"output_length\": 8, \"hash_ids\": [3, 4]}\r\n\r\n"
}

#[test]
fn what_requests_reuse_of_earlier_ones_is_kept() {
    let desk = Desk::new();
    desk.write("chat.jsonl", mooncake());
    insta::with_settings!({filters => vec![(r"\d+ B\b", "[bytes]")]}, {
        insta::assert_snapshot!(snapshot(&desk, &[
            "trace import chat.jsonl --format mooncake --out chat.rec.csv",
            "trace stats chat.rec.csv --slot-s 3",
            "trace check chat.rec.csv",
        ]));
    });
    let stats = desk.run("--json trace stats chat.rec.csv").expect(0).json();
    // In order of time: 0 of 1024, 1024 of 1200, 0 of 700, 1536 of 2000, 600 of 600.
    assert_eq!(stats["reuse_ratio"].as_f64(), Some(3160.0 / 5524.0));
}

#[test]
fn a_wrong_line_of_mooncake_is_one_message_and_leaves_nothing() {
    let desk = Desk::new();
    let good = mooncake().lines().next().unwrap();
    let wrong = [
        ("cut", good.split_at(40).0.to_owned()),
        ("list", "[3000, 1200, 5, [0, 1, 2]]".to_owned()),
        ("missing", good.replace("output_length", "output")),
        ("time", good.replace("3000", "\"2024-01-01\"")),
        ("before", good.replace("3000", "-3000")),
        ("tokens", good.replace("1200", "4294967296")),
        ("fraction", good.replace(": 5,", ": 0.5,")),
        ("ids", good.replace("[0, 1, 2]", "[0, -1]")),
        ("no-ids", good.replace("[0, 1, 2]", "null")),
        ("twice", good.replace('{', "{\"timestamp\": 0, ")),
        ("none", String::new()),
    ];
    let mut transcripts = Vec::new();
    for (name, line) in &wrong {
        let text = if line.is_empty() { "\r\n".to_owned() } else { format!("{good}\n{line}\n") };
        desk.write(&format!("{name}.jsonl"), &text);
        transcripts.push(
            desk.run(&format!("trace import {name}.jsonl --format mooncake --out new.rec.csv"))
                .expect(2)
                .transcript(),
        );
    }
    desk.write("conv.csv", &azure());
    desk.write("bytes.jsonl", &format!("{good}\n"));
    std::fs::write(desk.path("bytes.jsonl"), b"{\"timestamp\": 0, \xff}\n").unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    for line in [
        "trace import conv.csv --format mooncake --out new.rec.csv",
        "trace import cut.jsonl --format azure --out new.rec.csv",
        "trace import bytes.jsonl --format mooncake --out new.rec.csv",
        "trace import folder --format mooncake --out new.rec.csv",
        "trace import cut.jsonl --format mooncake --load-times conv.csv --out new.rec.csv",
        "trace import cut.jsonl --format mooncake --out folder",
    ] {
        transcripts.push(desk.run(line).expect(2).transcript());
    }
    insta::assert_snapshot!(transcripts.join("\n"));
    let left = std::fs::read_dir(desk.path("")).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<_> = left.filter(|path| path.to_string_lossy().contains(".rec.")).collect();
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn recorded_throughput_stands_beside_that_of_a_scenario() {
    let desk = Desk::new();
    desk.write("square.toml", include_str!("square.toml"));
    let mut text = "radio,trace,time_s,downlink_mbps\n".to_owned();
    for second in 0..120 {
        // Up for 30 seconds, then down for 30, with a second without service.
        let rate = if second == 45 { 0.0 } else { f64::from(100 + 10 * (30 - (second % 60 - 30_i32).abs())) };
        writeln!(text, "5G,walk,{second},{rate}").unwrap();
    }
    text += "4G,drive,0,20\n4G,drive,1,10\n4G,drive,2,20\n4G,drive,3,10\n";
    desk.write("phones.csv", &text);
    insta::assert_snapshot!(snapshot(
        &desk,
        &[
            "trace stats phones.csv --format throughput",
            "trace stats phones.csv --format throughput --scenario square.toml --seed 3",
            "trace stats phones.csv --format throughput --scenario tight",
            "trace stats phones.csv --format irish5g",
        ]
    ));
    let rows = desk.run("trace stats phones.csv --format throughput --json").expect(0).json();
    // 20 10 20 10 about 15: each neighbour is -25 of 25, three pairs of four values.
    let lag_1 = rows["rates"][0]["lag_1"].as_f64().unwrap();
    assert!((lag_1 + 0.75).abs() < 1e-9, "{rows}");
}

#[test]
fn recorded_5g_is_summarised_by_kind() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    for (file, format) in [
        ("sigcomm21_5g/lumos5g_abr_traces_1s.csv.gz", "throughput"),
        ("irish5g/irish5g_1s.csv.gz", "irish5g"),
    ] {
        let path = format!("{folder}/{file}");
        if !std::path::Path::new(&path).exists() {
            println!("skipped: recorded data ../shared/data/{file} is not here");
            continue;
        }
        let line = format!("trace stats {path} --format {format} --scenario street --json");
        let rows = Desk::new().run(&line).expect(0).json();
        for row in rows["rates"].as_array().unwrap() {
            let lag_1 = row["lag_1"].as_f64().unwrap();
            assert!((0.8..0.95).contains(&lag_1), "{row}");
        }
    }
}
