//! The requests of one part of a trace, slot by slot, as requests for services: the form that a world replays.
//!
//! *Assumptions.* Requests for models that are no service are served elsewhere whatever a policy does: they are counted
//! and left out. Within a slot, requests keep the order in which they arrived. Users are kept where somebody wants them
//! ([`SlottedRequests::parts`]); then every request has to have one.
//!
//! *Source.* MODEL.md section 8, "Recorded requests".

use std::ops::Range;

use super::{TimeSplit, Trace, TracePart, TraceServicesConfig};
use crate::csv::RecordingError;
use crate::units::{ServiceId, UserId};

/// The requests of one part, by slot.
#[derive(Clone, Debug, PartialEq)]
pub struct SlottedRequests {
    /// Which part this is.
    pub part: TracePart,
    /// The model of each service, an index into [`Trace::models`]; `None` where services are drawn.
    pub models: Vec<Option<u32>>,
    /// Where each slot begins in `request_services`; one more at the end.
    slot_offsets: Vec<u32>,
    request_services: Vec<ServiceId>,
    /// The user of each request, where users are kept.
    request_users: Option<Vec<UserId>>,
    /// Number of requests of this part for models that are no service (or for none); they are served elsewhere.
    pub outside_requests: u64,
}

impl SlottedRequests {
    /// Returns all parts of a recording, in the order of [`TracePart::ALL`]; with the user of each request where the recording names users
    /// and `keeps_users` says so.
    ///
    /// # Errors
    /// A training part that names fewer models than asked for; a request of a service that names no user where others do.
    pub fn parts(
        trace: &Trace,
        split: TimeSplit,
        (services, num_services): (&TraceServicesConfig, u32),
        keeps_users: bool,
    ) -> Result<[Self; 3], RecordingError> {
        let (models, mut service_of) = services.apply(num_services, trace, &split)?;
        let keeps_users = keeps_users && trace.num_users().is_some();
        let [train, validate, test] = TracePart::ALL.map(|part| {
            let slots = split.slots(part);
            let mut requests = Self {
                part,
                models: models.clone(),
                slot_offsets: Vec::with_capacity(slots.len() + 1),
                request_services: Vec::new(),
                request_users: keeps_users.then(Vec::new),
                outside_requests: 0,
            };
            for row in trace.rows(&split, part) {
                let slot = split.slot_of(trace.times_us()[row]);
                requests.begin_slots(slot + 1 - slots.start);
                let Some(service) = service_of(trace.model(row), slot) else {
                    requests.outside_requests += 1;
                    continue;
                };
                requests.request_services.push(ServiceId(service));
                if let Some(users) = &mut requests.request_users {
                    users.push(UserId(trace.user(row).ok_or_else(|| nobody(row))?));
                }
            }
            requests.begin_slots(slots.len() + 1);
            Ok(requests)
        });
        Ok([train?, validate?, test?])
    }

    /// Notes that the first `count` slots begin at or before the present place.
    fn begin_slots(&mut self, count: usize) {
        while self.slot_offsets.len() < count {
            self.slot_offsets.push(self.request_services.len() as u32);
        }
    }

    /// Where the requests of some slots stand.
    fn places(&self, slots: Range<usize>) -> Range<usize> {
        self.slot_offsets[slots.start] as usize..self.slot_offsets[slots.end] as usize
    }

    /// Number of slots of this part.
    pub fn num_slots(&self) -> usize {
        self.slot_offsets.len() - 1
    }

    /// Number of requests that ask for a service.
    pub fn num_requests(&self) -> usize {
        self.request_services.len()
    }

    /// The services asked for in a slot of this part (0 is its first), one entry a request, in order of arrival.
    ///
    /// # Panics
    /// If `slot` is not below [`num_slots`](Self::num_slots).
    pub fn slot(&self, slot: usize) -> &[ServiceId] {
        &self.request_services[self.places(slot..slot + 1)]
    }

    /// Whether the user of each request is kept.
    pub fn has_users(&self) -> bool {
        self.request_users.is_some()
    }

    /// The users of a slot's requests, in the order of [`slot`](Self::slot); `None` where they are not kept.
    ///
    /// # Panics
    /// If `slot` is not below [`num_slots`](Self::num_slots).
    pub fn slot_users(&self, slot: usize) -> Option<&[UserId]> {
        self.request_users.as_ref().map(|users| &users[self.places(slot..slot + 1)])
    }

