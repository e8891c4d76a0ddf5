//! Objects in the order of their keys: a binary heap that knows where each object stands, so that keys can change.

/// Place of an object that is not ranked.
const ABSENT: u32 = u32::MAX;

/// Ranked objects; the least key comes first.
#[derive(Clone, Debug)]
pub(super) struct Ranking<K> {
    heap: Vec<(K, u32)>,
    /// Where each object stands in the heap.
    places: Vec<u32>,
}

impl<K: Copy + PartialOrd> Ranking<K> {
    /// Ranks none of the objects below `num_objects`.
    pub(super) fn new(num_objects: usize) -> Self {
        Self { heap: Vec::new(), places: vec![ABSENT; num_objects] }
    }

    /// Gives an object a key, its first or another one.
    pub(super) fn set(&mut self, object: u32, key: K) {
        let place = self.places[object as usize];
        if place == ABSENT {
            self.heap.push((key, object));
            self.rise(self.heap.len() - 1);
            return;
        }
        let place = place as usize;
        let is_less = key < self.heap[place].0;
        self.heap[place].0 = key;
        if is_less { self.rise(place) } else { self.sink(place) }
    }

    /// The object with the least key.
    pub(super) fn first(&self) -> Option<(K, u32)> {
        self.heap.first().copied()
    }

    /// Takes out the object with the least key.
    pub(super) fn pop(&mut self) -> Option<(K, u32)> {
        let last = self.heap.pop()?;
        let Some(first) = self.heap.first_mut() else {
            self.places[last.1 as usize] = ABSENT;
            return Some(last);
        };
        let first = std::mem::replace(first, last);
        self.places[first.1 as usize] = ABSENT;
        self.sink(0);
        Some(first)
    }

    fn rise(&mut self, mut place: usize) {
        let moved = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].0 <= moved.0 {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, moved);
    }

    fn sink(&mut self, mut place: usize) {
        let moved = self.heap[place];
        loop {
            let mut child = 2 * place + 1;
            if child + 1 < self.heap.len() && self.heap[child + 1].0 < self.heap[child].0 {
                child += 1;
            }
            if child >= self.heap.len() || moved.0 <= self.heap[child].0 {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, moved);
    }

    fn put(&mut self, place: usize, ranked: (K, u32)) {
        self.heap[place] = ranked;
        self.places[ranked.1 as usize] = place as u32;
    }
}
