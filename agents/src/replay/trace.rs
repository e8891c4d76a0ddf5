//! A trace of objects in memory, and how libCacheSim writes it.
//!
//! *Form* `oracleGeneral`. Records of 24 bytes without a head, little endian: `u32` time in seconds, `u64` object, `u32` size in
//! bytes, `i64` index of the object's next request. Replay needs object and size; the next request is worked out anew, so that
//! a file whose last column is wrong gives the same counts.
//!
//! Records of size 0 are passed over and counted, as libCacheSim does by default.
//!
//! *Source.* libCacheSim, `traceReader/generalReader/oracleGeneralBin.h`.

use std::array;
use std::collections::HashMap;
use std::io::{ErrorKind, Read};

use thiserror::Error;

/// Bytes of a record.
const RECORD_BYTES: usize = 24;
/// Records that are read at once.
const BATCH: usize = 4096;
/// The most records of a trace: 8 bytes each in memory, and less than `u32::MAX`, which means "never".
pub const MAX_RECORDS: u64 = 200_000_000;
/// The next request of what is not asked for again.
pub(super) const NEVER: u32 = u32::MAX;

/// How long objects count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// As recorded, bytes.
    Recorded,
    /// Each object counts 1, whatever is recorded; capacities are numbers of objects.
    Unit,
}

/// Why bytes are no trace of objects. Records count from 1.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The source failed, or its packing is damaged.
    #[error("record {record} cannot be read: {error}")]
    Io {
        /// The first record that is not there.
        record: u64,
        /// What the source says.
        error: std::io::Error,
    },
    /// The last record is not whole.
    #[error(
        "record {record} has {bytes} of its {RECORD_BYTES} bytes: the file was cut off, or is not oracleGeneral"
    )]
    CutOff {
        /// The last record.
        record: u64,
        /// Its bytes.
        bytes: usize,
    },
    /// There is nothing to replay.
    #[error("it holds no request: {records} records, and none of them has a size of 1 byte or more")]
    Empty {
        /// The records.
        records: u64,
    },
    /// Longer than memory is set aside for.
    #[error("more than {most} records, the most of a trace; cut it, for example with head -c {}", most * RECORD_BYTES as u64)]
    TooLong {
        /// The most records.
        most: u64,
    },
}

/// Requests for objects, in order. Objects are numbered from 0 as they first appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectTrace {
    pub(super) objects: Vec<u32>,
    /// Of each request, bytes, 1 or more.
    pub(super) sizes: Vec<u32>,
    num_objects: u32,
    /// Records of size 0, which are no requests.
    pub num_empty: u64,
}

impl ObjectTrace {
    /// Reads a trace to its end.
    ///
    /// # Errors
    /// A source that fails, a record that is cut off, no request, or more than [`MAX_RECORDS`].
    pub fn read(source: impl Read, sizes: Sizes) -> Result<Self, TraceError> {
        Self::read_at_most(source, sizes, MAX_RECORDS)
    }

    pub(super) fn read_at_most(mut source: impl Read, sizes: Sizes, most: u64) -> Result<Self, TraceError> {
        let mut trace = Self { objects: Vec::new(), sizes: Vec::new(), num_objects: 0, num_empty: 0 };
        let mut number_of: HashMap<u64, u32> = HashMap::new();
        let mut buffer = vec![0; BATCH * RECORD_BYTES];
        let mut records = 0;
        loop {
            let filled = fill(&mut source, &mut buffer)
                .map_err(|(filled, error)| TraceError::Io { record: records + filled + 1, error })?;
            let (whole, rest) = buffer[..filled].as_chunks::<RECORD_BYTES>();
            if records + whole.len() as u64 > most {
                return Err(TraceError::TooLong { most });
            }
            for record in whole {
                trace.push(record, sizes, &mut number_of);
            }
            records += whole.len() as u64;
            if !rest.is_empty() {
                return Err(TraceError::CutOff { record: records + 1, bytes: rest.len() });
            }
            if filled < buffer.len() {
                break;
            }
        }
        trace.num_objects = number_of.len() as u32;
        if trace.objects.is_empty() { Err(TraceError::Empty { records }) } else { Ok(trace) }
    }

    fn push(&mut self, record: &[u8; RECORD_BYTES], sizes: Sizes, number_of: &mut HashMap<u64, u32>) {
        let object = u64::from_le_bytes(array::from_fn(|at| record[4 + at]));
        let size = u32::from_le_bytes(array::from_fn(|at| record[12 + at]));
        if size == 0 {
            self.num_empty += 1;
            return;
        }
        let new = number_of.len() as u32;
        let number = *number_of.entry(object).or_insert(new);
        self.objects.push(number);
        self.sizes.push(if sizes == Sizes::Unit { 1 } else { size });
    }

    /// Requests.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no request, which no trace that was read says.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Different objects.
    pub fn num_objects(&self) -> usize {
        self.num_objects as usize
    }

    /// Bytes of all requests.
    pub fn bytes(&self) -> u64 {
        self.sizes.iter().map(|&size| u64::from(size)).sum()
    }

    /// The size of all requests, bytes, where it is the same.
    pub fn uniform_size(&self) -> Option<u32> {
        let first = self.sizes.first().copied();
        first.filter(|first| self.sizes.iter().all(|size| size == first))
    }

    /// The index of the next request for the same object, of each request; [`NEVER`] where there is none.
    pub(super) fn next_requests(&self) -> Vec<u32> {
        let mut coming = vec![NEVER; self.num_objects()];
        let mut next = vec![NEVER; self.len()];
        for (index, &object) in self.objects.iter().enumerate().rev() {
            next[index] = std::mem::replace(&mut coming[object as usize], index as u32);
        }
        next
    }
}

/// Fills the buffer as far as the source goes; on failure says how many whole records came before.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, (u64, std::io::Error)> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(((filled / RECORD_BYTES) as u64, error)),
        }
    }
    Ok(filled)
}