    /// Requests per service over a range of slots of this part: what a static set is chosen from.
    ///
    /// # Panics
    /// If `slots` is not within `0..num_slots()`.
    pub fn counts(&self, slots: Range<usize>) -> Vec<u64> {
        let mut counts = vec![0; self.models.len()];
        for service in &self.request_services[self.places(slots)] {
            counts[service.index()] += 1;
        }
        counts
    }
}

fn nobody(row: usize) -> RecordingError {
    RecordingError(format!(
        "row {row} names no user, others do; name one in every row, or in none: then users are drawn"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{DrawnServicesConfig, SplitShares, TopModelsConfig};
    use super::*;
    use std::fmt::Write;

    /// One letter a request and a dot for "no model", one second a group: `"aab b."`; letters in order take 0.5 s, 1.5 s, ... to load.
    fn trace(text: &str) -> Trace {
        let (mut rows, mut known) = ("time_s,model,load_s\n".to_owned(), String::new());
        for (second, group) in text.split(' ').enumerate() {
            for (place, letter) in group.chars().enumerate() {
                if letter != '.' && !known.contains(letter) {
                    known.push(letter);
                }
                let load_s = known.find(letter).map_or(String::new(), |model| format!("{model}.5"));
                let name = if letter == '.' { String::new() } else { letter.to_string() };
                writeln!(rows, "{second}.{place:06},{name},{load_s}").unwrap();
            }
        }
        Trace::read(rows.as_bytes()).unwrap()
    }

    const TOP: TraceServicesConfig = TraceServicesConfig::TopModels(TopModelsConfig {});

    fn drawn(zipf_exponent: f64, seed: u64, reshuffle_slots: Option<u32>) -> TraceServicesConfig {
        TraceServicesConfig::Drawn(DrawnServicesConfig { zipf_exponent, seed, reshuffle_slots })
    }

    fn parts(
        trace: &Trace,
        map: &TraceServicesConfig,
        num_services: u32,
    ) -> Result<[SlottedRequests; 3], RecordingError> {
        SlottedRequests::parts(trace, trace.split(1.0, SplitShares::default())?, (map, num_services), false)
    }

    fn numbers(services: &[ServiceId]) -> Vec<u32> {
        services.iter().map(|service| service.0).collect()
    }

    #[test]
    fn the_most_requested_models_of_the_training_part_become_services() {
        // Training is the first six of ten seconds: c 3, b 2, a 2 (b came first), d 1; e only ever appears later.
        let trace = trace("bc c  bac. a d d eee eaed db");
        assert_eq!(trace.split(1.0, SplitShares::default()).unwrap().num_slots(), 10);
        let [train, ..] = parts(&trace, &TOP, 3).unwrap();
        assert_eq!(trace.models()[..3], ["b", "c", "a"], "b appeared before c");
        assert_eq!(train.models, [1, 0, 2].map(Some));
        assert_eq!([1, 0, 2].map(|model| trace.load_s(model)), [1.5, 0.5, 2.5].map(Some));
        let slots: Vec<_> = (0..train.num_slots()).map(|slot| numbers(train.slot(slot))).collect();
        assert_eq!(slots, [vec![1, 0], vec![0], vec![], vec![1, 2, 0], vec![2], vec![]]);
        assert_eq!(train.outside_requests, 2, "the request without a model and one for d");
        assert_eq!(train.counts(0..6), [3, 2, 2]);
        assert_eq!(train.counts(1..4), [2, 1, 1]);

        let [.., test] = parts(&trace, &TOP, 3).unwrap();
        assert_eq!([numbers(test.slot(0)), numbers(test.slot(1))], [[2], [1]]);
        assert_eq!((test.num_requests(), test.outside_requests), (2, 4));
    }

    #[test]
    fn the_user_of_each_request_stands_beside_its_service_where_users_are_wanted() {
        // One request a second, of model a by user 0, b by 1, c by 2 and so on in turns of 3 models and 4 users; two rows may name none.
        let read = |nameless: &[u32], has_users: bool| {
            let rows = (0..20_u32).map(|second| {
                let user =
                    if nameless.contains(&second) { String::new() } else { format!("u{}", second % 4) };
                let user = if has_users { format!(",{user}") } else { String::new() };
                format!("{second},{}{user}\n", ["a", "b", "c"][second as usize % 3])
            });
            let header = if has_users { "time_s,model,user\n" } else { "time_s,model\n" };
            Trace::read((header.to_owned() + &rows.collect::<String>()).as_bytes()).unwrap()
        };
        // Training is the first 12 s: each model 4 times, so that a and b become services.
        let parts = |trace: &Trace, keeps_users| {
            let split = trace.split(4.0, SplitShares::default()).unwrap();
            SlottedRequests::parts(trace, split, (&TOP, 2), keeps_users)
        };
        let whole = read(&[], true);
        let [train, ..] = parts(&whole, true).unwrap();
        let users = |slot| train.slot_users(slot).unwrap().iter().map(|user| user.0).collect::<Vec<_>>();
        assert_eq!(numbers(train.slot(0)), [0, 1, 0]);
        assert_eq!((users(0), users(1)), (vec![0, 1, 3], vec![0, 2, 3]));
        let [train, ..] = parts(&whole, false).unwrap();
        assert!(!train.has_users() && train.slot_users(0).is_none(), "nobody wanted them");
        assert!(parts(&read(&[2], true), true).is_ok(), "the row of c is no service's");
        assert_eq!(
            parts(&read(&[2, 7], true), true).unwrap_err().to_string(),
            "row 7 names no user, others do; name one in every row, or in none: then users are drawn"
        );
        assert!(!parts(&read(&[], false), true).unwrap()[0].has_users());
    }

    #[test]
    fn asking_for_more_models_than_the_training_part_names_says_how_many_there_are() {
        let trace = trace("a b a b a b a c d e");
        let error = parts(&trace, &TOP, 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "3 models were asked for as services, but the training part of the recording names 2; ask for at most 2"
        );
        parts(&trace, &TOP, 2).unwrap();
    }

    #[test]
    fn drawn_services_are_frozen_and_the_same_whichever_part_is_taken() {
        let text = vec!["aaaaaaa"; 40].join(" ");
        let trace = trace(&text);
        let map = drawn(1.0, 7, Some(3));
        let drawn_parts = parts(&trace, &map, 5).unwrap();
        assert_eq!(parts(&trace, &map, 5).unwrap(), drawn_parts);
        // The same rows asked one after the other, without parts.
        let split = trace.split(1.0, SplitShares::default()).unwrap();
        let (_, mut service_of) = map.apply(5, &trace, &split).unwrap();
        let expected: Vec<u32> = (0..280).filter_map(|row| service_of(None, row / 7)).collect();
        let joined: Vec<u32> = drawn_parts
            .iter()
            .flat_map(|part| (0..part.num_slots()).flat_map(|slot| numbers(part.slot(slot))))
            .collect();
        assert_eq!(joined, expected);
        assert_eq!(joined[..14], [4, 4, 3, 0, 2, 1, 0, 0, 0, 3, 4, 1, 4, 3], "the first draws are pinned");
        assert_ne!(parts(&trace, &drawn(1.0, 8, Some(3)), 5).unwrap()[0], drawn_parts[0]);
    }

    #[test]
    fn drawn_shares_follow_zipf_within_an_epoch_and_ranks_move_between_epochs() {
        // 10 slots of 20,000 requests, reshuffled every 5: shares of Zipf(1) over 4 are 12/25, 6/25, 4/25, 3/25.
        let text = vec!["a".repeat(20_000); 10].join(" ");
        let trace = trace(&text);
        let [train, ..] = parts(&trace, &drawn(1.0, 3, Some(5)), 4).unwrap();
        let share = |slots| {
            let counts = train.counts(slots);
            let sum: u64 = counts.iter().sum();
            counts.iter().map(|count| *count as f64 / sum as f64).collect::<Vec<_>>()
        };
        let mut first = share(0..5);
        let second = share(5..6);
        assert!(first.iter().zip(&second).any(|(a, b)| (a - b).abs() > 0.05), "{first:?} {second:?}");
        first.sort_by(|a, b| b.total_cmp(a));
        for (share, expected) in first.iter().zip([0.48, 0.24, 0.16, 0.12]) {
            // Six standard deviations of 100,000 draws.
            assert!((share - expected).abs() < 0.0095, "{share} {expected}");
        }
    }

    #[test]
    fn a_single_service_takes_every_request() {
        let [train, ..] = parts(&trace("ab c a b c a"), &drawn(0.0, 0, None), 1).unwrap();
        assert_eq!((numbers(train.slot(0)), train.num_requests()), (vec![0, 0], 5));
    }
}
