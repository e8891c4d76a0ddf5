//! The form of an environment: the entries of its rows and the names of its actions.

use serde::Serialize;

/// One number of an observation row: its name and the closed interval that it never leaves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// A path such as `service.3.age`.
    pub name: String,
    /// The least value.
    pub low: f32,
    /// The greatest value.
    pub high: f32,
}

impl Entry {
    /// An entry between `low` and `high`, both included.
    pub fn new(name: impl Into<String>, low: f32, high: f32) -> Self {
        Self { name: name.into(), low, high }
    }
}

/// The names, bounds and sizes of rows and actions that an environment keeps to.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// The name under which the environment is reported.
    pub id: String,
    /// The entries of an observation row, in order.
    pub entries: Vec<Entry>,
    /// The names of the actions, in order.
    pub actions: Vec<String>,
}

impl EnvSpec {
    /// The length of an observation row.
    pub fn num_entries(&self) -> usize {
        self.entries.len()
    }

    /// The length of a mask.
    pub fn num_actions(&self) -> usize {
        self.actions.len()
    }
}
