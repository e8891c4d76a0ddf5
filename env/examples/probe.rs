use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::Stage;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::Scenario;
fn main() {
    let text = std::fs::read_to_string("configs/scenarios/street.toml").unwrap();
    let (_, s) = Scenario::load("street", &text, &[], |p| Err(format!("no {p}"))).unwrap();
    let s = Arc::new(s);
    let mut env = DecisionEnv::new(Arc::clone(&s));
    let mut n = 0.0;
    let mut age = 0.0;
    let mut up = vec![];
    let mut best = [0usize; 7];
    let mut q = [[0.0; 2]; 7];
    let mut lat = [0.0; 7];
    let mut cost = [0.0; 7];
    let mut st = [[0.0; 10]; 7];
    let mut los = 0.0;
    let mut sens = 0.0;
    for ep in 0..10 {
        env.reset(Seed::new(Purpose::Train, 1).with_episode(ep));
        loop {
            let o = env.observation();
            let r = o.request.unwrap();
            n += 1.0;
            age += r.fresh_tokens;
            up.push(r.link.uplink_bps / 1e6);
            los += f64::from(u8::from(r.link.is_los));
            sens += r.link.sensing_quality;
            let mut b = (f64::INFINITY, 0);
            for (i, &p) in Placement::ALL.iter().enumerate() {
                let (bill, c) = o.estimate(p).unwrap();
                q[i][0] += bill.quality;
                lat[i] += bill.latency_s;
                cost[i] += c.total();
                for (k, stage) in Stage::ALL.iter().enumerate() {
                    st[i][k] += bill.line(*stage).seconds;
                }
                if c.total() < b.0 {
                    b = (c.total(), i);
                }
            }
            best[b.1] += 1;
            let a = o.place(Placement::Edge).or(o.place(Placement::Cloud)).unwrap();
            if env.step(&a).unwrap().end.is_end() {
                break;
            }
        }
    }
    up.sort_by(f64::total_cmp);
    let p = |x: f64| up[(x * up.len() as f64) as usize];
    println!(
        "n {n} mean fresh {} uplink p5 {:.1} p25 {:.1} p50 {:.1} p75 {:.1} p95 {:.1} los {:.2} sens {:.2}",
        age / n,
        p(0.05),
        p(0.25),
        p(0.5),
        p(0.75),
        p(0.95),
        los / n,
        sens / n
    );
    for (i, p) in Placement::ALL.iter().enumerate() {
        println!(
            "{:<20} best {:5} quality {:.3} latency {:.2} cost {:.2}  {}",
            p.name(),
            best[i],
            q[i][0] / n,
            lat[i] / n,
            cost[i] / n,
            st[i]
                .iter()
                .zip(Stage::ALL)
                .map(|(x, s)| format!("{} {:.2}", s.name(), x / n))
                .collect::<Vec<_>>()
                .join(" ")
        );
    }
}
