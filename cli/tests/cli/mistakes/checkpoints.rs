//! Every way in which a run or a checkpoint can be wrong.

use super::super::{Desk, repository};
use super::assert_mistakes;
use std::fs;

/// The files of a checkpoint, changed: bytes of the weights, text of the description; `None` leaves a file out.
struct Damage {
    policy: Option<Vec<u8>>,
    meta: Option<String>,
}

#[test]
fn of_their_files() {
    let desk = Desk::new();
    let best = repository("runs/reference/tight-ppo/checkpoints/best");
    let policy = fs::read(best.join("policy.safetensors")).unwrap();
    let meta = fs::read_to_string(best.join("meta.json")).unwrap();
    let put = |name: &str, damage: Damage| {
        fs::create_dir(desk.path(name)).unwrap();
        if let Some(policy) = damage.policy {
            fs::write(desk.path(name).join("policy.safetensors"), policy).unwrap();
        }
        if let Some(meta) = damage.meta {
            fs::write(desk.path(name).join("meta.json"), meta).unwrap();
        }
    };
    let weights = |bytes: Vec<u8>| Damage { policy: Some(bytes), meta: Some(meta.clone()) };
    let described = |text: String| Damage { policy: Some(policy.clone()), meta: Some(text) };
    let mut flipped = policy.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    put("no-weights", Damage { policy: None, meta: Some(meta.clone()) });
    put("no-description", Damage { policy: Some(policy.clone()), meta: None });
    put("empty-weights", weights(Vec::new()));
    put("flipped-weights", weights(flipped));
    put("cut-weights", weights(policy[..policy.len() - 4].to_vec()));
    put("empty-description", described(String::new()));
    put("no-json", described(meta.replacen('{', "", 1)));
    put("other-number", described(meta.replace("\"decisions\": ", "\"decisions\": 1")));
    put("other-schema", described(meta.replace("\"schema\": 1", "\"schema\": 2")));
    put("no-schema", described(meta.replace("\"schema\"", "\"scheme\"")));
    put("no-entries", described(meta.replace("\"entries\"", "\"entires\"")));
    put("rewritten", described(meta.replace("\n  ", "\n")));
    put("whole", described(meta.clone()));
    fs::create_dir(desk.path("nothing")).unwrap();
    fs::create_dir_all(desk.path("begun/checkpoints")).unwrap();
    desk.write("begun/config.toml", "");
    desk.write("file", "");
    let line = |name: &str| format!("evaluate {name} --scenario tight --episodes 1");
    let names = [
        "no-weights",
        "no-description",
        "empty-weights",
        "flipped-weights",
        "cut-weights",
        "empty-description",
        "no-json",
        "other-number",
        "other-schema",
        "no-schema",
        "no-entries",
        "rewritten",
        "nothing",
        "begun",
        "file",
        "missing",
        "no/such/run",
        "tight",
        "lruu",
    ];
    let mut lines: Vec<String> = names.map(line).to_vec();
    lines.push(
        "evaluate whole --scenario tight --episodes 1 --set scenario.decision.placements=[\"cloud\"]".into(),
    );
    lines.push("compare whole --scenario tight --sweep scenario.services=[] --episodes 1".into());
    let other = desk.run("scenario show tight").stdout;
    let first = other.find("[[services]]").unwrap();
    let end = first + 12 + other[first + 12..].find("[[services]]").unwrap();
    desk.write("fewer.toml", &format!("{}{}", &other[..first], &other[end..]));
    lines.push("evaluate whole --scenario fewer.toml --episodes 1".into());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    insta::with_settings!({filters => vec![(r"[0-9a-f]{64}", "[sha-256]")]}, {
        assert_mistakes("checkpoints", &desk, &lines);
    });
}
