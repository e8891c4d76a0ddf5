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
