//! A compressed body stays within its bounds however it is cut, and what passes is what another decoder makes of it.
#![no_main]

use std::io::Read as _;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use palisade::body::BodyFault;
use palisade::body::inflate::{Bounds, Coding, Inflate};

const BOUNDS: Bounds = Bounds { max: 1 << 20, ratio: 100 };

fuzz_target!(|encoded: &[u8]| {
    let coding = if encoded.starts_with(&[0x1f]) { Coding::Gzip } else { Coding::Deflate };
    let whole = decode(coding, encoded, encoded.len().max(1));
    let cut = decode(coding, encoded, encoded.len() % 61 + 1);
    match (whole, cut) {
        (Ok(whole), Ok(cut)) => {
            assert_eq!(whole, cut, "it does not matter how it arrives");
            assert!(whole.len() <= BOUNDS.max);
            let mut other = Vec::new();
            let read = match coding {
                Coding::Gzip => flate2::read::GzDecoder::new(encoded).read_to_end(&mut other),
                Coding::Deflate => flate2::read::ZlibDecoder::new(encoded).read_to_end(&mut other),
            };
            // A checksum of the header is not compared here.
            if read.is_ok() {
                assert_eq!(whole, other);
            }
        }
        // How much has been read when a piece comes out depends on how it arrives, and so does the ratio at that moment.
        (Err(BodyFault::Inflated { .. }), _) | (_, Err(BodyFault::Inflated { .. })) => {}
        (whole, cut) => assert!(whole.is_err() && cut.is_err(), "{whole:?} {cut:?}"),
    }
});

fn decode(coding: Coding, encoded: &[u8], piece: usize) -> Result<Vec<u8>, BodyFault> {
    let (mut inflate, mut plain) = (Inflate::new(coding, BOUNDS), Vec::new());
    for piece in encoded.chunks(piece) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(decoded) = inflate.step(&mut input)? {
            assert!(!decoded.is_empty() && decoded.len() <= 16 << 10);
            plain.extend_from_slice(&decoded);
        }
        assert!(input.is_empty());
    }
    inflate.finish().map(|()| plain)
}
