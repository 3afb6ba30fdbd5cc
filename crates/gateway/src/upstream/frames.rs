//! Follows the frames of a WebSocket without reading what is in them, to know where one may be added.
//!
//! A frame begins with two bytes: the second says whether its payload is masked and how long it is, or that the length
//! stands in the next two or eight bytes (RFC 6455 section 5.2). Nothing else of a frame matters here.

/// The place in one direction of a socket.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    head: [u8; 14],
    /// How much of the head of a frame there is.
    filled: usize,
    /// How much of its payload is still to come.
    left: u64,
    closing: bool,
}

impl Frames {
    /// Takes note of bytes that pass.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let step = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left -= step as u64;
                bytes = bytes.get(step..).unwrap_or_default();
                continue;
            }
            let (Some((first, rest)), Some(slot)) = (bytes.split_first(), self.head.get_mut(self.filled)) else {
                return;
            };
            *slot = *first;
            self.filled += 1;
            bytes = rest;
            if self.filled == self.head_length() {
                self.left = self.payload_length();
                self.closing |= self.head.first().is_some_and(|first| first & 0x0f == CLOSE);
                self.filled = 0;
            }
        }
    }

    /// Whether a frame of our own may come next: between two frames, and before the one that closes.
    pub fn may_add(&self) -> bool {
        self.filled == 0 && self.left == 0 && !self.closing
    }

    /// Whether the frame that closes has begun.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    fn head_length(&self) -> usize {
        let [_, second, ..] = self.head;
        if self.filled < 2 {
            return 2;
        }
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        2 + mask
            + match second & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            }
    }

    fn payload_length(&self) -> u64 {
        let [_, second, a, b, c, d, e, f, g, h, ..] = self.head;
        match second & 0x7f {
            126 => u16::from_be_bytes([a, b]).into(),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => short.into(),
        }
    }
}

const CLOSE: u8 = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame with a payload of so many bytes.
    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = vec![opcode];
        match length {
            0..126 => bytes.push(mask | u8::try_from(length).unwrap()),
            126..0x1_0000 => {
                bytes.push(mask | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(vec![0x88; length + if masked { 4 } else { 0 }]);
        bytes
    }

    proptest! {
        #[test]
        fn knows_the_borders_however_the_bytes_come(
            frames in prop::collection::vec((prop::sample::select(vec![0x81u8, 0x02, 0x00, 0x89]), any::<bool>(),
                prop::sample::select(vec![0usize, 1, 125, 126, 127, 65_535, 65_536])), 1..6),
            pieces in prop::collection::vec(1usize..5_000, 1..5),
        ) {
            let all: Vec<Vec<u8>> = frames.iter().map(|(opcode, masked, length)| frame(*opcode, *masked, *length)).collect();
            let (mut tracker, mut passed, mut sizes) = (Frames::default(), 0, pieces.iter().cycle());
            let bytes = all.concat();
            let borders: Vec<usize> = all.iter().scan(0, |at, frame| { *at += frame.len(); Some(*at) }).collect();
            while passed < bytes.len() {
                let end = (passed + sizes.next().unwrap()).min(bytes.len());
                tracker.pass(&bytes[passed..end]);
                passed = end;
                prop_assert_eq!(tracker.may_add(), borders.contains(&passed), "{} of {}", passed, bytes.len());
            }
            tracker.pass(&frame(0x88, false, 2));
            prop_assert!(tracker.is_closing() && !tracker.may_add());
        }

        #[test]
        fn takes_any_bytes(bytes: Vec<u8>) {
            Frames::default().pass(&bytes);
        }
    }
}
