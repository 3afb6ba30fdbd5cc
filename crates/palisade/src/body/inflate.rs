//! Decodes a compressed body as it arrives, and stops where it would become more than anyone asked for.
//!
//! 1. One member of gzip (RFC 1952) or one stream of zlib, which HTTP calls `deflate` (RFC 9110 section 8.4.1.2).
//! 2. The decoded body is at most `max` bytes, and behind its first 64 KiB at most `ratio` times the encoded one.
//! 3. It must be whole: checksums are compared, the end must have come, and nothing may stand behind it.
//!
//! At most 16 KiB are decoded at a time, so that a small piece of input cannot fill the memory.
//!
//! ```
//! use bytes::Bytes;
//! use palisade::body::inflate::{Bounds, Coding, Inflate};
//!
//! // What gzip makes of the text `hello`.
//! let mut encoded = Bytes::from_static(
//!     b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00",
//! );
//! let mut inflate = Inflate::new(Coding::Gzip, Bounds { max: 100, ratio: 100 });
//! assert_eq!(inflate.step(&mut encoded)?.as_deref(), Some(&b"hello"[..]));
//! assert_eq!(inflate.step(&mut encoded)?, None);
//! inflate.finish()?;
//! # Ok::<(), palisade::body::BodyFault>(())
//! ```

use std::fmt;

use bytes::{Buf as _, Bytes};
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::BodyFault;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `deflate`: deflate within zlib (RFC 1950).
    Deflate,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Coding {
    /// The name in `Content-Encoding`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
        }
    }

    /// Reads a name in any case; `x-gzip` is another one for `gzip` (RFC 9110 section 8.4.1.3).
    pub fn parse(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
            Some(Self::Gzip)
        } else if name.eq_ignore_ascii_case(b"deflate") {
            Some(Self::Deflate)
        } else {
            None
        }
    }
}

/// How much may come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest decoded body, in bytes.
    pub max: usize,
    /// How many times the encoded bytes the decoded ones may be.
    pub ratio: u32,
}

/// A body that is being decoded.
pub struct Inflate {
    place: Place,
    stream: Decompress,
    crc: Crc,
    /// The bytes of a gzip header or trailer that have come.
    held: Vec<u8>,
    encoded: u64,
    decoded: u64,
    bounds: Bounds,
    coding: Coding,
}

/// Where in the format the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    Data,
    Trailer,
    End,
}

impl Inflate {
    /// Begins to decode.
    pub fn new(coding: Coding, bounds: Bounds) -> Self {
        let (place, zlib) = match coding {
            Coding::Deflate => (Place::Data, true),
            Coding::Gzip => (Place::Header, false),
        };
        let stream = Decompress::new(zlib);
        Self { place, stream, crc: Crc::new(), held: Vec::new(), encoded: 0, decoded: 0, bounds, coding }
    }

