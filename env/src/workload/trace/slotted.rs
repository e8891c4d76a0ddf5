//! What a world replays: the requests of one part of a trace, slot by slot, as requests for services.
//!
//! *Assumptions.* Requests for models that are no service are served elsewhere whatever a policy does: they are counted
//! and left out. Within a slot, requests keep the order in which they arrived. Users are kept where somebody wants them
//! ([`SlottedRequests::parts_with_users`]); then every request has to have one.
//!
//! *Source.* MODEL.md section 8, "Recorded requests".

use std::ops::Range;

use super::service_map::{Assignment, ServiceInfo, ServiceMap};
use super::{Requests, TimeSplit, TraceError, TracePart};

mod columns;

use columns::{ServiceColumn, UserColumn};
pub use columns::{SlotServices, SlotUsers};

/// The requests of one part, by slot: one or two bytes a request, two or four more for its user, four a slot.
#[derive(Clone, Debug, PartialEq)]
pub struct SlottedRequests {
    split: TimeSplit,
    part: TracePart,
    services: Vec<ServiceInfo>,
    /// Where each slot begins in `request_services`; one more at the end.
    slot_offsets: Vec<u32>,
    request_services: ServiceColumn,
    /// Where users are kept.
    request_users: Option<UserColumn>,
    outside_requests: u64,
}

impl SlottedRequests {
    /// All parts of a trace, in the order of [`TracePart::ALL`]. The requests are visited two or three times and not
    /// kept.
    ///
    /// # Errors
    /// [`TraceError::Empty`] without requests; as [`TimeSplit::new`]; [`TraceError::TooFewModels`] when the training part
    /// names fewer models than asked for; [`TraceError::BadServiceMap`] for parameters out of range;
    /// [`TraceError::TooManyRequests`] for a part of more than 4,294,967,295; whatever a visit reports.
    pub fn parts(requests: &impl Requests, slot_s: f64, map: &ServiceMap) -> Result<[Self; 3], TraceError> {
        Self::collect(requests, slot_s, map, false)
    }

    /// The same, with the user of each request where the trace has that column.
    ///
    /// # Errors
    /// As [`parts`](Self::parts); [`TraceError::NoUser`] for a request of a service that names none where others do.
    pub fn parts_with_users(
        requests: &impl Requests,
        slot_s: f64,
        map: &ServiceMap,
    ) -> Result<[Self; 3], TraceError> {
        Self::collect(requests, slot_s, map, requests.header().columns.user)
    }

    fn collect(
        requests: &impl Requests,
        slot_s: f64,
        map: &ServiceMap,
        keeps_users: bool,
    ) -> Result<[Self; 3], TraceError> {
        let mut last_us = None;
        requests.visit(&mut |request| last_us = Some(request.time_us))?;
        let split = TimeSplit::new(slot_s, last_us.ok_or(TraceError::Empty)?)?;
        let (services, mut assignment) = Assignment::new(requests, &split, map)?;
        let mut parts = TracePart::ALL.map(|part| Self {
            split,
            part,
            slot_offsets: Vec::with_capacity(split.slots(part).len() + 1),
            request_services: ServiceColumn::new(services.len()),
            services: services.clone(),
            request_users: keeps_users.then(|| UserColumn::new(requests.header().num_users)),
            outside_requests: 0,
        });
        let (mut row, mut nameless) = (0, None);
        requests.visit(&mut |request| {
            // A trace that changed meanwhile cannot lead out of the last slot.
            let slot = split.slot_of(request.time_us).min(split.num_slots() - 1);
            let part = &mut parts[split.part_of(slot) as usize];
            part.begin_slots(slot + 1 - split.slots(part.part).start);
            match assignment.service(request.model, row, slot) {
                Some(service) => {
                    part.request_services.push(service);
                    match (&mut part.request_users, request.user) {
                        (Some(users), Some(user)) => users.push(user),
                        (Some(_), None) => nameless = nameless.or(Some(row)),
                        (None, _) => {}
                    }
                }
                None => part.outside_requests += 1,
            }
            row += 1;
        })?;
        if let Some(row) = nameless {
            return Err(TraceError::NoUser { row });
        }
        for part in &mut parts {
            let requests = part.num_requests() as u64;
            if requests > u64::from(u32::MAX) {
                let most = u64::from(u32::MAX);
                return Err(TraceError::TooManyRequests { part: part.part, requests, most });
            }
            part.begin_slots(split.slots(part.part).len() + 1);
            part.request_services.shrink_to_fit();
            part.request_users.iter_mut().for_each(UserColumn::shrink_to_fit);
        }
        Ok(parts)
    }

