use super::Desk;

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands = [
        "",
        "train",
        "rules",
        "scenario",
        "scenario list",
        "scenario show",
        "scenario check",
        "scenario describe",
        "scenario plot",
        "catalogue",
        "catalogue fit",
        "trace",
        "trace import",
        "trace stats",
        "trace check",
        "trace replay",
        "verify",
        "verify resume",
        "verify determinism",
        "bench",
        "bench env",
        "bench radio",
        "bench train",
        "bench tiny",
        "bench age-of-thought",
        "doctor",
    ];
    let desk = Desk::new();
    for command in commands {
        let outcome = desk.run(&format!("{command} --help")).expect(0);
        assert!(outcome.stdout.contains("Example"), "{command}");
        assert_eq!(outcome.stderr, "");
        let name = if command.is_empty() { "program".to_owned() } else { command.replace(' ', "_") };
        insta::assert_snapshot!(name, outcome.stdout);
    }
}

#[test]
fn the_version_is_printed() {
    let outcome = Desk::new().run("--version").expect(0);
    assert_eq!(outcome.stdout, format!("thoughtcache {}\n", env!("CARGO_PKG_VERSION")));
}
