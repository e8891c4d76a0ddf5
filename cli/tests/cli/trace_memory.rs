//! Recordings of any length in bounded memory, measured at the real program; and what a killed import leaves.
//!
//! The bar is 100 MB for ten million rows. Linked with libtorch the program has 110 to 120 MB resident before it does
//! anything; there the bar holds for what comes on top, else for all of it.
#![allow(clippy::print_stdout, reason = "a test says what it measured and what it skips")]

use super::Desk;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The most that a command may have resident.
const BAR_BYTES: u64 = 100_000_000;
const MILLION: u64 = 1_000_000;

/// Numbers that look random and are the same everywhere.
struct Noise(u64);

impl Noise {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// In order of time, ten a second.
fn write_azure(file: &mut impl Write, rows: u64) {
    let mut noise = Noise(1);
    writeln!(file, "TIMESTAMP,ContextTokens,GeneratedTokens").unwrap();
    for row in 0..rows {
        let (second, digits) = (row / 10, row % 10 * MILLION + noise.below(MILLION));
        let (day, hour, minute) = (second / 86_400 + 1, second / 3_600 % 24, second / 60 % 60);
        let (context, generated) = (noise.below(8_000), noise.below(1_000));
        writeln!(
            file,
            "2023-10-{day:02} {hour:02}:{minute:02}:{:02}.{digits:07},{context},{generated}",
            second % 60
        )
        .unwrap();
    }
}

/// In no order at all, in time and in the file; a user for every eighth row, as recorded, and 86 models.
fn write_gentd26(file: &mut impl Write, rows: u64) {
    let mut noise = Noise(2);
    writeln!(
        file,
        "gmt_create,predict_type,predict_status,exec_time_seconds,groupId,prompt_length,negative_prompt_length,\
         num_images_per_prompt,num_inference_steps,checkpoint_model_version_id,num_lora"
    )
    .unwrap();
    for _ in 0..rows {
        let second = noise.below(30 * 86_400);
        let (day, hour, minute) = (second / 86_400 + 1, second / 3_600 % 24, second / 60 % 60);
        let (seconds, user, model) = (noise.below(90), noise.below(rows / 8), noise.below(86));
        writeln!(
            file,
            "2024-11-{day:02} {hour:02}:{minute:02}:{:02},TXT_2_IMG,SUCCEED,{seconds}.5,G{user},63.0,,1.0,30.0,M{model},0",
            second % 60
        )
        .unwrap();
    }
}

/// Nearly in order of time; chats that grow, so that half of the blocks were there before.
fn write_mooncake(file: &mut impl Write, rows: u64) {
    let mut noise = Noise(3);
    let (mut next_block, mut chats) = (0, vec![(0, 0); 1_000]);
    for row in 0..rows {
        let ms = (row * 100 + noise.below(120_000)).saturating_sub(60_000);
        let chat = &mut chats[noise.below(1_000) as usize];
        if noise.below(3) == 0 {
            *chat = (next_block, 0);
        }
        let (first, kept) = *chat;
        let fresh = 1 + noise.below(15);
        let ids: Vec<u64> = (first..first + kept).chain(next_block..next_block + fresh).collect();
        *chat = if kept == 0 { (next_block, fresh) } else { (first, kept) };
        next_block += fresh;
        let tokens = ids.len() as u64 * 512 - noise.below(512);
        writeln!(
            file,
            "{{\"timestamp\": {ms}, \"input_length\": {tokens}, \"output_length\": 9, \"hash_ids\": {ids:?}}}"
        )
        .unwrap();
    }
}

/// The most memory that a process had resident until now, bytes; `None` once it has ended, or where no system tells.
fn peak_bytes(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().unwrap() * 1_024)
}

