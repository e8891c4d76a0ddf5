use super::words::width;
use super::*;
use std::sync::Arc;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::units::{CellId, UserId};

/// The environment of a scenario after so many steps of a policy.
fn played(scenario: &Arc<Scenario>, policy: &str, steps: usize) -> DecisionEnv {
    let mut policy = registry::build(policy, scenario).unwrap();
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let seed = Seed::new(Purpose::Test, 0);
    let mut rng = seed.stream(Stream::Policy);
    env.reset(seed);
    for _ in 0..steps {
        let action = policy.act_in(&env, &mut rng);
        if env.step(&action).unwrap().end.is_end() {
            break;
        }
    }
    env
}

fn shipped(name: &str) -> Arc<Scenario> {
    Arc::new(Scenario::shipped(name))
}

/// A text of an SVG: its words, and left, top, right and bottom.
struct Written {
    words: String,
    at: [i32; 4],
}

fn texts(svg: &str) -> Vec<Written> {
    let of = |element: &str| {
        let (tag, words) = element.split_once(">\n").unwrap();
        let value = |key: &str| tag.split_once(&format!(" {key}=\"")).unwrap().1.split_once('"').unwrap().0;
        let [x, y] = ["x", "y"].map(|key| value(key).parse::<i32>().unwrap());
        let size = value("font-size").parse::<f64>().unwrap().round() as i32;
        let words = words.split_once("\n</text>").unwrap().0.to_owned();
        let wide = width(&words, size as u32);
        let left = match value("text-anchor") {
            "start" => x,
            "middle" => x - wide / 2,
            _ => x - wide,
        };
        // Those of the heading hang from their place, all others are held in their middle.
        let top = if value("dy").ends_with("em") { y } else { y - size / 2 };
        Written { words, at: [left, top, left + wide, top + size] }
    };
    svg.split("<text").skip(1).map(of).collect()
}

fn says(svg: &str, words: &str) -> bool {
    texts(svg).iter().any(|text| text.words == words)
}

/// How many shapes have this colour as their inside.
fn filled(svg: &str, color: RGBColor) -> usize {
    svg.matches(&format!("fill=\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2)).count()
}

#[test]
fn the_first_decision_is_said_in_words() {
    let env = played(&shipped("tight"), "least-aot", 0);
    let svg = draw(&env).unwrap();
    let service = &env.world().scenario().service(env.observation().service);
    let model = env.world().scenario().model_name(service.model);
    assert!(says(&svg, "tight: slot 1 of 200"));
    // 20 services of 130 or 348 GB, and nothing is in memory.
    let requests = match env.observation().num_requests {
        1 => "1 request".to_owned(),
        number => format!("{number} requests"),
    };
    let size = service.bytes / 1_000_000_000;
    assert!(says(&svg, &format!("{requests} for {} ({model}): a miss, {size} GB to load", service.name)));
    assert!(says(&svg, &format!("edge: loads {size} GB")) && says(&svg, "cloud: costs 0.0075 a request"));
    assert!(says(&svg, "0 of 960 GB in use"));
    assert_eq!(svg, draw(&env).unwrap());
}

#[test]
fn what_is_resident_is_in_the_bar_and_in_the_table() {
    let scenario = shipped("tight");
    for (steps, least) in [(0, 0), (1, 1), (60, 3)] {
        let env = played(&scenario, "least-aot", steps);
        let cache = &env.world().cell(CellId(0)).cache;
        let residents: Vec<ServiceId> = cache.residents().collect();
        assert!(residents.len() >= least);
        let svg = draw(&env).unwrap();
        // One in the legend.
        assert_eq!(filled(&svg, colors::SKY), 1 + 2 * residents.len(), "after {steps} steps");
        let used: u64 = residents.iter().map(|&id| scenario.service(id).bytes / 1_000_000_000).sum();
        assert!(says(&svg, &format!("{used} of 960 GB in use")));
    }
}

#[test]
fn everybody_who_has_asked_is_on_the_map() {
    for name in ["street", "office-140ghz", "city"] {
        let env = played(&shipped(name), "worth", 100);
        let known = (0..1_000).filter(|&user| env.world().user_radio(UserId(user)).is_some()).count();
        let svg = draw(&env).unwrap();
        let dots = ["2", "4", "6"].map(|radius| svg.matches(&format!(" r=\"{radius}\"")).count());
        // Two dots of the legend have a radius of 4.
        assert_eq!(dots.iter().sum::<usize>(), known + 2, "{name}: {dots:?}");
        assert_eq!(dots[2], 1, "one request is pending");
    }
}

#[test]
fn texts_are_inside_and_apart_in_every_scenario() {
    let mut looked_at = 0;
    for name in shipped::names() {
        // Recordings are not at hand everywhere.
        let Ok(loaded) = crate::scenario_file::load(name, &[]) else { continue };
        looked_at += 1;
        let played = [0, 1, 40, 400, usize::MAX].map(|steps| played(&loaded.scenario, "worth", steps));
        for env in played.iter().chain([&DecisionEnv::new(Arc::clone(&loaded.scenario))]) {
            let texts = texts(&draw(env).unwrap());
            for (index, Written { words, at: [left, top, right, bottom] }) in texts.iter().enumerate() {
                let is_inside = *left >= 0 && *top >= 0 && *right <= 960 && *bottom <= 540;
                assert!(is_inside, "{name}: {words:?} at {left} {top} {right} {bottom}");
                let meets = |other: &&Written| {
                    let [west, north, east, south] = other.at;
                    west < *right && *left < east && north < *bottom && *top < south
                };
                let over = texts[index + 1..].iter().find(meets);
                assert!(over.is_none(), "{name}: {words:?} and {:?}", over.map(|text| &text.words));
            }
        }
    }
    assert!(looked_at >= 9);
}

#[test]
fn before_and_after_an_episode_nothing_may_be_decided() {
    let scenario = shipped("tiny-unit3");
    let before = draw(&DecisionEnv::new(Arc::clone(&scenario))).unwrap();
    assert!(says(&before, "tiny-unit3: before the first episode") && says(&before, "0 of 1 GB in use"));
    let running = draw(&played(&scenario, "least-aot", 5)).unwrap();
    let after = draw(&played(&scenario, "least-aot", usize::MAX)).unwrap();
    assert!(says(&after, "tiny-unit3: the episode is over after 1000 slots"));
    let may = [before, running, after].map(|svg| says(&svg, "May be decided"));
    assert_eq!(may, [false, true, false]);
}

#[test]
fn texts_are_cut_where_they_do_not_fit() {
    // Five letters of 0.59 and one sign of 1 at size 10.
    assert_eq!((width("abcde", 10), width("…", 10)), (30, 10));
    assert_eq!(fitted("abcde", 10, 30), "abcde");
    assert_eq!(fitted("abcdef", 10, 30), "abc…");
    assert_eq!(fitted("abcdef", 10, 5), "");
}
