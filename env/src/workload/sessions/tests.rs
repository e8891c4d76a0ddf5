//! Sessions against what a person computes.

use super::*;
use crate::workload::diurnal::Diurnal;
use crate::workload::drawn::Process;
use crate::workload::modulated::ModulatedModel;
use crate::workload::renewal::GapLaw;
use std::collections::BTreeMap;

fn tools() -> Tools {
    let time = GapTime::Exponential { mean_s: 2.0 };
    Tools { prob: 0.25, more_prob: 0.5, time, result_tokens: Tokens::exactly(400.0) }
}

/// 0.5 starts a slot of half a second, three turns on average, 12 s to think.
fn model() -> SessionsModel {
    SessionsModel {
        slot_s: 0.5,
        users: vec![UserClass { first: 0, count: 1000, start_share: 1.0 }],
        starts: Starts { process: Process::Poisson, per_slot: 0.5, diurnal: None },
        zipf_exponent: 1.0,
        reshuffle_slots: None,
        window_tokens: vec![100_000; 3],
        turns: Turns::geometric(3.0),
        think_time: GapTime::lognormal(12.0, 1.2),
        new_tokens: Tokens::lognormal(60.0, 1.0),
        output_tokens: Tokens::lognormal(200.0, 0.7),
        tools: Some(tools()),
    }
}

fn begun(model: SessionsModel, run: u64) -> Sessions {
    let mut sessions = Sessions::new(model);
    sessions.begin_episode(Seed::new(Purpose::Test, run));
    sessions
}

