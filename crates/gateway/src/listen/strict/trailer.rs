//! Looks whether the trailers of an HTTP/2 request begin with a pseudo-header.
//!
//! Such trailers are malformed (RFC 9113 section 8.1), and the parser behind us drops the field in silence. All
//! pseudo-headers stand first in a block (section 8.3), so that the first field decides. Caveat: one that stands in the
//! dynamic table is not seen here, since that would take a decoder of our own.

/// The beginning of a HEADERS frame that has trailers.
#[derive(Clone, Debug)]
pub(super) struct Trailer {
    /// How many bytes of padding length and priority come first.
    before: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In front of the first field, or of a change of the table's size.
    Field,
    /// Within a number that goes on (RFC 7541 section 5.1): the size of the table.
    Size,
    /// In front of the length of a name.
    Length,
    /// In front of the first letter of a name, which may be compressed.
    Name { compressed: bool },
    /// The first field is an ordinary one.
    Fine,
}

impl Trailer {
    /// The contents of a frame with these flags come next.
    pub(super) fn new(flags: u8) -> Self {
        let padding = usize::from(flags & PADDED != 0);
        let priority = if flags & PRIORITIZED != 0 { 5 } else { 0 };
        Self { before: padding + priority, place: Place::Field }
    }

    /// Reads on; false where a pseudo-header stands.
    pub(super) fn read(&mut self, contents: &[u8]) -> bool {
        let skipped = self.before.min(contents.len());
        self.before -= skipped;
        for byte in contents.get(skipped..).unwrap_or_default() {
            self.place = match (self.place, *byte) {
                (Place::Fine, _) => return true,
                // A field of the table, with or without its value: the first fourteen of it are pseudo-headers.
                (Place::Field, 0x81..=0x8E | 0x41..=0x4E | 0x01..=0x0E | 0x11..=0x1E) => return false,
                (Place::Field, 0x3F) => Place::Size,
                (Place::Field, 0x20..=0x3E) => Place::Field,
                (Place::Field, 0x00 | 0x10 | 0x40) => Place::Length,
                (Place::Field, _) => Place::Fine,
                (Place::Size, 0x80..) => Place::Size,
                (Place::Size, _) => Place::Field,
                // Nothing is shorter than a letter, and a long length goes on behind its first byte.
                (Place::Length, 0x7F | 0x80 | 0xFF | 0) => Place::Fine,
                (Place::Length, byte) => Place::Name { compressed: byte & 0x80 != 0 },
                // The code of a colon is the seven bits 1011100.
                (Place::Name { compressed: true }, 0xB8 | 0xB9) | (Place::Name { compressed: false }, b':') => {
                    return false;
                }
                (Place::Name { .. }, _) => Place::Fine,
            };
        }
        true
    }
}

const PADDED: u8 = 8;
const PRIORITIZED: u8 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_decides() {
        for (name, flags, contents, is_fine) in [
            ("nothing", 0, &b""[..], true),
            ("a new name", 0, b"\x00\x01x\x01y", true),
            ("a new name that is kept", 0, b"\x40\x01x\x01y", true),
            ("a compressed name", 0, b"\x00\x81\xF3\x01y", true),
            ("a name of the table", 0, b"\x0F\x00\x01y", true),
            ("a field of the table", 0, b"\x90", true),
            ("a field of the dynamic table", 0, b"\xBE", true),
            ("`:method: GET`", 0, b"\x82", false),
            ("`:path` with a value", 0, b"\x04\x02/a", false),
            ("the same, never to be kept", 0, b"\x14\x02/a", false),
            ("the same, kept", 0, b"\x44\x02/a", false),
            ("`:status`", 0, b"\x88", false),
            ("a new name with a colon", 0, b"\x00\x05:path\x01/", false),
            ("the same compressed", 0, b"\x00\x84\xB9\x58\xD3\x3F\x01/", false),
            ("behind a size of the table", 0, b"\x20\x3F\xE1\x1F\x82", false),
            ("an ordinary one behind it", 0, b"\x20\x3F\xE1\x1F\x90", true),
            ("behind padding", 8, b"\x01\x82\x00", false),
            ("behind padding and priority", 40, b"\x82\x82\x82\x82\x82\x82\x90", true),
        ] {
            assert_eq!(Trailer::new(flags).read(contents), is_fine, "{name}");
            let mut trailer = Trailer::new(flags);
            assert_eq!(contents.iter().all(|byte| trailer.read(&[*byte])), is_fine, "{name}, byte by byte");
        }
    }
}
