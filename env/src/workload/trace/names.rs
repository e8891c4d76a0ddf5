//! Names of models, users or sessions, numbered as they are first met.

use std::collections::HashMap;

/// How a request without a name is kept in a column of numbers.
pub(super) const NONE: u32 = u32::MAX;

/// Names and their numbers, from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<Box<str>, u32>);

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.into(), number);
        number
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All names in the order of their numbers.
    pub(super) fn list(&self) -> Vec<&str> {
        let mut list = vec![""; self.0.len()];
        self.0.iter().for_each(|(name, number)| list[*number as usize] = name);
        list
    }

    /// Numbers the names anew, as a column that was sorted meets them; the new number of each old one.
    pub(super) fn renumber(&mut self, column: &mut [u32]) -> Vec<u32> {
        let (mut new, mut met) = (vec![NONE; self.0.len()], 0);
        for number in column.iter_mut().filter(|number| **number != NONE) {
            let place = &mut new[*number as usize];
            if *place == NONE {
                *place = met;
                met += 1;
            }
            *number = *place;
        }
        self.0.values_mut().for_each(|number| *number = new[*number as usize]);
        new
    }
}