    /// Notes that the first `count` slots begin at or before the present place.
    fn begin_slots(&mut self, count: usize) {
        while self.slot_offsets.len() < count {
            // A count that does not fit is refused when all requests were seen.
            self.slot_offsets.push(self.request_services.len() as u32);
        }
    }

    /// Where the requests of some slots stand.
    fn places(&self, slots: Range<usize>) -> Range<usize> {
        self.slot_offsets[slots.start] as usize..self.slot_offsets[slots.end] as usize
    }

    /// Which part this is.
    pub fn part(&self) -> TracePart {
        self.part
    }

    /// The slots and parts of the whole trace; `split().slots(part())` are the slots of this part in it.
    pub fn split(&self) -> TimeSplit {
        self.split
    }

    /// Length of a slot, s.
    pub fn slot_s(&self) -> f64 {
        self.split.slot_s()
    }

    /// Number of slots of this part.
    pub fn num_slots(&self) -> usize {
        self.slot_offsets.len() - 1
    }

    /// Number of requests that ask for a service.
    pub fn num_requests(&self) -> usize {
        self.request_services.len()
    }

    /// Number of requests of this part for models that are no service (or for none); they are served elsewhere.
    pub fn outside_requests(&self) -> u64 {
        self.outside_requests
    }

    /// Number of services.
    pub fn num_services(&self) -> usize {
        self.services.len()
    }

    /// What is known about each service.
    pub fn services(&self) -> &[ServiceInfo] {
        &self.services
    }

    /// Recorded seconds to load each service's model; `None` where the trace does not have them.
    pub fn service_load_s(&self) -> Option<Vec<f64>> {
        self.services.iter().map(|service| service.load_s).collect()
    }

