//! What can be typed wrong, and what the program says: one line on standard error, exit code 2.

use super::Desk;

fn assert_mistakes(name: &str, desk: &Desk, lines: &[&str]) {
    let mut transcripts = Vec::new();
    for line in lines {
        let outcome = desk.run(line).expect(2);
        assert!(outcome.stderr.starts_with("error: "), "{}", outcome.transcript());
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.transcript());
        transcripts.push(outcome.transcript());
    }
    insta::assert_snapshot!(name, transcripts.join("\n"));
}

#[test]
fn of_the_command_line() {
    assert_mistakes(
        "command_line",
        &Desk::new(),
        &["tran", "scenario describe", "scenario show tight --set nothing", "bench env --lanes 0"],
    );
}

#[test]
fn of_scenarios() {
    let desk = Desk::new();
    desk.write("unknown.toml", "name = \"x\"\nhorizn_slots = 3\n");
    desk.write("broken.toml", "name = \n");
    let tight = desk.run("scenario show tight").stdout;
    desk.write("range.toml", &tight.replace("zipf_exponent = 1.0", "zipf_exponent = -1.0"));
    desk.write("policy.toml", &format!("{tight}\n[policies.desnity]\nmargin = 1.0\n"));
    assert_mistakes(
        "scenarios",
        &desk,
        &[
            "scenario show tigth",
            "scenario show missing.toml",
            "scenario show unknown.toml",
            "scenario show broken.toml",
            "scenario check range.toml",
            "scenario check policy.toml",
            "scenario check trace-gentd26",
            "scenario show tight --set horizon_slots=3",
            "scenario show tight --set scenario.horizon_slot=3",
            "scenario show tight --set scenario.horizon_slots=three",
            "scenario check tight --set scenario.horizon_slots=0",
            "scenario describe tight --slot 200",
            "scenario describe tight --policy leastaot",
        ],
    );
}

#[test]
fn of_recordings() {
    let desk = Desk::new();
    desk.write("conv.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n");
    desk.write("bad.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,many,44\n");
    desk.write("empty.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n");
    desk.run("trace import conv.csv --format azure --out one.tct").expect(0);
    assert_mistakes(
        "recordings",
        &desk,
        &[
            "trace import missing.csv --format azure",
            "trace import conv.csv --format mooncake",
            "trace import conv.csv --format gentd26",
            "trace import conv.csv --format azure --load-times conv.csv",
            "trace import conv.csv --format azure --out no/such/folder/x.tct",
            "trace import bad.csv --format azure",
            "trace import empty.csv --format azure",
            "trace stats missing.tct",
            "trace stats conv.csv",
            "trace stats .",
            "trace stats one.tct --slot-s 1",
            "trace stats one.tct --slot-s -1",
            "trace check conv.csv",
        ],
    );
}