/// Runs a command that must succeed; the most memory that it had.
fn peak_of(desk: &Desk, line: &str) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoughtcache"));
    command.current_dir(desk.path("")).args(line.split_whitespace()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut peak = 0;
    loop {
        peak = peak.max(peak_bytes(&child).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{line}: {status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes so many rows of a format.
type Writer = fn(&mut BufWriter<File>, u64);

/// Imports, checks, summarises and loads recordings of so many rows, none of which may take more than the bar.
fn assert_bounded(rows: u64) {
    if cfg!(not(target_os = "linux")) {
        println!("skipped: this system does not tell the peak memory of a process");
        return;
    }
    let desk = Desk::new();
    let sources: [(&str, &str, Writer); 3] = [
        ("azure", "trace-azure --set scenario.horizon_slots=100", write_azure),
        ("gentd26", "trace-gentd26", write_gentd26),
        ("mooncake", "trace-mooncake", write_mooncake),
    ];
    for (format, scenario, write) in sources {
        let mut file = BufWriter::new(File::create(desk.path("source")).unwrap());
        write(&mut file, rows);
        file.into_inner().unwrap();
        let loads = if format == "gentd26" {
            desk.write("loads.csv", "timestamp_anon,value,container_ip\n1.0,22700,a\n");
            " --load-times loads.csv"
        } else {
            ""
        };
        let import = format!("--json trace import source --format {format}{loads} --out trace.tct");
        let imported = desk.run(&import).expect(0).json();
        assert_eq!(imported["requests"].as_u64(), Some(rows));
        let start = imported["start_resident_bytes"].as_u64().unwrap();
        let mut peaks = vec![("import", imported["peak_resident_bytes"].as_u64().unwrap())];
        std::fs::remove_file(desk.path("source")).unwrap();
        for (name, line) in [
            ("check", "trace check trace.tct".to_owned()),
            ("stats", "trace stats trace.tct --slot-s 3".to_owned()),
            ("load", format!("scenario check {scenario} --set scenario.workload.trace.path=trace.tct")),
        ] {
            peaks.push((name, peak_of(&desk, &line)));
        }
        if format == "gentd26" {
            let users =
                "--set scenario.workload.trace.path=trace.tct --set scenario.context={scope=\"user\"}";
            peaks.push(("load with users", peak_of(&desk, &format!("scenario check {scenario} {users}"))));
        }
        let bytes = std::fs::metadata(desk.path("trace.tct")).unwrap().len();
        println!("{format}: {rows} rows, {bytes} bytes, {start} resident at the start, {peaks:?}");
        let libraries = if cfg!(feature = "torch") { start } else { 0 };
        for (name, peak) in peaks {
            assert!(peak.saturating_sub(libraries) < BAR_BYTES, "{format}, {name}: {peak} bytes resident");
        }
        assert_eq!(std::fs::read_dir(desk.path("")).unwrap().count(), 1 + usize::from(!loads.is_empty()));
        let _ = std::fs::remove_file(desk.path("loads.csv"));
    }
}

#[test]
fn half_a_million_rows_take_no_more_memory_than_the_bar_of_ten_million() {
    assert_bounded(500_000);
}

#[test]
#[ignore = "minutes, and gigabytes of temporary room"]
fn ten_million_rows_stay_under_100_mb() {
    assert_bounded(10 * MILLION);
}

#[test]
fn a_killed_import_leaves_no_recording_and_the_next_one_clears_up() {
    let desk = Desk::new();
    let mut file = BufWriter::new(File::create(desk.path("source")).unwrap());
    write_mooncake(&mut file, 400_000);
    file.into_inner().unwrap();
    for wait_ms in [0, 30, 300] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .current_dir(desk.path(""))
            .args(["trace", "import", "source", "--format", "mooncake", "--out", "trace.tct"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..2_000 {
            if desk.path("trace.tct.new").exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!desk.path("trace.tct").exists(), "killed {wait_ms} ms after it began");
    }
    desk.run("trace import source --format mooncake --out trace.tct").expect(0);
    assert_eq!(std::fs::read_dir(desk.path("")).unwrap().count(), 2);
    assert!(desk.run("trace check trace.tct").expect(0).stdout.contains("ok; 400,000 requests"));
}
