//! Names in order of first appearance.

use std::collections::BTreeMap;

/// Numbers names from 0 in the order in which they are first met.
#[derive(Default)]
pub(super) struct Names {
    by_name: BTreeMap<String, u32>,
    in_order: Vec<String>,
}

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.in_order.len() as u32;
        self.by_name.insert(name.to_string(), number);
        self.in_order.push(name.to_string());
        number
    }

    /// All names, in order.
    pub(super) fn into_names(self) -> Vec<String> {
        self.in_order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_as_they_appear_and_not_by_alphabet() {
        let mut names = Names::default();
        assert_eq!(["z", "a", "z", "m"].map(|name| names.number(name)), [0, 1, 0, 2]);
        assert_eq!(names.into_names(), ["z", "a", "m"]);
    }
}
