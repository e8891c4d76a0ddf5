use super::Desk;

#[test]
fn an_environment_is_measured_and_its_hash_depends_on_nothing_but_the_lanes() {
    let desk = Desk::new();
    let measure = |options: &str| {
        desk.run(&format!("bench env --seconds 0.02 --lanes 8 --json {options}")).expect(0).json()
    };
    let (one, two) = (measure(""), measure("--scaling"));
    assert!(one["measurements"][0]["decisions_per_s"].as_f64().unwrap() > 1_000.0);
    assert_eq!(one["trajectory_hash"], two["trajectory_hash"]);
    let other = measure("--set scenario.cell.memory_gb=480");
    assert_ne!(one["trajectory_hash"], other["trajectory_hash"]);
}

#[test]
fn a_criterion_that_does_not_hold_is_exit_code_1() {
    let outcome = Desk::new().run("bench env --seconds 0.02 --lanes 1 --at-least 1e15").expect(1);
    assert!(outcome.stderr.contains("--at-least 1000000000000000 was stated"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("trajectory hash"), "the measurement is shown all the same");
}

#[test]
fn the_doctor_says_what_there_is() {
    let desk = Desk::new();
    let report = desk.run("doctor --json").expect(0).json();
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let text = desk.run("doctor").expect(0).stdout;
    if cfg!(feature = "torch") {
        assert!(text.contains("smoke test") && text.contains("ok: a gradient"), "{text}");
    } else {
        assert!(text.contains("not in this build; to train, type: cargo xtask setup"), "{text}");
    }
}

#[cfg(feature = "torch")]
#[test]
fn training_is_measured_without_validation() {
    let desk = Desk::new();
    desk.write("x.toml", super::train::TINY);
    let report = desk.run("bench train --config x.toml --decisions 512 --json").expect(0).json();
    assert_eq!(report["decisions"], 512);
    assert!(report["decisions_per_s"].as_f64().unwrap() > 0.0);
}