    /// Decodes some more and takes what it has used off `input`. `None` asks for more input.
    pub fn step(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, BodyFault> {
        loop {
            let before = input.len();
            let decoded = match self.place {
                Place::Header => self.header(input)?,
                Place::Data => self.data(input)?,
                Place::Trailer => self.trailer(input)?,
                Place::End if input.is_empty() => return Ok(None),
                Place::End => return Err(malformed("something stands behind its end")),
            };
            self.encoded += (before - input.len()) as u64;
            if let Some(decoded) = decoded {
                return self.within_bounds(decoded).map(Some);
            }
            // A part that needs more has taken all there was; one that ended has left the rest to the next.
            if input.is_empty() && self.place != Place::End {
                return Ok(None);
            }
        }
    }

    /// That the body has come to its end.
    pub fn finish(&self) -> Result<(), BodyFault> {
        if self.place == Place::End { Ok(()) } else { Err(malformed("it breaks off")) }
    }

    fn header(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, BodyFault> {
        let taken = input.len().min(MAX_HEADER - self.held.len());
        self.held.extend_from_slice(&input.split_to(taken));
        match header_length(&self.held)? {
            Some(length) => {
                // What was taken too much goes back in front.
                let rest = Bytes::from(self.held.split_off(length));
                if !rest.is_empty() {
                    *input = if input.is_empty() { rest } else { [&rest[..], input].concat().into() };
                }
                self.held.clear();
                self.place = Place::Data;
                Ok(None)
            }
            None if self.held.len() >= MAX_HEADER => Err(malformed("its header is too long")),
            None => Ok(None),
        }
    }

    fn data(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, BodyFault> {
        let mut output = Vec::with_capacity(CHUNK);
        let read = self.stream.total_in();
        let status = self.stream.decompress_vec(input, &mut output, FlushDecompress::None);
        let status = status.map_err(|_| malformed("its data is damaged"))?;
        let read = usize::try_from(self.stream.total_in() - read).unwrap_or(usize::MAX).min(input.len());
        input.advance(read);
        if status == Status::StreamEnd {
            self.place = match self.coding {
                // The checksum of zlib has been compared within the stream.
                Coding::Deflate => Place::End,
                Coding::Gzip => Place::Trailer,
            };
        } else if read == 0 && output.is_empty() && !input.is_empty() {
            return Err(malformed("its data does not go on"));
        }
        self.crc.update(&output);
        Ok((!output.is_empty()).then(|| output.into()))
    }

    fn trailer(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, BodyFault> {
        let taken = input.len().min(TRAILER - self.held.len());
        self.held.extend_from_slice(&input.split_to(taken));
        if self.held.len() == TRAILER {
            // The length is told modulo 2^32.
            let expect = [self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()].concat();
            if self.held != expect {
                return Err(malformed("its checksum is wrong"));
            }
            self.place = Place::End;
        }
        Ok(None)
    }

    fn within_bounds(&mut self, decoded: Bytes) -> Result<Bytes, BodyFault> {
        self.decoded += decoded.len() as u64;
        if self.decoded > self.bounds.max as u64 {
            return Err(BodyFault::TooLarge { limit: self.bounds.max });
        }
        let most = self.encoded.saturating_mul(self.bounds.ratio.into());
        if self.decoded > FREE && self.decoded > most {
            return Err(BodyFault::Inflated { ratio: self.bounds.ratio });
        }
        Ok(decoded)
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate").field("coding", &self.coding).field("place", &self.place).finish_non_exhaustive()
    }
}

fn malformed(what: &'static str) -> BodyFault {
    BodyFault::Malformed { what }
}

/// The length of a gzip header, once all of it is there (RFC 1952 section 2.3).
fn header_length(bytes: &[u8]) -> Result<Option<usize>, BodyFault> {
    let magic = [0x1f, 0x8b, 8];
    if !bytes.iter().zip(magic).all(|(byte, expect)| *byte == expect) {
        return Err(malformed("it does not begin as gzip does"));
    }
    let Some(flags) = bytes.get(3).copied() else { return Ok(None) };
    if flags & RESERVED != 0 {
        return Err(malformed("its header has flags that nobody knows"));
    }
    let mut length = FIXED_HEADER;
    if flags & EXTRA != 0 {
        let (Some(low), Some(high)) = (bytes.get(length), bytes.get(length + 1)) else { return Ok(None) };
        length += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let Some(end) = bytes.iter().skip(length).position(|byte| *byte == 0) else { return Ok(None) };
            length += end + 1;
        }
    }
    if flags & CHECKSUM != 0 {
        length += 2;
    }
    // The checksum of the header is not compared: nothing in the header is used.
    Ok((bytes.len() >= length).then_some(length))
}

/// How much is decoded at a time.
const CHUNK: usize = 16 << 10;

/// Up to here a body may be anything of its encoded form: short texts of one letter are honest.
const FREE: u64 = 64 << 10;

/// The longest gzip header, with its name and comment.
const MAX_HEADER: usize = 1024;
const FIXED_HEADER: usize = 10;
const TRAILER: usize = 8;

const CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::{GzEncoder, ZlibEncoder};
    use flate2::{Compression, GzBuilder};
    use proptest::prelude::*;

    use super::*;

    const WIDE: Bounds = Bounds { max: 1 << 30, ratio: 2000 };

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// Decodes input that arrives in pieces of these lengths, over and over.
    fn decode(coding: Coding, encoded: &[u8], bounds: Bounds, pieces: &[usize]) -> Result<Vec<u8>, BodyFault> {
        let (mut inflate, mut plain, mut rest) = (Inflate::new(coding, bounds), Vec::new(), encoded);
        for length in pieces.iter().cycle() {
            let (piece, others) = rest.split_at((*length).min(rest.len()));
            rest = others;
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(decoded) = inflate.step(&mut input)? {
                assert!(decoded.len() <= CHUNK, "no more than a chunk at a time");
                plain.extend_from_slice(&decoded);
            }
            assert!(input.is_empty(), "what asks for more has taken all");
            if rest.is_empty() {
                break;
            }
        }
        inflate.finish().map(|()| plain)
    }

    fn refusal(coding: Coding, encoded: &[u8], bounds: Bounds) -> Option<BodyFault> {
        decode(coding, encoded, bounds, &[7]).err()
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            plain in prop::collection::vec(any::<u8>(), 0..5000), times in 1usize..20,
            pieces in prop::collection::vec(1usize..3000, 1..10),
        ) {
            let plain = plain.repeat(times);
            prop_assert_eq!(&decode(Coding::Gzip, &gzip(&plain), WIDE, &pieces).unwrap(), &plain);
            prop_assert_eq!(&decode(Coding::Deflate, &zlib(&plain), WIDE, &pieces).unwrap(), &plain);
        }

        #[test]
        fn one_changed_byte_changes_nothing_or_is_refused(
            plain in prop::collection::vec(any::<u8>(), 1..500), at in any::<prop::sample::Index>(), bit in 0u32..8,
        ) {
            for (coding, mut encoded) in [(Coding::Gzip, gzip(&plain)), (Coding::Deflate, zlib(&plain))] {
                let at = at.index(encoded.len());
                encoded[at] ^= 1 << bit;
                if let Ok(decoded) = decode(coding, &encoded, WIDE, &[64]) {
                    prop_assert_eq!(&decoded, &plain, "{:?} {}", coding, at);
                }
            }
        }

        #[test]
        fn a_part_is_refused(
            plain in prop::collection::vec(any::<u8>(), 0..500), cut in any::<prop::sample::Index>(),
        ) {
            for (coding, encoded) in [(Coding::Gzip, gzip(&plain)), (Coding::Deflate, zlib(&plain))] {
                let part = &encoded[..cut.index(encoded.len())];
                prop_assert!(decode(coding, part, WIDE, &[64]).is_err());
            }
        }

        #[test]
        fn any_bytes_are_answered_and_never_beyond_the_bounds(
            encoded in prop::collection::vec(any::<u8>(), 0..2000), pieces in prop::collection::vec(1usize..200, 1..5),
        ) {
            let mut gzipped = gzip(b"")[..10].to_vec();
            gzipped.extend_from_slice(&encoded);
            for (coding, encoded) in [(Coding::Gzip, &gzipped), (Coding::Gzip, &encoded), (Coding::Deflate, &encoded)] {
                if let Ok(plain) = decode(coding, encoded, Bounds { max: 1000, ratio: 3 }, &pieces) {
                    prop_assert!(plain.len() <= 1000);
                }
            }
        }
    }

    #[test]
    fn bombs_are_stopped_early() {
        let zeros = vec![0; 10 << 20];
        for (coding, encoded) in [(Coding::Gzip, gzip(&zeros)), (Coding::Deflate, zlib(&zeros))] {
            assert!(encoded.len() < 20_000, "a thousand to one");
            let by_size = refusal(coding, &encoded, Bounds { max: 1 << 20, ratio: 2000 });
            assert_eq!(by_size, Some(BodyFault::TooLarge { limit: 1 << 20 }));
            let by_ratio = refusal(coding, &encoded, Bounds { max: 1 << 30, ratio: 100 });
            assert_eq!(by_ratio, Some(BodyFault::Inflated { ratio: 100 }));
            assert_eq!(refusal(coding, &encoded, WIDE), None, "who wants it can have it");
        }
        let short = vec![b'a'; 60 << 10];
        assert_eq!(
            refusal(Coding::Gzip, &gzip(&short), Bounds { max: 1 << 20, ratio: 1 }),
            None,
            "short texts are honest"
        );
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let plain = b"a text that is long enough to be compressed, compressed, compressed";
        let (gz, zl) = (gzip(plain), zlib(plain));
        let change = |encoded: &[u8], at: usize| {
            let mut changed = encoded.to_vec();
            changed[at] ^= 1;
            changed
        };
        let twice = [gz.clone(), gz.clone()].concat();
        let tail = [zl.clone(), b"x".to_vec()].concat();
        let crc = change(&gz, gz.len() - 8);
        let length = change(&gz, gz.len() - 1);
        let adler = change(&zl, zl.len() - 1);
        let reserved = [&gz[..3], &[0x20], &gz[4..]].concat();
        let dictionary = [&[0x78, 0xbb], &zl[2..]].concat();
        let endless = [&gz[..3], &[NAME], &gz[4..10], &[b'a'; 2000]].concat();
        for (coding, encoded, what) in [
            (Coding::Gzip, &gz[..0], "it breaks off"),
            (Coding::Gzip, &gz[..gz.len() - 1], "it breaks off"),
            (Coding::Gzip, &twice, "something stands behind its end"),
            (Coding::Gzip, &crc, "its checksum is wrong"),
            (Coding::Gzip, &length, "its checksum is wrong"),
            (Coding::Gzip, &zl, "it does not begin as gzip does"),
            (Coding::Gzip, &plain[..], "it does not begin as gzip does"),
            (Coding::Gzip, &reserved, "its header has flags that nobody knows"),
            (Coding::Gzip, &endless, "its header is too long"),
            (Coding::Deflate, &zl[..zl.len() - 1], "it breaks off"),
            (Coding::Deflate, &tail, "something stands behind its end"),
            (Coding::Deflate, &adler, "its data is damaged"),
            (Coding::Deflate, &gz, "its data is damaged"),
            (Coding::Deflate, &zl[2..], "its data is damaged"),
            (Coding::Deflate, &dictionary, "its data is damaged"),
        ] {
            assert_eq!(refusal(coding, encoded, WIDE), Some(malformed(what)), "{coding:?} {encoded:?}");
        }
    }

    #[test]
    fn every_field_of_a_gzip_header_is_skipped() {
        let builder = GzBuilder::new().extra(vec![0; 300]).filename("a.txt").comment("with everything").mtime(1);
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(b"hello").unwrap();
        let mut encoded = encoder.finish().unwrap();
        for pieces in [&[1][..], &[5000], &[9, 2, 300]] {
            assert_eq!(decode(Coding::Gzip, &encoded, WIDE, pieces).unwrap(), b"hello");
        }
        // And one with a checksum of the header.
        encoded = gzip(b"hello");
        encoded[3] |= CHECKSUM;
        encoded.splice(10..10, [0, 0]);
        assert_eq!(decode(Coding::Gzip, &encoded, WIDE, &[3]).unwrap(), b"hello");
    }
}