    /// The services asked for in a slot of this part (0 is its first), one entry a request, in order of arrival.
    ///
    /// # Panics
    /// If `slot` is not below [`num_slots`](Self::num_slots).
    pub fn slot(&self, slot: usize) -> SlotServices<'_> {
        self.request_services.range(self.places(slot..slot + 1))
    }

    /// Whether the user of each request is kept.
    pub fn has_users(&self) -> bool {
        self.request_users.is_some()
    }

    /// The users of a slot's requests, in the order of [`slot`](Self::slot); `None` where they are not kept.
    ///
    /// # Panics
    /// If `slot` is not below [`num_slots`](Self::num_slots).
    pub fn slot_users(&self, slot: usize) -> Option<SlotUsers<'_>> {
        self.request_users.as_ref().map(|users| users.range(self.places(slot..slot + 1)))
    }

    /// Requests per service over a range of slots of this part: what a static set is chosen from.
    ///
    /// # Panics
    /// If `slots` is not within `0..num_slots()`.
    pub fn counts(&self, slots: Range<usize>) -> Vec<u64> {
        let mut counts = vec![0; self.services.len()];
        for service in self.request_services.range(self.places(slots)) {
            counts[service as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, Header, Request, Trace};
    use super::*;

    /// One letter a request and a dot for "no model", one second a group: `"aab b."`.
    fn trace(text: &str) -> Trace {
        let mut header = Header {
            columns: Columns { model: true, ..Columns::default() },
            ..Header::named("letters", "2024-01-01 00:00:00")
        };
        let mut requests = Vec::new();
        for (second, group) in text.split(' ').enumerate() {
            for (place, letter) in group.chars().enumerate() {
                let name = letter.to_string();
                let model = (letter != '.').then(|| {
                    header.models.iter().position(|known| *known == name).unwrap_or_else(|| {
                        header.models.push(name);
                        header.models.len() - 1
                    }) as u32
                });
                let time_us = second as u64 * 1_000_000 + place as u64;
                requests.push(Request { time_us, model, ..Request::default() });
            }
        }
        header.load_s = Some((0..header.models.len()).map(|model| model as f64 + 0.5).collect());
        Trace::from_requests(header, requests).unwrap()
    }

    const DRAWN: ServiceMap =
        ServiceMap::Drawn { services: 5, zipf_exponent: 1.0, seed: 7, reshuffle_slots: Some(3) };

    #[test]
    fn the_most_requested_models_of_the_training_part_become_services() {
        // Training is the first six of ten seconds: c 3, b 2, a 2 (b came first), d 1; e only ever appears later.
        let trace = trace("bc c  bac. a d d eee eaed db");
        assert_eq!(trace.split(1.0).unwrap().num_slots(), 10);
        let map = ServiceMap::TopModels { count: 3 };
        let train = trace.slotted(1.0, TracePart::Train, &map).unwrap();
        let names: Vec<_> = train.services().iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(train.service_load_s().unwrap(), [1.5, 0.5, 2.5], "b appeared before c");
        let slots: Vec<_> = (0..train.num_slots()).map(|slot| train.slot(slot).collect::<Vec<_>>()).collect();
        assert_eq!(slots, [vec![1, 0], vec![0], vec![], vec![1, 2, 0], vec![2], vec![]]);
        assert_eq!(train.outside_requests(), 2, "the request without a model and one for d");
        assert_eq!(train.counts(0..6), [3, 2, 2]);
        assert_eq!(train.counts(1..4), [2, 1, 1]);

        let test = trace.slotted(1.0, TracePart::Test, &map).unwrap();
        assert_eq!([test.slot(0), test.slot(1)].map(Iterator::collect::<Vec<_>>), [[2], [1]]);
        assert_eq!((test.num_requests(), test.outside_requests()), (2, 4));
    }

    #[test]
    fn the_user_of_each_request_stands_beside_its_service_where_users_are_wanted() {
        // One request a second, of model a by user 0, b by 1, c by 2 and so on in turns of 3 models and 4 users.
        for (num_users, is_narrow) in [(4, true), (70_000, false)] {
            let mut header = Header {
                columns: Columns { model: true, user: true, ..Columns::default() },
                models: vec!["a".into(), "b".into(), "c".into()],
                num_users,
                ..Header::named("turns", "0")
            };
            let request = |second: u32| Request {
                time_us: u64::from(second) * 1_000_000,
                model: Some(second % 3),
                user: Some(second % 4 + num_users - 4),
                ..Request::default()
            };
            let requests: Vec<Request> = (0..20).map(request).collect();
            let trace = Trace::from_requests(header.clone(), requests.clone()).unwrap();
            // Training is the first 12 s: each model 4 times, so that a and b become services.
            let map = ServiceMap::TopModels { count: 2 };
            let [train, ..] = SlottedRequests::parts_with_users(&trace, 4.0, &map).unwrap();
            assert_eq!(matches!(train.request_users, Some(UserColumn::Narrow(_))), is_narrow);
            let first = num_users - 4;
            assert_eq!(train.slot(0).collect::<Vec<_>>(), [0, 1, 0]);
            assert_eq!(train.slot_users(0).unwrap().collect::<Vec<_>>(), [first, first + 1, first + 3]);
            assert_eq!(train.slot_users(1).unwrap().collect::<Vec<_>>(), [first, first + 2, first + 3]);
            let [train, ..] = SlottedRequests::parts(&trace, 4.0, &map).unwrap();
            assert!(!train.has_users() && train.slot_users(0).is_none(), "nobody wanted them");

            let mut nameless = requests.clone();
            nameless[2].user = None;
            let of_c = Trace::from_requests(header.clone(), nameless.clone()).unwrap();
            assert!(SlottedRequests::parts_with_users(&of_c, 4.0, &map).is_ok(), "it is no service's");
            nameless[7].user = None;
            let of_b = Trace::from_requests(header.clone(), nameless).unwrap();
            let error = SlottedRequests::parts_with_users(&of_b, 4.0, &map).unwrap_err();
            assert_eq!(
                error.to_string(),
                "row 7 names no user, others do; name one in every row, or in none: then users are drawn"
            );

            header.columns.user = false;
            header.num_users = 0;
            let without = requests.iter().map(|request| Request { user: None, ..*request }).collect();
            let without = Trace::from_requests(header, without).unwrap();
            let [train, ..] = SlottedRequests::parts_with_users(&without, 4.0, &map).unwrap();
            assert!(!train.has_users());
        }
    }

    #[test]
    fn asking_for_more_models_than_the_training_part_names_says_how_many_there_are() {
        let trace = trace("a b a b a b a c d e");
        let error = trace.slotted(1.0, TracePart::Test, &ServiceMap::TopModels { count: 3 }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "3 models were asked for as services, but the training part of trace `letters` names 2; ask for at most 2"
        );
        trace.slotted(1.0, TracePart::Test, &ServiceMap::TopModels { count: 2 }).unwrap();
    }

    #[test]
    fn drawn_services_are_frozen_and_the_same_whichever_part_is_taken() {
        let text = vec!["aaaaaaa"; 40].join(" ");
        let trace = trace(&text);
        let parts = TracePart::ALL.map(|part| trace.slotted(1.0, part, &DRAWN).unwrap());
        assert_eq!(parts, TracePart::ALL.map(|part| trace.slotted(1.0, part, &DRAWN).unwrap()));
        // The same rows asked one after the other, without parts.
        let split = trace.split(1.0).unwrap();
        let (_, mut whole) = Assignment::new(&trace, &split, &DRAWN).unwrap();
        let expected: Vec<u32> =
            (0..280).filter_map(|row| whole.service(None, row, row as usize / 7)).collect();
        let joined: Vec<u32> =
            parts.iter().flat_map(|part| (0..part.num_slots()).flat_map(|slot| part.slot(slot))).collect();
        assert_eq!(joined, expected);
        assert_eq!(joined[..14], [4, 4, 3, 0, 2, 1, 0, 0, 0, 3, 4, 1, 4, 3], "the first draws are pinned");
        let other = ServiceMap::Drawn { services: 5, zipf_exponent: 1.0, seed: 8, reshuffle_slots: Some(3) };
        assert_ne!(trace.slotted(1.0, TracePart::Train, &other).unwrap(), parts[0]);
    }

    #[test]
    fn drawn_shares_follow_zipf_within_an_epoch_and_ranks_move_between_epochs() {
        // 10 slots of 20,000 requests, reshuffled every 5: shares of Zipf(1) over 4 are 12/25, 6/25, 4/25, 3/25.
        let map = ServiceMap::Drawn { services: 4, zipf_exponent: 1.0, seed: 3, reshuffle_slots: Some(5) };
        let text = vec!["a".repeat(20_000); 10].join(" ");
        let trace = trace(&text);
        let train = trace.slotted(1.0, TracePart::Train, &map).unwrap();
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
    fn parameters_out_of_range_are_refused_with_what_is_allowed() {
        let trace = trace("a b a b a b a c d e");
        let ServiceMap::Drawn { services, zipf_exponent, seed, reshuffle_slots } = DRAWN else {
            unreachable!()
        };
        let cases = [
            (ServiceMap::TopModels { count: 0 }, "service map: count is 0; expected at least 1 model"),
            (
                ServiceMap::Drawn { services: 0, zipf_exponent, seed, reshuffle_slots },
                "service map: services is 0; expected 1 to 65536",
            ),
            (
                ServiceMap::Drawn { services, zipf_exponent: f64::NAN, seed, reshuffle_slots },
                "service map: zipf_exponent is NaN; expected a finite number, at least 0",
            ),
            (
                ServiceMap::Drawn { services, zipf_exponent, seed, reshuffle_slots: Some(0) },
                "service map: reshuffle_slots is 0; expected at least 1 slot",
            ),
        ];
        for (map, expected) in cases {
            assert_eq!(trace.slotted(1.0, TracePart::Train, &map).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_single_service_takes_every_request() {
        let map = ServiceMap::Drawn { services: 1, zipf_exponent: 0.0, seed: 0, reshuffle_slots: None };
        let train = trace("ab c a b c a").slotted(1.0, TracePart::Train, &map).unwrap();
        assert_eq!((train.slot(0).collect::<Vec<_>>(), train.num_requests()), (vec![0, 0], 5));
    }

    #[test]
    fn services_are_the_same_whether_a_request_takes_one_byte_or_two() {
        let trace = trace(&vec!["aaaaaaaaaa"; 40].join(" "));
        let split = trace.split(1.0).unwrap();
        for (services, is_narrow) in [(256, true), (257, false)] {
            let map = ServiceMap::Drawn { services, zipf_exponent: 0.0, seed: 7, reshuffle_slots: None };
            let train = trace.slotted(1.0, TracePart::Train, &map).unwrap();
            assert_eq!(matches!(train.request_services, ServiceColumn::Narrow(_)), is_narrow);
            let (_, mut whole) = Assignment::new(&trace, &split, &map).unwrap();
            let expected: Vec<u32> = (0..240).filter_map(|row| whole.service(None, row, 0)).collect();
            assert!(expected.contains(&(services - 1)), "the last service is asked for");
            assert_eq!((0..24).flat_map(|slot| train.slot(slot)).collect::<Vec<_>>(), expected);
            assert_eq!(train.slot(3).len(), 10);
        }
    }
}
