//! Recordings of many rows: what they take of memory and of the processor, measured at the real program; and what a killed import leaves.
//!
//! The bars are 600 MB and 15 s of processor time for ten million sorted rows with all columns. Linked with libtorch the program has 110 to
//! 120 MB resident before it does anything; there the bar holds for what comes on top, else for all of it.
#![allow(clippy::print_stdout, reason = "a test says what it measured and what it skips")]

use super::Desk;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The most that a command may have resident, bytes, and work, s.
const BAR_BYTES: u64 = 600_000_000;
const BAR_S: f64 = 15.0;
/// What libtorch has resident before the program does anything.
const LIBTORCH_BYTES: u64 = if cfg!(feature = "torch") { 120_000_000 } else { 0 };

/// Rows in order of time, ten a second: 86 models, a user for every 80 rows and a session for every 20.
fn write_rows(file: &mut impl Write, rows: u64) {
    let mut noise = 1_u64;
    let mut below = |most: u64| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) % most
    };
    let header =
        "time_s,model,user,session,turn,prompt_tokens,output_tokens,reused_tokens,think_time_s,load_s";
    writeln!(file, "{header}").unwrap();
    for row in 0..rows {
        let (second, us) = (row / 10, row % 10 * 100_000 + below(100_000));
        let (model, user, prompt) = (below(86), below(rows / 80), below(8_000));
        let (output, reused, think_ms) = (below(1_000), below(prompt + 1), below(60_000));
        writeln!(
            file,
            "{second}.{us:06},M{model:04},G{user},s{},{},{prompt},{output},{reused},{}.{:03},{}.5",
            row / 20,
            row % 20,
            think_ms / 1_000,
            think_ms % 1_000,
            model % 40
        )
        .unwrap();
    }
}

/// The most memory that a process had resident until now, bytes, and how long it worked, s; `None` once it has ended.
fn effort(child: &Child) -> Option<(u64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let bytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().unwrap() * 1_024;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // The name in brackets may hold spaces; user and system time are the 14th and 15th fields, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Some((bytes, ticks as f64 / 100.0))
}

/// Runs a command that must succeed; its memory and its time.
fn effort_of(desk: &Desk, line: &str) -> (u64, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoughtcache"));
    command.current_dir(desk.path("")).args(line.split_whitespace()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut most = (0, 0.0);
    loop {
        most = effort(&child).filter(|(bytes, _)| *bytes > 0).unwrap_or(most);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{line}: {status}");
            return most;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Summarises, checks and loads a recording of so many rows, with and without its users, within the bar of memory; the most time.
fn assert_bounded(rows: u64) -> f64 {
    let desk = Desk::new();
    let mut file = BufWriter::new(File::create(desk.path("trace.csv")).unwrap());
    write_rows(&mut file, rows);
    file.into_inner().unwrap();
    let load = "scenario check trace-gentd26 --set scenario.workload.trace.path=trace.csv";
    let mut slowest = 0.0_f64;
    for line in [
        "trace stats trace.csv --slot-s 600".to_owned(),
        "trace check trace.csv".to_owned(),
        format!("{load} --set scenario.horizon_slots=4"),
        format!("{load} --set scenario.horizon_slots=4 --set scenario.context={{scope=\"user\"}}"),
    ] {
        let (bytes, seconds) = effort_of(&desk, &line);
        println!("{rows} rows, {line}: {bytes} bytes resident, {seconds} s of processor time");
        assert!(bytes.saturating_sub(LIBTORCH_BYTES) < BAR_BYTES, "{line}: {bytes} bytes resident");
        slowest = slowest.max(seconds);
    }
    slowest
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_thousand_rows_take_no_more_memory_than_the_bar_of_ten_million() {
    assert_bounded(100_000);
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "a minute, and a gigabyte of temporary room"]
fn ten_million_rows_take_at_most_600_mb_and_15_s() {
    let seconds = assert_bounded(10_000_000);
    assert!(seconds <= BAR_S, "{seconds} s of processor time");
}

#[test]
fn a_killed_import_leaves_no_recording_and_the_next_one_clears_up() {
    let desk = Desk::new();
    let mut file = BufWriter::new(File::create(desk.path("source.csv")).unwrap());
    write_rows(&mut file, 50_000);
    file.into_inner().unwrap();
    let import = "trace import source.csv --map time_s=time_s --map user=user --out trace.csv.gz";
    for wait_ms in [0, 30, 300] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .current_dir(desk.path(""))
            .args(import.split_whitespace())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        let is_done = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_done || !desk.path("trace.csv.gz").exists(), "killed {wait_ms} ms after it began");
    }
    desk.run(import).expect(0);
    assert_eq!(std::fs::read_dir(desk.path("")).unwrap().count(), 2);
    let checked = desk.run("trace check trace.csv.gz").expect(0).stdout;
    assert!(checked.contains("50,000") && checked.contains("ok"), "{checked}");
}
