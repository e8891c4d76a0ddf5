//! Doubly linked lists over the numbers of objects, without allocation: an object stands in one list at most.
//!
//! A list is a ring through a node of its own behind those of the objects, so that no operation asks for ends.

/// Neighbours of a node.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Towards the back.
    next: u32,
    /// Towards the front.
    previous: u32,
}

/// `N` lists over the same objects.
#[derive(Clone, Debug)]
pub(super) struct Lists<const N: usize> {
    nodes: Vec<Node>,
    num_objects: u32,
}

impl<const N: usize> Lists<N> {
    /// Empty lists for objects below `num_objects`.
    pub(super) fn new(num_objects: usize) -> Self {
        let node = |at| Node { next: at, previous: at };
        Self { nodes: (0..(num_objects + N) as u32).map(node).collect(), num_objects: num_objects as u32 }
    }

    /// Puts an object that stands in no list before all others.
    pub(super) fn push_front(&mut self, list: usize, object: u32) {
        let ring = self.num_objects + list as u32;
        let first = self.nodes[ring as usize].next;
        self.nodes[object as usize] = Node { next: first, previous: ring };
        self.nodes[first as usize].previous = object;
        self.nodes[ring as usize].next = object;
    }

    /// Takes an object out of its list.
    pub(super) fn remove(&mut self, object: u32) {
        let Node { next, previous } = self.nodes[object as usize];
        self.nodes[previous as usize].next = next;
        self.nodes[next as usize].previous = previous;
    }

    /// The last object of a list.
    pub(super) fn back(&self, list: usize) -> Option<u32> {
        self.object(self.nodes[self.num_objects as usize + list].previous)
    }

    /// Takes out the last object of a list.
    pub(super) fn pop_back(&mut self, list: usize) -> Option<u32> {
        let object = self.back(list)?;
        self.remove(object);
        Some(object)
    }

    /// The object before this one, one step to the front.
    pub(super) fn before(&self, object: u32) -> Option<u32> {
        self.object(self.nodes[object as usize].previous)
    }

    fn object(&self, node: u32) -> Option<u32> {
        (node < self.num_objects).then_some(node)
    }
}
