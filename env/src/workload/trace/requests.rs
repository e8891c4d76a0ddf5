//! Requests that can be looked at again and again without being held: recordings of any length in constant memory.

use std::io::Read;

use super::{Header, Request, Trace, TraceError, TraceReader};

/// The requests of a trace, in order of time, as often as they are asked for: always the same.
pub trait Requests {
    /// What is known about the trace as a whole.
    fn header(&self) -> &Header;

    /// Shows every request, in order.
    ///
    /// # Errors
    /// Whatever keeps them from being read to the end; what was shown until then is not to be used.
    fn visit(&self, show: &mut dyn FnMut(&Request)) -> Result<(), TraceError>;
}

impl Requests for Trace {
    fn header(&self) -> &Header {
        self.header()
    }

    fn visit(&self, show: &mut dyn FnMut(&Request)) -> Result<(), TraceError> {
        self.iter().for_each(|request| show(&request));
        Ok(())
    }
}

/// A trace in the format of `docs/trace-format.md` that stays where it is, such as a file; each visit reads it through
/// and checks all of it.
#[derive(Debug)]
pub struct StoredTrace<F> {
    open: F,
    header: Header,
}

impl<F, R> StoredTrace<F>
where
    F: Fn() -> std::io::Result<R>,
    R: Read,
{
    /// A trace that `open` opens at its first byte, each time anew. Only the header is read now.
    ///
    /// # Errors
    /// As [`TraceReader::new`].
    pub fn new(open: F) -> Result<Self, TraceError> {
        let header = TraceReader::new(opened(&open)?)?.header().clone();
        Ok(Self { open, header })
    }
}

impl<F, R> Requests for StoredTrace<F>
where
    F: Fn() -> std::io::Result<R>,
    R: Read,
{
    fn header(&self) -> &Header {
        &self.header
    }

    fn visit(&self, show: &mut dyn FnMut(&Request)) -> Result<(), TraceError> {
        let mut reader = TraceReader::new(opened(&self.open)?)?;
        if *reader.header() != self.header {
            return Err(TraceError::BadHeader {
                reason: "it changed while the trace was read; start again when nothing writes to it".into(),
            });
        }
        while let Some(rows) = reader.next_block()? {
            rows.iter().for_each(&mut *show);
        }
        Ok(())
    }
}

fn opened<R>(open: &impl Fn() -> std::io::Result<R>) -> Result<R, TraceError> {
    open().map_err(|source| TraceError::Io { at_byte: 0, source })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn bytes(times_us: &[u64]) -> Vec<u8> {
        let requests = times_us.iter().map(|time_us| Request { time_us: *time_us, ..Request::default() });
        let trace = Trace::from_requests(Header::named("hand made", "0"), requests.collect()).unwrap();
        trace.write(Vec::new()).unwrap()
    }

    fn times_us(requests: &impl Requests) -> Result<Vec<u64>, TraceError> {
        let mut times_us = Vec::new();
        requests.visit(&mut |request| times_us.push(request.time_us))?;
        Ok(times_us)
    }

    #[test]
    fn a_stored_trace_shows_the_same_requests_each_time() {
        let bytes = bytes(&[0, 3, 3, 9]);
        let stored = StoredTrace::new(|| Ok(&bytes[..])).unwrap();
        assert_eq!(stored.header().rows, 4);
        for _ in 0..2 {
            assert_eq!(times_us(&stored).unwrap(), [0, 3, 3, 9]);
        }
        assert_eq!(times_us(&Trace::read(&bytes[..]).unwrap()).unwrap(), [0, 3, 3, 9]);
    }

    #[test]
    fn a_trace_that_is_cut_off_or_changes_between_two_visits_is_an_error() {
        let (long, short) = (bytes(&[0, 3]), bytes(&[0]));
        let cut = StoredTrace::new(|| Ok(&long[..long.len() - 1])).unwrap();
        assert!(matches!(times_us(&cut).unwrap_err(), TraceError::Truncated { .. }));
        let opened = Cell::new(0);
        let changing = StoredTrace::new(|| {
            opened.set(opened.get() + 1);
            Ok(if opened.get() > 1 { &short[..] } else { &long[..] })
        });
        assert!(times_us(&changing.unwrap()).unwrap_err().to_string().contains("changed while"));
    }
}
