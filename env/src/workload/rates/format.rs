//! The `.tcr` format, byte by byte: `docs/trace-format.md` says the same.
//!
//! All integers and floats are little-endian:
//! ```text
//! prefix   magic [u8; 8], version u16, reserved u16 (0), header_bytes u32
//! header   JSON text: source, period_s, clients, rows
//! body     packed_bytes u32, packed [u8; packed_bytes] (deflate)
//! trailer  crc32 u32 of everything before it
//! ```
//! Unpacked, the body is five columns one after the other: client u32, period u32, family u8 (0 gamma, 1 Weibull), rate f64,
//! coefficient of variation f64; rows in order of client and period.
//!
//! *Limits.* Every declared length has a largest value, checked before anything is allocated.

use std::io::{Read, Write};

use crc32fast::Hasher;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use super::{Client, ClientRates, Family, MAX_ROWS, Rate};
use crate::workload::trace::{Section, TraceError};

/// The first bytes of every recording of rates.
pub const MAGIC: [u8; 8] = *b"\x89TCR\r\n\x1a\n";
/// The version that is written and read.
pub const VERSION: u16 = 1;
/// The longest header, bytes of JSON.
const MAX_HEADER_BYTES: u32 = 1 << 23;
/// Bytes of a row before they are packed.
const ROW_BYTES: usize = 25;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    source: String,
    period_s: u32,
    clients: Vec<Client>,
    rows: u32,
}

impl ClientRates {
    /// Writes the recording and gives the sink back, flushed.
    ///
    /// # Errors
    /// [`TraceError::Io`] when the sink fails; [`TraceError::LimitExceeded`] for names that are too long together.
    pub fn write<W: Write>(&self, mut sink: W) -> Result<W, TraceError> {
        let header = Header {
            source: self.source.clone(),
            period_s: self.period_s,
            clients: self.clients.clone(),
            rows: self.rates.len() as u32,
        };
        let text = serde_json::to_vec(&header)
            .map_err(|error| TraceError::BadHeader { reason: error.to_string() })?;
        within(12, "length of the header", text.len() as u64, MAX_HEADER_BYTES.into())?;
        let io = |source| TraceError::Io { at_byte: 0, source };
        let mut raw = Vec::with_capacity(self.rates.len() * ROW_BYTES);
        self.rates.iter().for_each(|rate| raw.extend_from_slice(&rate.client.to_le_bytes()));
        self.rates.iter().for_each(|rate| raw.extend_from_slice(&rate.period.to_le_bytes()));
        self.rates.iter().for_each(|rate| raw.push(u8::from(rate.family == Family::Weibull)));
        self.rates.iter().for_each(|rate| raw.extend_from_slice(&rate.rate_per_s.to_le_bytes()));
        self.rates.iter().for_each(|rate| raw.extend_from_slice(&rate.cv.to_le_bytes()));
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(&raw).map_err(io)?;
        let packed = deflate.finish().map_err(io)?;
        let mut bytes = Vec::with_capacity(text.len() + packed.len() + 24);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&0_u16.to_le_bytes());
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&text);
        bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&packed);
        let crc = checksum(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        sink.write_all(&bytes).and_then(|()| sink.flush()).map_err(io)?;
        Ok(sink)
    }

    /// Reads a recording to its end.
    ///
    /// # Errors
    /// [`TraceError`] with its place for bytes that are not those of a recording, a damaged or cut one, and as
    /// [`ClientRates::new`].
    pub fn read<R: Read>(source: R) -> Result<Self, TraceError> {
        let mut source = Source { source, bytes: Vec::new() };
        let magic: [u8; 8] = source.array("the magic")?;
        if magic != MAGIC {
            return Err(TraceError::BadMagic { found: magic, expected: MAGIC });
        }
        let version = u16::from_le_bytes(source.array("the version")?);
        if version != VERSION {
            return Err(TraceError::UnsupportedVersion { found: version, supported: VERSION });
        }
        let reserved = u16::from_le_bytes(source.array("a reserved field")?);
        if reserved != 0 {
            return Err(TraceError::ReservedNotZero { at_byte: 10, found: reserved });
        }
        let header_bytes = u32::from_le_bytes(source.array("the length of the header")?);
        within(12, "length of the header", header_bytes.into(), MAX_HEADER_BYTES.into())?;
        let text = source.take(header_bytes, "the header")?;
        let header: Result<Header, _> = serde_json::from_slice(&text);
        let rows = header.as_ref().map_or(MAX_ROWS as u64, |header| u64::from(header.rows));
        let at_byte = source.bytes.len() as u64;
        within(at_byte, "number of rates", rows, MAX_ROWS as u64)?;
        let raw_bytes = rows as usize * ROW_BYTES;
        let packed_bytes = u32::from_le_bytes(source.array("the length of the rates")?);
        let most = (raw_bytes + raw_bytes / 64 + 64) as u64;
        within(at_byte, "length of the rates", packed_bytes.into(), most)?;
        let packed = source.take(packed_bytes, "the rates")?;
        let (at_byte, computed) = (source.bytes.len() as u64, checksum(&source.bytes));
        let stored = u32::from_le_bytes(source.array("the checksum")?);
        if stored != computed {
            return Err(TraceError::ChecksumMismatch { at_byte, section: Section::File, stored, computed });
        }
        let header = header.map_err(|error| TraceError::BadHeader { reason: error.to_string() })?;
        let mut after = [0];
        let at_end = source.bytes.len() as u64;
        let io = |error| TraceError::Io { at_byte: at_end, source: error };
        if source.source.read(&mut after).map_err(io)? > 0 {
            return Err(TraceError::TrailingBytes { at_byte: at_end });
        }
        let mut raw = Vec::new();
        let unpacked = DeflateDecoder::new(&packed[..]).take(raw_bytes as u64 + 1).read_to_end(&mut raw);
        if unpacked.is_err() || raw.len() != raw_bytes {
            let reason = format!("the rates unpack to {} bytes, expected {raw_bytes}", raw.len());
            return Err(TraceError::BadHeader { reason });
        }
        Self::new(header.source, header.period_s, header.clients, rates(&raw, rows as usize)?)
    }
}

