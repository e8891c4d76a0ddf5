//! The unpacked bytes of a block: its columns one after the other, as variable-length integers.
//!
//! *Integers.* As in `varint.rs`.
//!
//! *Columns*, in this order, those that the header lists, each with one integer per row:
//! `time_us` (the first row's time, then the difference to the row before), `model` + 1 (0 = none), `user` + 1 (0 = none),
//! `prompt_tokens`, `output_tokens`, `service_us`, `reused_tokens`. Models and users repeat and times are close together, so
//! columns compress better than rows.

use crate::workload::trace::varint::{self, put};
use crate::workload::trace::{Columns, Header, Request};

/// The fewest and the most bytes that a block of `rows` rows can unpack to.
pub(super) fn raw_bytes_range(columns: Columns, rows: u32) -> (u32, u32) {
    let Columns { model, user, prompt_tokens, output_tokens, service_us, reused_tokens } = columns;
    let narrow = [model, user, prompt_tokens, output_tokens, reused_tokens];
    let narrow = narrow.into_iter().filter(|present| *present).count() as u32;
    let wide = 1 + u32::from(service_us);
    (rows * (wide + narrow), rows * (wide * varint::MAX_BYTES + narrow * varint::MAX_BYTES_U32))
}

/// Appends the columns of `rows`, which are in order and in range.
pub(super) fn encode(columns: Columns, rows: &[Request], raw: &mut Vec<u8>) {
    let mut previous_us = 0;
    for row in rows {
        put(raw, row.time_us - previous_us);
        previous_us = row.time_us;
    }
    let mut column = |present: bool, value: fn(&Request) -> u64| {
        if present {
            for row in rows {
                put(raw, value(row));
            }
        }
    };
    column(columns.model, |row| row.model.map_or(0, |model| u64::from(model) + 1));
    column(columns.user, |row| row.user.map_or(0, |user| u64::from(user) + 1));
    column(columns.prompt_tokens, |row| u64::from(row.prompt_tokens));
    column(columns.output_tokens, |row| u64::from(row.output_tokens));
    column(columns.service_us, |row| row.service_us);
    column(columns.reused_tokens, |row| u64::from(row.reused_tokens));
}

/// The rows of an unpacked block, whose first row is `first_row` of the trace and follows a row at `previous_us`.
///
/// The text of an error says what is wrong and what is allowed; with it comes the row, where there is one.
pub(super) fn decode(
    header: &Header,
    mut raw: &[u8],
    num_rows: u32,
    previous_us: u64,
    rows: &mut Vec<Request>,
) -> Result<(), Fault> {
    let columns = header.columns;
    rows.clear();
    rows.resize(num_rows as usize, Request::default());
    let mut time_us = 0_u64;
    for (index, row) in rows.iter_mut().enumerate() {
        time_us = time_us
            .checked_add(take(&mut raw, index, "time_us")?)
            .ok_or_else(|| Fault::row(index, "time_us does not fit in 64 bits".into()))?;
        row.time_us = time_us;
    }
    narrow(columns.model, &mut raw, rows, "model", |row, value| row.model = value.checked_sub(1))?;
    narrow(columns.user, &mut raw, rows, "user", |row, value| row.user = value.checked_sub(1))?;
    narrow(columns.prompt_tokens, &mut raw, rows, "prompt_tokens", |row, value| row.prompt_tokens = value)?;
    narrow(columns.output_tokens, &mut raw, rows, "output_tokens", |row, value| row.output_tokens = value)?;
    if columns.service_us {
        for (index, row) in rows.iter_mut().enumerate() {
            row.service_us = take(&mut raw, index, "service_us")?;
        }
    }
    narrow(columns.reused_tokens, &mut raw, rows, "reused_tokens", |row, value| row.reused_tokens = value)?;
    if !raw.is_empty() {
        return Err(Fault {
            row: None,
            reason: format!("{} bytes are left after the last column", raw.len()),
        });
    }
    let mut previous_us = previous_us;
    for (index, row) in rows.iter().enumerate() {
        if let Some(reason) = row.fault(header, previous_us) {
            return Err(Fault::row(index, reason));
        }
        previous_us = row.time_us;
    }
    Ok(())
}

/// What is wrong with an unpacked block, and the row within it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) row: Option<u32>,
    pub(super) reason: String,
}

impl Fault {
    fn row(index: usize, reason: String) -> Self {
        Self { row: Some(index as u32), reason }
    }
}

/// Reads a column of integers of 32 bits, if it is present.
fn narrow(
    present: bool,
    raw: &mut &[u8],
    rows: &mut [Request],
    name: &'static str,
    set: fn(&mut Request, u32),
) -> Result<(), Fault> {
    if present {
        for (index, row) in rows.iter_mut().enumerate() {
            let value = take(raw, index, name)?;
            let value = u32::try_from(value).map_err(|_| {
                Fault::row(index, format!("{name} is {value}, allowed are 0 to {}", u32::MAX))
            })?;
            set(row, value);
        }
    }
    Ok(())
}

fn take(raw: &mut &[u8], index: usize, column: &'static str) -> Result<u64, Fault> {
    varint::take(raw).map_err(|fault| {
        let reason = match fault {
            varint::Fault::Ends => format!("the block ends inside column {column}"),
            varint::Fault::NotShortest => format!("{column} is not in the shortest form"),
            varint::Fault::TooLarge => format!("{column} does not fit in 64 bits"),
        };
        Fault::row(index, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_that_is_none_is_named_with_its_row_and_column() {
        for (bytes, expected) in
            [(&[0x80][..], "ends inside"), (&[0x80; 11], "64 bits"), (&[0x81, 0], "shortest")]
        {
            let fault = take(&mut &bytes[..], 4, "user").unwrap_err();
            assert_eq!(fault.row, Some(4));
            assert!(fault.reason.contains(expected) && fault.reason.contains("user"), "{}", fault.reason);
        }
    }

    #[test]
    fn bounds_of_a_block_hold_for_its_extremes() {
        let columns = Columns { model: true, service_us: true, ..Columns::default() };
        assert_eq!(raw_bytes_range(columns, 2), (6, 2 * (10 + 5 + 10)));
        let most = Request {
            time_us: u64::MAX,
            service_us: u64::MAX,
            model: Some(u32::MAX - 2),
            ..Request::default()
        };
        let mut raw = Vec::new();
        encode(columns, &[most], &mut raw);
        assert_eq!(raw.len() as u32, raw_bytes_range(columns, 1).1);
    }
}
