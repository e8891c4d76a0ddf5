//! *Rule.* `arc` keeps two lists by last request: T1 of objects that were asked for once since their load, T2 of the others. B1
//! and B2 remember what left them. A miss that B1 remembers raises the target `p` of T1, one that B2 remembers lowers it; the
//! last of T1 leaves when T1 exceeds `p`, else the last of T2.
//!
//! *State.* The four lists, their bytes, and `p` in bytes. Of objects of one size, T1 and B1 together hold at most the
//! capacity, all four twice that.
//!
//! *Cost per request.* O(1).
//!
//! *Reference.* Megiddo, Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003, figure 4. The paper has pages
//! of one size. Here lists are measured in bytes, and `p` moves by the paper's number of pages times the size of the object
//! asked for. libCacheSim moves it by that number of *bytes*: with objects of kilobytes `p` stays near 0 there.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::lists::Lists;
use super::trace::ObjectTrace;

pub(super) const ENTRY: Entry = Entry {
    name: "arc",
    description: "balances objects asked for once and those asked for more often by what it regrets to have evicted",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Arc::new(trace, capacity)),
};

const T1: usize = 0;
const T2: usize = 1;
const B1: usize = 2;
const B2: usize = 3;
/// The list of objects that stand in none.
const NOWHERE: usize = 4;

pub(super) struct Arc {
    capacity: u64,
    lists: Lists<4>,
    bytes: [u64; 4],
    /// List and bytes of each object.
    stands: Vec<(u8, u32)>,
    /// Bytes that T1 may have.
    target: f64,
    /// Bytes by which one page moves the target; the size of the object unless given.
    page: Option<f64>,
    /// Where the newcomer was remembered.
    remembered: usize,
}

impl Arc {
    pub(super) fn new(trace: &ObjectTrace, capacity: u64) -> Self {
        let num_objects = trace.num_objects();
        Self {
            capacity,
            lists: Lists::new(num_objects),
            bytes: [0; 4],
            stands: vec![(NOWHERE as u8, 0); num_objects],
            target: 0.0,
            page: None,
            remembered: NOWHERE,
        }
    }

    /// The same with a target that moves by whole `page` bytes, whatever the size.
    #[cfg(test)]
    pub(super) fn with_page(self, page: f64) -> Self {
        Self { page: Some(page), ..self }
    }

    fn put(&mut self, list: usize, object: u32, size: u32) {
        self.lists.push_front(list, object);
        self.bytes[list] += u64::from(size);
        self.stands[object as usize] = (list as u8, size);
    }

    /// Takes an object out of its list; its bytes.
    fn take(&mut self, object: u32) -> u32 {
        let (list, size) = std::mem::replace(&mut self.stands[object as usize], (NOWHERE as u8, 0));
        self.lists.remove(object);
        self.bytes[usize::from(list)] -= u64::from(size);
        size
    }

    fn forget_last(&mut self, list: usize) -> Option<u32> {
        let object = self.lists.back(list)?;
        self.take(object);
        Some(object)
    }

    /// REPLACE of the paper: the last of T1 or T2 leaves and is remembered.
    fn replace(&mut self) -> Option<u32> {
        let once = self.bytes[T1] as f64;
        let is_once = once > self.target || once == self.target && self.remembered == B2;
        let from = if self.bytes[T2] == 0 || self.bytes[T1] > 0 && is_once { T1 } else { T2 };
        let victim = self.lists.back(from)?;
        let size = self.take(victim);
        self.put(from + B1 - T1, victim, size);
        Some(victim)
    }
}

impl ObjectRule for Arc {
    fn hit(&mut self, access: Access) {
        let size = self.take(access.object);
        self.put(T2, access.object, size);
    }

    fn miss(&mut self, access: Access) {
        self.remembered = usize::from(self.stands[access.object as usize].0);
        if self.remembered == NOWHERE {
            return;
        }
        let [.., once, often] = self.bytes.map(|bytes| bytes as f64);
        let page = self.page.unwrap_or(f64::from(access.size));
        self.target = if self.remembered == B1 {
            (self.target + (often / once).max(1.0) * page).min(self.capacity as f64)
        } else {
            (self.target - (once / often).max(1.0) * page).max(0.0)
        };
        self.take(access.object);
    }

    fn evict(&mut self, newcomer: Access) -> Option<u32> {
        if self.remembered != NOWHERE {
            return self.replace();
        }
        let [t1, t2, b1, b2] = self.bytes;
        if t1 + b1 + u64::from(newcomer.size) > self.capacity {
            if b1 == 0 {
                return self.forget_last(T1);
            }
            self.forget_last(B1);
        } else if t1 + t2 + b1 + b2 >= self.capacity.saturating_mul(2) {
            self.forget_last(B2);
        }
        self.replace()
    }

    fn insert(&mut self, access: Access) {
        let list = if self.remembered == NOWHERE { T1 } else { T2 };
        self.put(list, access.object, access.size);
    }
}
