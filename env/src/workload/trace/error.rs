//! What can go wrong when a recording is replayed: each with its values and with what would have been right.

use super::TracePart;

/// Everything that cutting, mapping or drawing from a recording can report.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Users were asked for, and this request has none though others have.
    #[error("row {row} names no user, others do; name one in every row, or in none: then users are drawn")]
    NoUser {
        /// The request in order of time, from 0.
        row: usize,
    },
    /// A slot length is not a usable number.
    #[error("slot_s is {slot_s}; expected a finite number of seconds, at least 0.000001")]
    BadSlot {
        /// The length asked for, s.
        slot_s: f64,
    },
    /// The slot length does not suit the span of the recording.
    #[error(
        "slots of {slot_s} s cut the {span_s} s of this recording into {slots}; expected {least} to {most}, choose another slot_s"
    )]
    SlotCount {
        /// The length asked for, s.
        slot_s: f64,
        /// From the start to the last request, s.
        span_s: f64,
        /// The resulting number of slots.
        slots: u64,
        /// The smallest number that works.
        least: u64,
        /// The largest number that works.
        most: u64,
    },
    /// The shares of the split are no shares.
    #[error(
        "the split gives {train} to training and {validate} to validation; expected numbers above 0 that leave something of 1 for tests"
    )]
    BadSplit {
        /// The share of training.
        train: f64,
        /// The share of validation.
        validate: f64,
    },
    /// A part of the split has no slot.
    #[error("the {part} part has none of the {slots} slots; make slots shorter or its share larger")]
    NoSlot {
        /// The part.
        part: TracePart,
        /// Slots of the recording.
        slots: usize,
    },
    /// More services were asked for than the training part has models.
    #[error(
        "{asked} models were asked for as services, but the training part of the recording names {present}; ask for at most {present}{hint}"
    )]
    TooFewModels {
        /// The number asked for.
        asked: u32,
        /// The number of different models in the training part.
        present: u32,
        /// What else to do, empty or beginning with a separator.
        hint: &'static str,
    },
    /// A recording of rates has no clients of a class of models.
    #[error("nobody asks for {model:?}; recorded are {recorded}")]
    UnknownClass {
        /// The class asked for.
        model: String,
        /// The classes that there are.
        recorded: String,
    },
    /// Rates that cannot have been recorded.
    #[error("{reason}")]
    BadRates {
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A parameter of a service map is out of range.
    #[error("service map: {key} is {value}; expected {expected}")]
    BadServiceMap {
        /// The parameter.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
}
