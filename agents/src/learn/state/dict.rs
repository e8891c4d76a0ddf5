//! Named flat arrays, and the bytes of a safetensors file that they become.

use super::plain::Plain;
use safetensors::tensor::View;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::BTreeMap;
use thiserror::Error;

/// Says why a state is refused, in one sentence that names the entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct StateError(pub String);

/// One array.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Entry {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn form(dtype: Dtype, shape: &[usize]) -> String {
    format!("{dtype:?} {shape:?}")
}

/// Named flat arrays; see the [module](super).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// What stands before the names of the entries in the whole state: empty, or a path that ends with a dot.
    place: String,
    entries: BTreeMap<String, Entry>,
}

impl StateDict {
    /// Adds an array.
    ///
    /// # Panics
    /// When there is one of this name, or the values do not fill the shape.
    pub fn put<T: Plain>(&mut self, name: impl Into<String>, shape: &[usize], values: &[T]) {
        let name = name.into();
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name} fills its shape");
        let mut bytes = Vec::with_capacity(size_of_val(values));
        T::write(values, &mut bytes);
        let entry = Entry { dtype: T::DTYPE, shape: shape.to_vec(), bytes };
        assert!(self.entries.insert(name.clone(), entry).is_none(), "{name} is kept once");
    }

    /// Adds an array of one dimension.
    pub fn put_list<T: Plain>(&mut self, name: impl Into<String>, values: &[T]) {
        self.put(name, &[values.len()], values);
    }

    /// Adds a single number.
    pub fn put_value<T: Plain>(&mut self, name: impl Into<String>, value: T) {
        self.put(name, &[], &[value]);
    }

    /// Adds a value of plain fields and lists as bytes: generators, say.
    ///
    /// # Panics
    /// When the value cannot be serialised: a sequence without a length, say.
    pub fn put_object(&mut self, name: impl Into<String>, value: &impl Serialize) {
        let bytes = postcard::to_extend(value, Vec::new()).expect("plain fields and lists");
        self.put_list(name, &bytes);
    }

    /// Adds all entries of another one, their names behind `prefix` and a dot.
    pub fn put_all(&mut self, prefix: &str, other: Self) {
        for (name, entry) in other.entries {
            self.entries.insert(format!("{prefix}.{name}"), entry);
        }
    }

    /// Takes the entries whose names begin with `prefix` and a dot, under the rest of their names.
    #[must_use]
    pub fn take_all(&mut self, prefix: &str) -> Self {
        let start = format!("{prefix}.");
        let named: Vec<String> =
            self.entries.keys().filter(|name| name.starts_with(&start)).cloned().collect();
        let taken = named.into_iter().filter_map(|name| {
            let entry = self.entries.remove(&name)?;
            Some((name[start.len()..].to_owned(), entry))
        });
        Self { entries: taken.collect(), place: format!("{}{start}", self.place) }
    }

    /// Names the place of these entries in the whole state, for messages: a path that ends with a dot.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { place: place.to_owned(), ..self }
    }

    /// Returns the error that names an entry by its place in the whole state and says what is wrong with it.
    pub fn refuse(&self, name: &str, reason: &str) -> StateError {
        StateError(format!("`{}{name}` of the state {reason}", self.place))
    }

    /// Whether there is an entry of this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Takes the array of this name, type and shape.
    ///
    /// # Errors
    /// When it is missing or of another type or shape.
    pub fn take<T: Plain>(&mut self, name: &str, shape: &[usize]) -> Result<Vec<T>, StateError> {
        let entry = self.entry(name)?;
        if entry.dtype != T::DTYPE || entry.shape != shape {
            return Err(self.wrong_form(name, &entry, &form(T::DTYPE, shape)));
        }
        self.read(name, &entry)
    }

    /// Takes an array of rows of this shape, however many there are; `[]` for single numbers. Gives their number too.
    ///
    /// # Errors
    /// When it is missing or of another type or shape.
    pub fn take_rows<T: Plain>(&mut self, name: &str, row: &[usize]) -> Result<(usize, Vec<T>), StateError> {
        let entry = self.entry(name)?;
        match entry.shape.split_first() {
            Some((&count, rest)) if entry.dtype == T::DTYPE && rest == row => {
                Ok((count, self.read(name, &entry)?))
            }
            _ => {
                let expected = match row {
                    [] => format!("{:?} of one dimension", T::DTYPE),
                    _ => format!("{:?} with rows of {row:?}", T::DTYPE),
                };
                Err(self.wrong_form(name, &entry, &expected))
            }
        }
    }

    /// Takes an array of one dimension, however long.
    ///
    /// # Errors
    /// When it is missing or of another type or shape.
    pub fn take_list<T: Plain>(&mut self, name: &str) -> Result<Vec<T>, StateError> {
        Ok(self.take_rows(name, &[])?.1)
    }

    /// Takes a single number.
    ///
    /// # Errors
    /// When it is missing or of another type or shape.
    pub fn take_value<T: Plain>(&mut self, name: &str) -> Result<T, StateError> {
        Ok(self.take(name, &[])?[0])
    }

    /// Takes counts that can still grow.
    ///
    /// # Errors
    /// As [`take`](Self::take), and when one is above 2^62.
    pub fn take_counts(&mut self, name: &str, shape: &[usize]) -> Result<Vec<u64>, StateError> {
        let counts: Vec<u64> = self.take(name, shape)?;
        match counts.iter().find(|&&count| count > 1 << 62) {
            None => Ok(counts),
            Some(count) => Err(self.refuse(name, &format!("has {count}, more than can be counted"))),
        }
    }

    /// Takes an array of finite numbers.
    ///
    /// # Errors
    /// As [`take`](Self::take), and when a number is NaN or infinite.
    pub fn take_finite<T: Plain + Into<f64>>(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<Vec<T>, StateError> {
        let values = self.take(name, shape)?;
        self.check_finite(name, &values)?;
        Ok(values)
    }

    /// Refuses numbers of an entry that are NaN or infinite.
    ///
    /// # Errors
    /// Names the first such number.
    pub fn check_finite<T: Copy + Into<f64>>(&self, name: &str, values: &[T]) -> Result<(), StateError> {
        let bad = values.iter().map(|&value| value.into()).enumerate().find(|(_, value)| !value.is_finite());
        match bad {
            None => Ok(()),
            Some((at, value)) => {
                let reason = format!("has {value} at position {at}; every number must be finite");
                Err(self.refuse(name, &reason))
            }
        }
    }

    /// Refuses an entry `actions` that names an action beyond `num_actions`.
    ///
    /// # Errors
    /// Names the first such action.
    pub fn check_actions<T: Copy + Into<i64>>(
        &self,
        actions: &[T],
        num_actions: usize,
    ) -> Result<(), StateError> {
        let mut actions = actions.iter().map(|&action| action.into()).enumerate();
        match actions.find(|(_, action)| !(0..num_actions as i64).contains(action)) {
            None => Ok(()),
            Some((at, action)) => {
                let reason = format!("has {action} at position {at} of {num_actions} actions");
                Err(self.refuse("actions", &reason))
            }
        }
    }

    /// Takes a value that [`put_object`](Self::put_object) added.
    ///
    /// # Errors
    /// When it is missing, or its bytes are not those of such a value.
    pub fn take_object<T: Serialize + DeserializeOwned>(&mut self, name: &str) -> Result<T, StateError> {
        let bytes: Vec<u8> = self.take_list(name)?;
        let value: T = postcard::from_bytes(&bytes)
            .map_err(|error| self.refuse(name, &format!("cannot be read: {error}")))?;
        let again = postcard::to_extend(&value, Vec::with_capacity(bytes.len())).unwrap_or_default();
        if again != bytes {
            return Err(self.refuse(name, "has bytes that nothing here would write"));
        }
        Ok(value)
    }

    /// Makes sure that everything has been taken.
    ///
    /// # Errors
    /// Names the first entry that is left.
    pub fn finish(&self) -> Result<(), StateError> {
        match self.entries.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(StateError(format!("the state has `{}{name}`, which nothing here needs", self.place)))
            }
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The names of all entries, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The bytes of a safetensors file: equal for equal contents. Each array is freed as soon as it is copied.
    pub fn into_bytes(self) -> Vec<u8> {
        safetensors::serialize(self.entries, None).expect("arrays that fill their shapes are always writable")
    }

    /// The arrays of a safetensors file.
    ///
    /// # Errors
    /// When the bytes are not those of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|error| StateError(format!("the state cannot be read: {error}")))?;
        let mut entries = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            let entry =
                Entry { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            entries.insert(name, entry);
        }
        Ok(Self { entries, place: String::new() })
    }

    fn entry(&mut self, name: &str) -> Result<Entry, StateError> {
        let entry = self.entries.remove(name);
        entry.ok_or_else(|| StateError(format!("the state has no `{}{name}`", self.place)))
    }

    fn wrong_form(&self, name: &str, entry: &Entry, expected: &str) -> StateError {
        let found = form(entry.dtype, &entry.shape);
        self.refuse(name, &format!("is {found}, {expected} is needed"))
    }

    fn read<T: Plain>(&self, name: &str, entry: &Entry) -> Result<Vec<T>, StateError> {
        T::read(&entry.bytes).ok_or_else(|| self.refuse(name, "has a byte that is neither 0 nor 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dict() -> StateDict {
        let mut dict = StateDict::default();
        dict.put("b.rows", &[2, 2], &[1.0_f32, f32::NAN, -0.0, 3.0]);
        dict.put_list("b.flags", &[true, false, true]);
        dict.put_list::<u64>("empty", &[]);
        dict.put_value("steps", u64::MAX);
        dict.put_object("object", &(7_u32, vec![0.5_f64]));
        dict
    }

    #[test]
    fn what_is_taken_is_what_was_put_after_the_way_through_bytes() {
        let bytes = dict().into_bytes();
        let mut read = StateDict::from_bytes(&bytes).unwrap();
        assert_eq!(read.clone().into_bytes(), bytes);
        assert_eq!(read.take_object::<(u32, Vec<f64>)>("object"), Ok((7, vec![0.5])));
        let mut inner = read.take_all("b");
        let (count, rows) = inner.take_rows::<f32>("rows", &[2]).unwrap();
        assert_eq!(count, 2);
        assert!(rows[1].is_nan() && rows[2].is_sign_negative());
        assert_eq!(inner.take::<bool>("flags", &[3]), Ok(vec![true, false, true]));
        inner.finish().unwrap();
        assert_eq!(read.take_list::<u64>("empty"), Ok(vec![]));
        assert_eq!(read.take_value::<u64>("steps"), Ok(u64::MAX));
        read.finish().unwrap();
    }

    #[test]
    fn every_mistake_names_the_entry() {
        let messages = [
            dict().take::<f32>("rows", &[2]).unwrap_err(),
            dict().take::<f64>("b.rows", &[2, 2]).unwrap_err(),
            dict().take::<f32>("b.rows", &[4]).unwrap_err(),
            dict().take_rows::<f32>("b.rows", &[3]).unwrap_err(),
            dict().take_finite::<f32>("b.rows", &[2, 2]).unwrap_err(),
            dict().take_object::<(u32, u32)>("object").unwrap_err(),
            dict().take_object::<u8>("object").unwrap_err(),
            dict().finish().unwrap_err(),
            StateDict::from_bytes(b"no").unwrap_err(),
        ]
        .map(|error| error.to_string());
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn a_byte_that_is_no_truth_value_is_refused() {
        let mut bytes = StateDict::default();
        bytes.put_list("flag", &[true]);
        let mut bytes = bytes.into_bytes();
        *bytes.last_mut().unwrap() = 2;
        let refused = StateDict::from_bytes(&bytes).unwrap().take_list::<bool>("flag").unwrap_err();
        assert_eq!(refused.to_string(), "`flag` of the state has a byte that is neither 0 nor 1");
    }
}
