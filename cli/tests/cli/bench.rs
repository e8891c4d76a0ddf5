use super::Desk;

#[test]
fn an_environment_is_measured_and_its_hash_depends_on_nothing_but_the_lanes() {
    let desk = Desk::new();
    let measure = |options: &str| {
        desk.run(&format!("bench env --scenario tight --seconds 0.02 --lanes 8 --json {options}"))
            .expect(0)
            .json()
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
fn the_cost_of_a_decision_is_measured_and_drawn_up_to_a_million_users() {
    let desk = Desk::new();
    let options = "--seconds 0.02 --lanes 1 --set scenario.horizon_slots=3 --plot users.svg --json";
    let report = desk.run(&format!("bench env --scenario street --scaling {options}")).expect(0).json();
    let curves = report["users"].as_array().unwrap();
    assert_eq!((&curves[0]["demand"], &curves[1]["demand"]), (&"per_user".into(), &"total".into()));
    for curve in curves {
        let points = curve["points"].as_array().unwrap();
        assert_eq!((points.len(), &points[4]["users"]), (5, &1_000_000.into()));
        assert!(points.iter().all(|point| point["idle_user_bytes"].as_u64().unwrap() < 256), "{curve}");
    }
    let per_slot = |curve: usize| curves[curve]["points"][4]["decisions_per_slot"].as_f64().unwrap();
    // A million people ask 16,667 times a second; as many times as fifty do, less than once.
    assert!(per_slot(0) > 15_000.0 && per_slot(1) < 10.0, "{} {}", per_slot(0), per_slot(1));
    assert!(desk.read("users.svg").starts_with("<svg"));
    let grown = desk.run(
        "bench env --scaling --grows-at-most 0.5 --seconds 0.02 --lanes 1 --set scenario.horizon_slots=1",
    );
    assert!(grown.expect(1).stderr.contains("--grows-at-most 0.5 was stated"));
    let nobody = desk.run("bench env --scenario tight --scaling --grows-at-most 3").expect(2);
    assert!(nobody.stderr.contains("--grows-at-most: tight has no users of its own"), "{}", nobody.stderr);
    let twice =
        desk.run("bench env --scenario street --scaling --seconds 0.02 --set scenario.physical.users=7");
    assert!(twice.expect(2).stderr.contains("--set scenario.physical.users: --scaling changes it"));
}

#[test]
fn the_radio_is_measured_where_there_is_one() {
    let desk = Desk::new();
    let report = desk.run("bench radio --seconds 0.02 --json").expect(0).json();
    assert_eq!((&report["users"], &report["cells"]), (&50.into(), &1.into()));
    assert!(report["user_slots_per_s"].as_f64().unwrap() > 1_000.0, "{report}");
    assert!(report["mean_downlink_bits_per_s"].as_f64().unwrap() > 1e5, "{report}");
    let outcome = desk.run("bench radio --scenario tight").expect(2);
    assert!(outcome.stderr.contains("tight has no radio"), "{}", outcome.stderr);
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
        assert!(
            text.contains("not in this build; to train, type: pip install thoughtcache-cli==0."),
            "{text}"
        );
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

/// The smallest tiny world, with an optimum that a person can compute: .6 * 1 + .4 * 3.
fn table(optimum: f64) -> String {
    format!(
        "instance,n_models,sizes,load_cost,local_cost,cloud_cost,popularity_by_phase,phase_stay_prob,capacity,opt_average_cost\n\
         mine,2,\"[1, 1]\",\"[4, 4]\",\"[1, 1]\",\"[3, 3]\",\"[[0.6, 0.4]]\",1.0,1,{optimum}\n"
    )
}

#[test]
fn exact_optima_are_told_and_mistakes_about_them_too() {
    let desk = Desk::new();
    desk.write("cut.csv", "instance,n_models\nmine,2\n");
    desk.write("negative.csv", &table(1.8).replace("[3, 3]", "[3, -3]"));
    insta::assert_snapshot!(desk.transcript(&[
        "bench tiny --exact-only",
        "bench tiny tight --exact-only",
        "bench tiny --instances cut.csv --exact-only",
        "bench tiny --instances negative.csv --exact-only",
        "bench tiny --instances absent.csv --exact-only",
        "compare optimal --scenario tight",
    ]));
}

#[test]
fn a_table_with_another_optimum_is_exit_code_1() {
    let desk = Desk::new();
    desk.write("right.csv", &table(1.8));
    desk.write("wrong.csv", &table(1.7));
    let right = desk.run("bench tiny --instances right.csv --exact-only --json").expect(0).json();
    assert_eq!(right["worlds"][0]["sets"], 3);
    let wrong = desk.run("bench tiny --instances wrong.csv --exact-only").expect(1);
    assert!(wrong.stderr.contains("mine: least average cost: 1.800000"), "{}", wrong.stderr);
}

#[test]
fn the_optimum_takes_part_in_a_comparison_of_a_tiny_world() {
    let desk = Desk::new();
    let options = "--episodes 2 --set scenario.horizon_slots=2000 --json";
    let compared = desk.run(&format!("compare --scenario tiny-drift4 {options}")).expect(0).json();
    let first = &compared["policies"][0];
    assert_eq!((&first["name"], &first["kind"]), (&"optimal".into(), &"bound".into()), "{compared}");
    let cost = first["mean_cost"].as_f64().unwrap();
    assert!((cost / 1.778 - 1.0).abs() < 0.1, "{cost}");
    let named = desk.run(&format!("compare lru --scenario tiny-drift4 {options}")).expect(0).json();
    assert_eq!(named["policies"].as_array().unwrap().len(), 2, "lru and the baseline, as typed");
}

#[cfg(feature = "torch")]
#[test]
fn a_learner_that_stays_behind_the_optimum_is_exit_code_1() {
    let desk = Desk::new();
    desk.write("right.csv", &table(1.8));
    // Twenty decisions teach nothing: what plays is the first net.
    let line =
        "bench tiny --instances right.csv --agent ppo-tiny --seeds 1 --decisions 32 --slots 1000 --at-most 0";
    let outcome = desk.run(line);
    let gap = outcome.stderr.contains("above the optimum, at most 0 % are allowed");
    assert_eq!(outcome.code == 1, gap, "{}", outcome.transcript());
    assert!(outcome.stdout.contains("ppo-tiny"), "{}", outcome.stdout);
}
