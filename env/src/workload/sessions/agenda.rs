//! The sessions between two requests, by the slot of the next one.
//!
//! A heap of places in a list: what is kept and taken in every slot neither asks for memory nor gives any back.

use super::Live;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Sessions by slot; those of one slot in the order in which they were kept. Written as a map of lists.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<u64, Vec<Live>>", into = "BTreeMap<u64, Vec<Live>>")]
pub(super) struct Agenda {
    dates: BinaryHeap<Reverse<Date>>,
    /// By place; without meaning where no date names it.
    sessions: Vec<Live>,
    /// Places that no date names.
    free: Vec<u32>,
    /// Sessions that were ever kept.
    num_kept: u64,
}

/// The slot in which a session comes next, and the place where it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Date {
    /// The slot in the upper half, and how many were kept before in the lower.
    when: u128,
    place: u32,
}

impl Date {
    const fn slot(self) -> u64 {
        (self.when >> 64) as u64
    }
}

impl Agenda {
    /// Forgets all sessions.
    pub(super) fn clear(&mut self) {
        self.dates.clear();
        self.sessions.clear();
        self.free.clear();
        self.num_kept = 0;
    }

    /// Keeps a session until this slot.
    pub(super) fn keep(&mut self, slot: u64, live: Live) {
        let place = if let Some(place) = self.free.pop() {
            self.sessions[place as usize] = live;
            place
        } else {
            self.sessions.push(live);
            self.sessions.len() as u32 - 1
        };
        let when = u128::from(slot) << 64 | u128::from(self.num_kept);
        self.num_kept += 1;
        self.dates.push(Reverse(Date { when, place }));
    }

    /// Takes the next session that comes in this slot or before.
    pub(super) fn take_due(&mut self, slot: u64) -> Option<Live> {
        if self.dates.peek()?.0.slot() > slot {
            return None;
        }
        let Reverse(Date { place, .. }) = self.dates.pop()?;
        self.free.push(place);
        Some(self.sessions[place as usize])
    }

    /// All sessions, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.dates.iter().map(|Reverse(date)| &self.sessions[date.place as usize])
    }

    /// Takes all sessions, in order.
    pub(super) fn take_all(&mut self) -> Vec<Live> {
        let all = std::iter::from_fn(|| self.take_due(u64::MAX)).collect();
        self.clear();
        all
    }

    /// The session that comes first.
    #[cfg(test)]
    pub(super) fn first_mut(&mut self) -> &mut Live {
        let place = self.dates.peek().unwrap().0.place;
        &mut self.sessions[place as usize]
    }
}

impl From<BTreeMap<u64, Vec<Live>>> for Agenda {
    fn from(by_slot: BTreeMap<u64, Vec<Live>>) -> Self {
        let mut agenda = Self::default();
        for (slot, sessions) in by_slot {
            for live in sessions {
                agenda.keep(slot, live);
            }
        }
        agenda
    }
}

impl From<Agenda> for BTreeMap<u64, Vec<Live>> {
    fn from(agenda: Agenda) -> Self {
        let mut by_slot = Self::new();
        let Agenda { dates, sessions, .. } = agenda;
        // The greatest of what is reversed is the first.
        for Reverse(date) in dates.into_sorted_vec().into_iter().rev() {
            by_slot.entry(date.slot()).or_insert_with(Vec::new).push(sessions[date.place as usize]);
        }
        by_slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ServiceId, UserId};

    fn live(session: u64) -> Live {
        Live {
            session,
            user: UserId(0),
            service: ServiceId(0),
            turn: 0,
            call: 0,
            last_call: 0,
            requests: 0,
            context_tokens: 0,
            since_s: 0.0,
            next_s: 0.0,
        }
    }

    fn due(agenda: &mut Agenda, slot: u64) -> Vec<u64> {
        std::iter::from_fn(|| agenda.take_due(slot)).map(|live| live.session).collect()
    }

    fn agenda() -> Agenda {
        let mut agenda = Agenda::default();
        for (session, slot) in [(0, 5), (1, 3), (2, 5), (3, u64::MAX), (4, 3), (5, 9)] {
            agenda.keep(slot, live(session));
        }
        agenda
    }

    #[test]
    fn sessions_come_in_their_slot_and_in_the_order_in_which_they_were_kept() {
        let mut agenda = agenda();
        assert_eq!(due(&mut agenda, 2), [0; 0]);
        assert_eq!(due(&mut agenda, 4), [1, 4]);
        agenda.keep(5, live(6));
        assert_eq!((due(&mut agenda, 5), agenda.iter().count()), (vec![0, 2, 6], 2));
        // Places that became free are used again, in whatever order.
        agenda.keep(7, live(7));
        agenda.keep(7, live(8));
        let all: Vec<u64> = agenda.take_all().iter().map(|live| live.session).collect();
        assert_eq!((all, agenda.iter().count()), (vec![7, 8, 5, 3], 0));
        assert_eq!(agenda.iter().count(), 0);
    }

    #[test]
    fn it_is_written_as_a_map_of_lists_and_comes_back_in_order() {
        let mut as_map = BTreeMap::new();
        for (slot, sessions) in [(3, vec![1, 4]), (5, vec![0, 2]), (9, vec![5]), (u64::MAX, vec![3])] {
            as_map.insert(slot, sessions.into_iter().map(live).collect::<Vec<_>>());
        }
        let bytes = postcard::to_stdvec(&agenda()).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(&as_map).unwrap());
        let mut again: Agenda = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(due(&mut again, u64::MAX), [1, 4, 0, 2, 5, 3]);
    }
}
