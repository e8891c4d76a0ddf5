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
            "trace import conv.csv --format azure --out conv.tct",
            "trace stats conv.tct --slot-s 1",
            "trace check conv.tct",
            "scenario check trace-azure --set scenario.workload.trace.path=conv.tct --set scenario.horizon_slots=10",
        ]));
    });
    let line = "scenario describe trace-azure --set scenario.workload.trace.path=conv.tct --set scenario.horizon_slots=10";
    assert!(desk.run(&format!("{line} --slot 2")).expect(0).stdout.contains("recorded in conv.tct"));
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
            "trace import rates.csv --format servegen --out servegen.tcr",
            "trace stats servegen.tcr",
            "trace stats servegen.tcr --slot-s 1",
            "trace check servegen.tcr",
            "scenario check two.toml",
            "scenario check trace-azure --set scenario.workload.trace.path=servegen.tcr",
            "scenario check two.toml --set scenario.workload.rates.path=rates.csv",
        ]));
    });
    let described = desk.run("scenario describe two.toml").expect(0).stdout;
    assert!(described.contains("drawn at 0.1 times the rates in servegen.tcr"), "{described}");
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
            "trace import lora.csv --format gentd26 --load-times load.csv",
            "trace stats lora.tct",
        ]));
    });
    let imported = desk.run("--json trace import lora.csv --format gentd26 --out again.tct").expect(0).json();
    assert_eq!((imported["requests"].as_u64(), imported["models"].as_u64()), (Some(6), Some(2)));
}

#[test]
fn importing_twice_gives_the_same_bytes_and_leaves_nothing_beside() {
    let desk = Desk::new();
    desk.write("conv.csv", &azure());
    for out in ["one.tct", "two.tct"] {
        desk.run(&format!("trace import conv.csv --format azure --out {out}")).expect(0);
    }
    let read = |name: &str| std::fs::read(desk.path(name)).unwrap();
    assert_eq!(read("one.tct"), read("two.tct"));
    assert_eq!(std::fs::read_dir(desk.path("")).unwrap().count(), 3);
}

#[test]
fn a_damaged_recording_is_named_and_not_used() {
    let desk = Desk::new();
    desk.write("conv.csv", &azure());
    desk.run("trace import conv.csv --format azure --out conv.tct").expect(0);
    let mut bytes = std::fs::read(desk.path("conv.tct")).unwrap();
    let middle = bytes.windows(4).position(|window| window == b"BLK1").unwrap() + 20;
    bytes[middle] ^= 1;
    std::fs::write(desk.path("conv.tct"), bytes).unwrap();
    let checked = desk.run("trace check conv.tct").expect(2);
    assert!(
        checked.stdout.contains("cannot be used") && checked.stdout.contains("checksum of block 0"),
        "{}",
        checked.stdout
    );
    assert!(desk.run("trace stats conv.tct").expect(2).stderr.starts_with("error: conv.tct: byte"));
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
            "trace import chat.jsonl --format mooncake",
            "trace stats chat.tct --slot-s 3",
            "trace check chat.tct",
        ]));
    });
    let stats = desk.run("--json trace stats chat.tct").expect(0).json();
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
        transcripts
            .push(desk.run(&format!("trace import {name}.jsonl --format mooncake")).expect(2).transcript());
    }
    desk.write("conv.csv", &azure());
    desk.write("bytes.jsonl", &format!("{good}\n"));
    std::fs::write(desk.path("bytes.jsonl"), b"{\"timestamp\": 0, \xff}\n").unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    for line in [
        "trace import conv.csv --format mooncake",
        "trace import cut.jsonl --format azure",
        "trace import bytes.jsonl --format mooncake",
        "trace import folder --format mooncake",
        "trace import cut.jsonl --format mooncake --load-times conv.csv",
        "trace import cut.jsonl --format mooncake --out folder",
    ] {
        transcripts.push(desk.run(line).expect(2).transcript());
    }
    insta::assert_snapshot!(transcripts.join("\n"));
    let left = std::fs::read_dir(desk.path("")).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<_> =
        left.filter(|path| path.extension().is_some_and(|end| end != "jsonl" && end != "csv")).collect();
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
