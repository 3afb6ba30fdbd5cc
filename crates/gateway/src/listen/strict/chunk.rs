//! The chunks of a body (RFC 9112 section 7.1), of which every byte has one reading or is refused.

use super::head::is_token_byte;

/// Where in a chunked body the last byte was.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    place: Place,
    /// How many more bytes of extensions and trailers may come.
    overhead: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Complete,
    Data(u64),
    DataCr,
    DataLf,
    Extension {
        size: u64,
    },
    /// In front of a trailer, or of the empty line that ends the body.
    Line,
    LastLf,
    Name,
    Size {
        digits: u8,
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Value,
    ValueLf,
}

impl Chunks {
    /// A body of which no byte has come.
    pub(super) fn new(overhead: usize) -> Self {
        Self { place: Place::Size { digits: 0, size: 0 }, overhead }
    }

    /// Whether the body has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.place == Place::Complete
    }

    /// Reads to the end of the body or of the bytes: how many belong to it, or how many do before one breaks a rule.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, (usize, &'static str)> {
        let mut taken = 0;
        while let (Some(byte), false) = (bytes.get(taken), self.is_complete()) {
            if let Place::Data(left) = self.place {
                let there = bytes.len() - taken;
                let some = usize::try_from(left).map_or(there, |left| left.min(there));
                let left = left - some as u64;
                self.place = if left == 0 { Place::DataCr } else { Place::Data(left) };
                taken += some;
            } else {
                self.step(*byte).map_err(|reason| (taken, reason))?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        if matches!(self.place, Place::Extension { .. } | Place::Line | Place::Name | Place::Value) {
            self.overhead = self.overhead.checked_sub(1).ok_or("chunk_overhead_too_large")?;
        }
        self.place = match (self.place, byte) {
            (Place::Size { digits, size }, _) => read_size(digits, size, byte)?,
            (Place::Extension { size }, b'\r') => Place::SizeLf { size },
            (Place::Extension { .. } | Place::Value, _) if is_text(byte)? => self.place,
            (Place::SizeLf { size: 0 }, b'\n') => Place::Line,
            (Place::SizeLf { size }, b'\n') => Place::Data(size),
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size { digits: 0, size: 0 },
            (Place::DataCr | Place::DataLf, _) => return Err("chunk_end_missing"),
            (Place::Line, b'\r') => Place::LastLf,
            (Place::Line, b' ' | b'\t') => return Err("folded_line"),
            (Place::Line | Place::Name, b'\n') => return Err("bare_line_feed"),
            (Place::Line, _) if is_token_byte(byte) => Place::Name,
            (Place::Name, b':') => Place::Value,
            (Place::Name, b'\r') => return Err("field_without_colon"),
            (Place::Name, _) if is_token_byte(byte) => Place::Name,
            (Place::Line | Place::Name, _) => return Err("field_name_invalid"),
            (Place::Value, _) => Place::ValueLf,
            (Place::ValueLf, b'\n') => Place::Line,
            (Place::LastLf, b'\n') => Place::Complete,
            (Place::SizeLf { .. } | Place::ValueLf | Place::LastLf, _) => return Err("bare_carriage_return"),
            (place @ (Place::Complete | Place::Data(_) | Place::Extension { .. }), _) => place,
        };
        Ok(())
    }
}

/// Hexadecimal digits, no white space, and no more than any reader can hold.
fn read_size(digits: u8, size: u64, byte: u8) -> Result<Place, &'static str> {
    match (char::from(byte).to_digit(16), byte) {
        (Some(digit), _) if digits < MAX_DIGITS => {
            Ok(Place::Size { digits: digits + 1, size: size << 4 | u64::from(digit) })
        }
        (None, b'\r') if digits > 0 => Ok(Place::SizeLf { size }),
        (None, b';') if digits > 0 => Ok(Place::Extension { size }),
        (None, b'\n') if digits > 0 => Err("bare_line_feed"),
        _ => Err("chunk_size_invalid"),
    }
}

/// Whether a byte is text; a carriage return is not, but may end it.
fn is_text(byte: u8) -> Result<bool, &'static str> {
    match byte {
        b'\r' => Ok(false),
        b'\n' => Err("bare_line_feed"),
        b'\t' => Ok(true),
        0x7F | 0..b' ' => Err("control_character"),
        _ => Ok(true),
    }
}

/// 60 bits: what fits into a signed number of 64, with room for sums.
const MAX_DIGITS: u8 = 15;