/// The requests of many slots, with the slot of each.
fn play(sessions: &mut Sessions, slots: std::ops::Range<u64>) -> Vec<(u64, SessionRequest)> {
    slots
        .flat_map(|slot| sessions.draw(slot).iter().map(move |request| (slot, *request)).collect::<Vec<_>>())
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// The requests of each session that started after slot 0 and ended, by session.
fn whole(requests: &[(u64, SessionRequest)]) -> Vec<Vec<(u64, SessionRequest)>> {
    let mut sessions: BTreeMap<u64, Vec<(u64, SessionRequest)>> = BTreeMap::new();
    for (slot, request) in requests {
        sessions.entry(request.session).or_default().push((*slot, *request));
    }
    let is_whole = |session: &Vec<(u64, SessionRequest)>| {
        let (first, last) = (session[0].1, session[session.len() - 1].1);
        (first.turn, first.call, last.is_last) == (0, 0, true)
    };
    sessions.into_values().filter(is_whole).collect()
}

#[test]
fn requests_and_live_sessions_have_the_means_of_little_from_the_first_slot_on() {
    let model = model();
    // 0.5 starts, 3 turns, 1 + 0.25 * 2 calls: 2.25 requests a slot. Live: 1 a second * (2 * 12 + 3 * 0.5 * 2) = 27.
    assert!((model.requests_per_slot() - 2.25).abs() < 1e-12);
    assert!((model.live_by_kind().iter().sum::<f64>() - 27.0).abs() < 1e-9);
    for process in [
        Process::Poisson,
        Process::Renewal(GapLaw::gamma(2.0)),
        Process::Renewal(GapLaw::weibull(2.0)),
        Process::Modulated(ModulatedModel::new(vec![0.5, 2.0], vec![10.0, 5.0])),
    ] {
        let (mut first, mut later, mut live) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..1500 {
            let mut model = model.clone();
            model.starts.process = process.clone();
            let mut sessions = begun(model, run);
            live.push(sessions.state.live.iter().count() as f64);
            for slot in 0..40 {
                let count = sessions.draw(slot).len() as f64;
                if slot < 4 { first.push(count) } else { later.push(count) }
            }
        }
        assert!((mean(live.iter().copied()) - 27.0).abs() < 5.0 * (27.0 / 1500.0_f64).sqrt(), "{process:?}");
        assert!((mean(first.iter().copied()) / 2.25 - 1.0).abs() < 0.06, "{process:?}");
        assert!((mean(later.iter().copied()) / 2.25 - 1.0).abs() < 0.06, "{process:?}");
    }
}

#[test]
fn a_day_makes_busy_and_quiet_quarters_of_the_same_mean() {
    let mut model = model();
    model.starts.diurnal = Some(Diurnal { period_slots: 80, amplitude: 1.0 });
    let begins = |requests: &[SessionRequest]| {
        requests.iter().filter(|request| request.turn == 0 && request.call == 0).count()
    };
    let counts: Vec<f64> = (0..3000)
        .map(|run| {
            let mut sessions = begun(model.clone(), run);
            (0..20).map(|slot| begins(sessions.draw(slot)) as f64).sum()
        })
        .collect();
    // Ten starts a quarter. A sine averaged over a quarter is one of sin(pi / 4) / (pi / 4) = 0.900 of its height: the variance is
    // 10 of Poisson and 10^2 * 0.900^2 / 2 = 40.5 of the day.
    let average = mean(counts.iter().copied());
    let variance = mean(counts.iter().map(|count| (count - average).powi(2)));
    assert!((average - 10.0).abs() < 5.0 * (50.5 / 3000.0_f64).sqrt(), "{average}");
    assert!((variance / 50.5 - 1.0).abs() < 0.1, "{variance}");
}

#[test]
fn turns_are_geometric_calls_follow_calls_and_times_have_their_means() {
    let requests = play(&mut begun(model(), 1), 0..40_000);
    let sessions = whole(&requests);
    assert!(sessions.len() > 15_000);
    let turns = mean(sessions.iter().map(|session| f64::from(session[session.len() - 1].1.turn + 1)));
    assert!((turns / 3.0 - 1.0).abs() < 0.03, "{turns}");
    let share_of_one =
        mean(sessions.iter().map(|session| f64::from(u8::from(session.last().unwrap().1.turn == 0))));
    assert!((share_of_one - 1.0 / 3.0).abs() < 0.02, "{share_of_one}");
    let (mut think, mut tool, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for session in &sessions {
        for pair in session.windows(2) {
            let [(slot, request), (next_slot, next)] = [pair[0], pair[1]];
            let gap_s = (next_slot as f64 - slot as f64) * 0.5 + next.arrival_s - request.arrival_s;
            assert!(gap_s >= -1e-9 && !request.is_last);
            if next.call == 0 {
                assert_eq!(next.turn, request.turn + 1);
                think.push(gap_s);
            } else {
                assert_eq!((next.turn, next.call), (request.turn, request.call + 1));
                tool.push(gap_s);
            }
        }
        let is_last_of_turn = |place: &usize| session.get(place + 1).is_none_or(|next| next.1.call == 0);
        calls
            .extend((0..session.len()).filter(is_last_of_turn).map(|place| f64::from(session[place].1.call)));
    }
    assert!((mean(think.into_iter()) / 12.0 - 1.0).abs() < 0.04);
    assert!((mean(tool.into_iter()) / 2.0 - 1.0).abs() < 0.04);
    assert!((mean(calls.into_iter()) / 0.5 - 1.0).abs() < 0.04);
}

#[test]
fn lengths_have_their_moments_and_context_is_their_sum() {
    let requests = play(&mut begun(model(), 2), 0..20_000);
    for session in whole(&requests) {
        let mut context = 0;
        for (_, request) in &session {
            assert_eq!(request.context_tokens_before, context);
            context += request.new_tokens + request.output_tokens;
        }
    }
    let said = |call: bool| requests.iter().filter(move |(_, request)| (request.call > 0) == call);
    let new = mean(said(false).map(|(_, request)| f64::from(request.new_tokens)));
    let output = mean(requests.iter().map(|(_, request)| f64::from(request.output_tokens)));
    let squares = mean(requests.iter().map(|(_, request)| f64::from(request.output_tokens).powi(2)));
    assert!((new / 60.0 - 1.0).abs() < 0.03, "{new}");
    assert!((output / 200.0 - 1.0).abs() < 0.02, "{output}");
    assert!(((squares / (output * output) - 1.0).sqrt() - 0.7).abs() < 0.03);
    assert!(said(true).all(|(_, request)| request.new_tokens == 400));
}

#[test]
fn the_first_slots_show_sessions_with_the_context_that_later_ones_have() {
    // Context before a request, in the first slot of many episodes and far into one.
    let context = |requests: &[(u64, SessionRequest)]| {
        mean(requests.iter().map(|(_, request)| f64::from(request.context_tokens_before)))
    };
    let first: Vec<_> = (0..6000).flat_map(|run| play(&mut begun(model(), run), 0..1)).collect();
    let later = play(&mut begun(model(), 7), 0..10_000).split_off(4000);
    assert!(
        (context(&first) / context(&later) - 1.0).abs() < 0.08,
        "{} {}",
        context(&first),
        context(&later)
    );
}

#[test]
fn requests_fit_into_the_window_and_come_in_order_of_time() {
    let mut model = model();
    model.window_tokens = vec![150, 2, 700];
    let mut sessions = begun(model, 3);
    for slot in 0..2000 {
        let requests = sessions.draw(slot);
        assert!(requests.is_sorted_by_key(|request| request.arrival_s));
        for request in requests {
            assert!((0.0..=0.5).contains(&request.arrival_s) && request.user.0 < 1000);
            let window = [150, 2, 700][request.service.index()];
            assert!(request.new_tokens >= 1 && request.output_tokens >= 1);
            assert!(request.new_tokens + request.output_tokens <= window, "{request:?}");
        }
    }
}

#[test]
fn services_have_the_shares_of_their_ranks_and_users_those_of_their_class() {
    let mut model = model();
    model.users = vec![
        UserClass { first: 0, count: 100, start_share: 0.75 },
        UserClass { first: 100, count: 900, start_share: 0.25 },
    ];
    let mut sessions = begun(model, 4);
    let ranks = sessions.state.ranking.services.clone();
    let starts: Vec<_> = play(&mut sessions, 0..40_000)
        .into_iter()
        .filter(|(_, request)| (request.turn, request.call) == (0, 0))
        .collect();
    let n = starts.len() as f64;
    assert!((n / 20_000.0 - 1.0).abs() < 0.04);
    for (rank, expected) in [6.0 / 11.0, 3.0 / 11.0, 2.0 / 11.0_f64].into_iter().enumerate() {
        let share = starts.iter().filter(|(_, request)| request.service == ranks[rank]).count() as f64 / n;
        assert!((share - expected).abs() < 5.0 * (expected * (1.0 - expected) / n).sqrt(), "{rank}: {share}");
    }
    let busy = starts.iter().filter(|(_, request)| request.user.0 < 100).count() as f64 / n;
    assert!((busy - 0.75).abs() < 5.0 * (0.75 * 0.25 / n).sqrt(), "{busy}");
}

#[test]
fn a_session_is_the_same_whatever_else_happens() {
    // Twice the users, another law of starts: session 5 asks for other things at other times, but as much each time.
    let mut other_model = model();
    other_model.starts.process = Process::Renewal(GapLaw::weibull(0.5));
    other_model.users[0].count = 2000;
    let lengths = |model: SessionsModel| {
        let mut sessions = Sessions::new(model);
        sessions.state.seed = Seed::new(Purpose::Test, 9);
        let live = Live { session: 5, requests: 3, ..sessions.new_session(0.0) };
        let drawn = sessions.drawn(&live, true);
        (drawn.new_tokens, drawn.output_tokens, drawn.next, drawn.gap_s)
    };
    assert_eq!(lengths(model()), lengths(other_model));
    assert_eq!(play(&mut begun(model(), 5), 0..300), play(&mut begun(model(), 5), 0..300));
    assert_ne!(play(&mut begun(model(), 5), 0..300), play(&mut begun(model(), 6), 0..300));
}

#[test]
fn a_state_comes_back_and_one_that_does_not_fit_is_refused() {
    let mut sessions = begun(model(), 1);
    play(&mut sessions, 0..100);
    let bytes = postcard::to_stdvec(sessions.state()).unwrap();
    let state: SessionsState = postcard::from_bytes(&bytes).unwrap();
    let mut again = Sessions::new(model());
    assert_eq!(again.check(&state), Ok(()));
    again.restore(state.clone());
    assert_eq!(play(&mut again, 100..200), play(&mut sessions, 100..200));
    let refused = |change: fn(&mut Live)| {
        let mut state = state.clone();
        change(state.live.first_mut());
        Sessions::new(model()).check(&state).unwrap_err()
    };
    for change in [
        (|live| live.user = UserId(1000)) as fn(&mut Live),
        |live| live.service = ServiceId(3),
        |live| live.requests = u32::MAX - 1,
        |live| live.call = u32::MAX,
    ] {
        assert_eq!(refused(change), "it has sessions that do not exist");
    }
    let mut fewer = model();
    fewer.window_tokens.pop();
    assert_eq!(Sessions::new(fewer).check(&state).unwrap_err(), "its sessions start by another law");
}

/// Requests of the present slot, as undecided ones or the one that is decided about.
fn asked(requests: &[SessionRequest], is_seen: bool) -> Vec<Asked> {
    let one = |request: &SessionRequest| Asked {
        user: request.user,
        service: request.service,
        arrival_s: request.arrival_s,
        new_tokens: request.new_tokens,
        output_tokens: request.output_tokens,
        said_tokens: request.context_tokens_before,
        is_seen,
    };
    requests.iter().map(one).collect()
}

#[test]
fn another_future_keeps_the_law_of_what_comes() {
    let mut sessions = begun(model(), 1);
    play(&mut sessions, 0..100);
    let state = sessions.state().clone();
    let mut seen = Vec::new();
    for run in 0..2 {
        sessions.restore(state.clone());
        sessions.reseed_future(Seed::new(Purpose::Train, run), 100, &mut []);
        assert_eq!(sessions.check(sessions.state()), Ok(()));
        seen.push(play(&mut sessions, 100..110));
    }
    assert_ne!(seen[0], seen[1]);
    // Averaged over states as well: stationary, 2.25 a slot.
    let mut all = Vec::new();
    for run in 0..1500 {
        let mut sessions = begun(model(), run);
        let slots = 3 + 40 * (run % 2);
        play(&mut sessions, 0..slots);
        let mut present = asked(sessions.requests(), false);
        sessions.reseed_future(Seed::new(Purpose::Train, run), slots, &mut present);
        all.push(play(&mut sessions, slots..slots + 10).len() as f64 / 10.0);
    }
    assert!((mean(all.iter().copied()) / 2.25 - 1.0).abs() < 0.05, "{}", mean(all.iter().copied()));
}

#[test]
fn another_future_does_not_tell_which_sessions_go_on() {
    // Two worlds in which the same requests have come, one of their sessions over in one and about to come back in the other.
    let mut sessions = begun(model(), 4);
    play(&mut sessions, 0..200);
    let mut other = sessions.clone();
    let mut live = other.state.live.take_all();
    let (mut ended, mut returning) = (0, 0);
    for live in &mut live {
        let last = (live.last_turn(), live.last_call);
        if live.is_over() && live.since_s > 60.0 {
            live.follow(Next::Turn, 100.5 - live.since_s);
            returning += 1;
        } else if !live.is_over() && live.is_met() {
            (live.turn, live.call, live.next_s) = (last.0, last.1, NEVER_S);
            ended += 1;
        }
    }
    for live in live {
        other.state.live.keep(other.slot_to_keep_until(&live).max(200), live);
    }
    assert!(ended > 5 && returning > 5, "{ended} {returning}");
    assert_ne!(play(&mut sessions.clone(), 200..240), play(&mut other.clone(), 200..240));
    for run in 0..5 {
        let future = |sessions: &Sessions| {
            let mut sessions = sessions.clone();
            sessions.reseed_future(Seed::new(Purpose::Train, run), 200, &mut []);
            play(&mut sessions, 200..240)
        };
        assert_eq!(future(&sessions), future(&other), "{run}");
    }
}

#[test]
fn of_a_request_only_what_a_policy_sees_stays() {
    let mut sessions = begun(model(), 4);
    play(&mut sessions, 0..200);
    let slot = (200..2_000).find(|&slot| sessions.draw(slot).len() > 1).unwrap();
    let truth = sessions.requests().to_vec();
    let redrawn = |is_seen, run| {
        let mut requests = asked(&truth, is_seen);
        let seed = Seed::new(Purpose::Train, run);
        sessions.clone().reseed_future(seed, slot + 1, &mut requests);
        requests[0]
    };
    let mean = |value: fn(&Asked) -> f64, is_seen| mean((0..3000).map(|run| value(&redrawn(is_seen, run))));
    // The decided one: its answer is any, 200 tokens on average; the rest stays.
    let answer = mean(|request| f64::from(request.output_tokens), true);
    assert!((answer / 200.0 - 1.0).abs() < 0.06, "{answer}");
    let kept = redrawn(true, 1);
    let seen = (truth[0].user, truth[0].new_tokens, truth[0].context_tokens_before);
    assert_eq!((kept.user, kept.new_tokens, kept.said_tokens), seen);
    // An undecided one: its user is whoever could have asked. Of 4.5 requests of a session one is the first.
    let new = mean(|request| f64::from(u8::from(request.said_tokens == 0)), false);
    assert!((new - 1.0 / 4.5).abs() < 5.0 * (0.222 * 0.778 / 3000.0_f64).sqrt(), "new sessions: {new}");
    let prompt = mean(|request| f64::from(request.new_tokens), false);
    assert!((prompt / 60.0 - 1.0).abs() < 0.1, "{prompt}");
    let is_truth = (0..300).filter(|&run| redrawn(false, run).user == truth[0].user).count();
    assert!(is_truth < 100, "{is_truth} of 300");
}

#[test]
fn a_million_users_cost_no_more_than_their_sessions() {
    let mut model = model();
    model.users[0].count = 1_000_000;
    let mut sessions = begun(model, 1);
    play(&mut sessions, 0..100);
    assert!(sessions.state.live.iter().count() < 100 && size_of::<Live>() <= 56, "{}", size_of::<Live>());
}
