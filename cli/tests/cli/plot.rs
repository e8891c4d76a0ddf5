//! `scenario plot`: pictures that are whole, equal for equal input, and say what they show.

use super::{Desk, repository};
use std::fs;

/// The texts of a picture, one a line.
fn texts(svg: &str) -> Vec<&str> {
    let mut texts = Vec::new();
    let mut lines = svg.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("<text") {
            texts.extend(lines.next());
        }
    }
    texts
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

/// Whether the picture is one closed element with closed elements within.
fn is_whole(svg: &str) -> bool {
    svg.starts_with("<svg ")
        && svg.trim_end().ends_with("</svg>")
        && count(svg, "<text") == count(svg, "</text>")
        && !svg.contains("NaN")
        && !svg.contains("inf")
}

fn square() -> Desk {
    let desk = Desk::new();
    desk.write("square.toml", include_str!("square.toml"));
    desk
}

#[test]
fn a_physical_scenario_has_four_pictures_with_their_panels() {
    let desk = square();
    let outcome = desk.run("scenario plot square.toml --policy least-aot+myopic --seed 3").expect(0);
    assert_eq!(
        outcome.stdout,
        "runs/plots/square-channel.svg\nruns/plots/square-episode.svg\nruns/plots/square-placements.svg\nruns/plots/square-state.svg\n"
    );
    assert_eq!(outcome.stderr, "");
    let (channel, episode) =
        (desk.read("runs/plots/square-channel.svg"), desk.read("runs/plots/square-episode.svg"));
    assert!(is_whole(&channel) && is_whole(&episode));
    let says = |svg: &str, words: &str| {
        assert!(texts(svg).iter().any(|text| text.contains(words)), "{words}: {:?}", texts(svg));
    };
    for words in [
        "square: the channel",
        "seed 3",
        "Path loss",
        "breakpoint 420 m",
        "path loss, dB",
        "distance on the map, m",
        "Probability of a clear view",
        "rate, Mbit/s",
        "downlink, median",
        "User 0, second by second",
        "time, s",
        "east, m",
    ] {
        says(&channel, words);
    }
    for words in [
        "square: one episode of least-aot+myopic",
        "cost per slot",
        "Costs by component",
        "accuracy",
        "Requests by placement",
        "split edge coarse",
        "latency, s",
        "Time until the answer is complete",
        "fresh tokens",
        "weights on their way",
        "size of the memory, 48 GB",
        "Work that waits for the GPUs",
        "slot, of 1 second",
    ] {
        says(&episode, words);
    }
    let (placements, state) =
        (desk.read("runs/plots/square-placements.svg"), desk.read("runs/plots/square-state.svg"));
    assert!(is_whole(&placements) && is_whole(&state));
    for words in ["square: slot ", "Who asks in this slot", "May be decided", "Memory"] {
        says(&state, words);
    }
    // The second half of the episode has begun.
    let title = texts(&state).into_iter().find(|text| text.starts_with("square: slot ")).unwrap();
    let numbers: Vec<u32> = title.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(numbers[0] > numbers[1] / 2, "{title}");
    for words in [
        "square: where least-aot+myopic serves",
        "of 20 episodes",
        "Requests by placement",
        "uplink rate that a request finds, Mbit/s",
        "features instead of raw data",
    ] {
        says(&placements, words);
    }
    // A row for each service, and at least a dot for each request but the legend's.
    let told =
        desk.run("evaluate least-aot+myopic --scenario square.toml --seed 3 --episodes 1 --json").expect(0);
    assert!(told.json().to_string().contains("least-aot+myopic"));
    let subtitle = texts(&episode).into_iter().find(|text| text.contains(" requests, ")).unwrap();
    let requests: usize = subtitle.split("; ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(requests > 5 && count(&episode, "<circle") >= requests, "{subtitle}");
}

#[test]
fn equal_input_gives_equal_bytes_and_another_seed_another_picture() {
    let desk = square();
    let draw = |words: &str| {
        desk.run(&format!("scenario plot square.toml {words}")).expect(0);
        ["channel", "episode", "placements"].map(|kind| desk.read(&format!("runs/plots/square-{kind}.svg")))
    };
    let first = draw("");
    assert_eq!(draw(""), first);
    let [channel, episode, placements] = draw("--seed 1");
    assert!(channel != first[0] && episode != first[1] && placements != first[2]);
    let [channel, episode, placements] = draw("--user 5");
    assert!(channel != first[0] && episode == first[1] && placements == first[2]);
    let [channel, episode, placements] = draw("--episodes 3");
    assert!(channel == first[0] && episode == first[1] && placements != first[2]);
    let [channel, episode, placements] = draw("--policy cloud-only");
    assert!(channel == first[0] && episode != first[1] && placements != first[2]);
    assert!(episode.contains("nothing was ever loaded"));
    // Nothing but the pictures is left in the folder.
    assert_eq!(fs::read_dir(desk.path("runs/plots")).unwrap().count(), 4);
}

#[test]
fn an_abstract_scenario_has_no_channel_and_says_so() {
    let desk = Desk::new();
    let outcome = desk.run("scenario plot tight --out pictures --set scenario.horizon_slots=30").expect(0);
    assert_eq!(outcome.stdout, "pictures/tight-episode.svg\npictures/tight-state.svg\n");
    assert_eq!(outcome.stderr, "tight has no radio: only scenarios with [physical] have a channel to draw\n");
    let state = desk.read("pictures/tight-state.svg");
    assert!(texts(&state).iter().any(|text| text.starts_with("tight: slot 16 of 30")), "{state:?}");
    let svg = desk.read("pictures/tight-episode.svg");
    assert!(is_whole(&svg) && !svg.contains("latency") && svg.contains("service-19"));
    let json = desk.run("scenario plot tight --out pictures --json --quiet").expect(0);
    assert_eq!(json.json()["episode"], "pictures/tight-episode.svg");
    assert!(
        json.json().get("placements").is_none()
            && json.json().get("channel").is_none()
            && json.stderr.is_empty()
    );
}

#[test]
fn every_shipped_scenario_without_a_recording_can_be_drawn() {
    let desk = Desk::new();
    for entry in fs::read_dir(repository("configs/scenarios")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let outcome = desk.run(&format!("scenario plot {name} --policy random --seed 1"));
        let is_missing = ["make it with: thoughtcache trace import", "copy it here"];
        if is_missing.iter().any(|words| outcome.stderr.contains(words)) {
            continue;
        }
        let written = outcome.expect(0).stdout;
        for path in written.lines() {
            let svg = desk.read(path);
            assert!(is_whole(&svg), "{path}");
            assert!(svg.len() < 400_000, "{path}: {} bytes", svg.len());
        }
        assert!(!written.is_empty());
    }
}

#[test]
fn what_cannot_be_drawn_is_told_and_leaves_nothing() {
    let desk = square();
    desk.write("file", "");
    insta::assert_snapshot!(desk.transcript(&[
        "scenario plot sqare",
        "scenario plot square.toml --policy lruu",
        "scenario plot tight --policy lru+myopic",
        "scenario plot square.toml --cell 1",
        "scenario plot square.toml --user 12",
        "scenario plot square.toml --seed -1",
        "scenario plot square.toml --set horizon_slots=3",
        "scenario plot square.toml --out file",
    ]));
    assert!(!desk.path("runs").exists());
}
