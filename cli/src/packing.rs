//! Packed files, told by their first bytes: gzip (RFC 1952) and Zstandard (RFC 8878). Anything else is read as it is.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, BufRead, ErrorKind, Read};
use std::iter;

/// The bytes of a source, unpacked while they are read.
///
/// # Errors
/// When the source cannot be read. Damage is an error of the reader: cut off, or a checksum that does not hold.
pub(crate) fn unpacked<'a>(mut source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match source.fill_buf()? {
        [0x1f, 0x8b, 8, ..] => Box::new(MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Box::new(Frames { source, decoder: FrameDecoder::new(), is_within: false })
        }
        _ => Box::new(source),
    })
}

/// Zstandard frames behind each other, their checksums compared.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    is_within: bool,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame, or passes over one that is to be skipped.
    fn begin(&mut self) -> io::Result<()> {
        match self.decoder.reset(&mut self.source) {
            Ok(()) => self.is_within = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let skipped = &mut self.source.by_ref().take(length.into());
                if io::copy(skipped, &mut io::sink())? < length.into() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_))) => {
                return Err(damaged("what follows a frame is no other frame"));
            }
            Err(error) => return Err(refused(&error)),
        }
        Ok(())
    }

    /// Ends a frame whose bytes have all been taken.
    fn end(&mut self) -> io::Result<()> {
        let recorded = self.decoder.get_checksum_from_data();
        if recorded.is_some() && recorded != self.decoder.get_calculated_checksum() {
            return Err(damaged("the checksum of a frame does not hold"));
        }
        self.is_within = false;
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_within {
                if buffer.is_empty() || self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin()?;
            } else if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            } else if self.decoder.is_finished() {
                self.end()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(|error| refused(&error))?;
            }
        }
    }
}

/// What a decoder says: that its source ended, or what is wrong.
fn refused(error: &FrameDecoderError) -> io::Error {
    let causes = iter::successors(Some(error as &dyn Error), |&error| error.source());
    let is_end = |cause: &io::Error| cause.kind() == ErrorKind::UnexpectedEof;
    if causes.filter_map(|cause| cause.downcast_ref()).any(is_end) {
        return io::Error::new(ErrorKind::UnexpectedEof, "the Zstandard file was cut off");
    }
    if let FrameDecoderError::WindowSizeTooBig { requested, max } = error {
        let reason =
            format!("a Zstandard window of {requested} bytes, {max} are allowed; pack it without --long");
        return io::Error::new(ErrorKind::InvalidData, reason);
    }
    damaged(error)
}

fn damaged(reason: impl Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("damaged Zstandard: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        unpacked(bytes)?.read_to_end(&mut read).map(|_| read)
    }

    fn frame(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    #[test]
    fn frames_behind_each_other_are_one_text_and_others_are_skipped() {
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        let twos = vec![b'2'; 300_000];
        let packed = [frame(b"one, "), skipped.clone(), frame(&twos)].concat();
        assert_eq!(read(&packed).unwrap(), [&b"one, "[..], &twos].concat());
        assert_eq!(read(&[skipped.clone(), frame(b"x")].concat()).unwrap(), b"x");
        assert_eq!(read(&skipped[..9]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        // A head that asks for a window of 256 MiB.
        let wide = read(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 0, 0, 0]).unwrap_err().to_string();
        assert!(wide.contains("268435456 bytes, 134217728 are allowed"), "{wide}");
        assert_eq!(read(b"(plain").unwrap(), b"(plain");
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn every_byte_that_is_changed_or_cut_off_is_an_error_or_says_the_same() {
        let text: Vec<u8> = (0..2000_u32).flat_map(|number| (number * number % 97).to_le_bytes()).collect();
        let packed = frame(&text);
        let mut changes = 0;
        for at in 4..packed.len() {
            let mut other = packed.clone();
            other[at] ^= 0x10;
            let found = read(&other);
            changes += usize::from(found.is_err());
            assert!(found.is_err() || found.unwrap() == text, "byte {at}");
            assert!(read(&packed[..at]).is_err(), "cut at {at}");
        }
        assert!(changes > 9 * packed.len() / 10, "{changes} of {}", packed.len());
    }
}