/// The rates of an unpacked body of the right length.
fn rates(raw: &[u8], rows: usize) -> Result<Vec<Rate>, TraceError> {
    let column = |begin: usize, width: usize| raw[begin * rows..(begin + width) * rows].chunks_exact(width);
    let integer = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap_or_default());
    let float = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let columns = column(0, 4).zip(column(4, 4)).zip(column(8, 1)).zip(column(9, 8)).zip(column(17, 8));
    columns
        .enumerate()
        .map(|(row, ((((client, period), family), rate_per_s), cv))| {
            let family = match family {
                [0] => Family::Gamma,
                [1] => Family::Weibull,
                other => {
                    let reason = format!("family {other:?}, allowed are 0 (gamma) and 1 (Weibull)");
                    return Err(TraceError::BadRow { row: row as u64, reason });
                }
            };
            Ok(Rate {
                client: integer(client),
                period: integer(period),
                rate_per_s: float(rate_per_s),
                cv: float(cv),
                family,
            })
        })
        .collect()
}

fn within(at_byte: u64, what: &'static str, declared: u64, most: u64) -> Result<(), TraceError> {
    if declared > most {
        return Err(TraceError::LimitExceeded { at_byte, what, declared, least: 1, most });
    }
    Ok(())
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

/// A source with everything that was read of it.
struct Source<R> {
    source: R,
    bytes: Vec<u8>,
}

impl<R: Read> Source<R> {
    fn take(&mut self, length: u32, what: &'static str) -> Result<Vec<u8>, TraceError> {
        let (mut part, at_byte) = (Vec::new(), self.bytes.len() as u64);
        (&mut self.source)
            .take(length.into())
            .read_to_end(&mut part)
            .map_err(|source| TraceError::Io { at_byte, source })?;
        self.bytes.extend_from_slice(&part);
        let missing = u64::from(length) - part.len() as u64;
        if missing > 0 {
            return Err(TraceError::Truncated { at_byte: self.bytes.len() as u64, what, missing });
        }
        Ok(part)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], TraceError> {
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N as u32, what)?);
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::recording;
    use super::*;

    #[test]
    fn a_recording_survives_and_every_damage_and_every_cut_is_an_error() {
        let recording = recording(&[(0, 0, 1.5), (0, 7, 0.25), (1, 3, 900.0), (2, 0, 1e-3)]).unwrap();
        let bytes = recording.write(Vec::new()).unwrap();
        assert_eq!(ClientRates::read(&bytes[..]).unwrap(), recording);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(ClientRates::read(&damaged[..]).is_err(), "byte {at}");
            }
            assert!(ClientRates::read(&bytes[..at]).is_err(), "{at} bytes");
        }
        let long = [&bytes[..], &[0]].concat();
        assert!(matches!(ClientRates::read(&long[..]).unwrap_err(), TraceError::TrailingBytes { .. }));
    }

    #[test]
    fn a_declared_length_is_not_believed() {
        let mut bytes = recording(&[(0, 0, 1.0)]).unwrap().write(Vec::new()).unwrap();
        bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = ClientRates::read(&bytes[..]).unwrap_err().to_string();
        assert_eq!(error, "byte 12: length of the header is 4294967295, allowed are 1 to 8388608");
        let error = ClientRates::read(&b"model,client,t_start_s"[..]).unwrap_err().to_string();
        assert!(error.starts_with("not a trace of this program"), "{error}");
    }
}
