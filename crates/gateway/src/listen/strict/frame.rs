//! Counts the frames of HTTP/2 that ask for work and bring nothing.
//!
//! A ping, a change of settings, a priority, a reset, an empty piece of a body or of a head: each is legal, is cheap to
//! send, and wants to be read, checked and often answered. An honest client sends few of them for each request
//! (RFC 9113 section 10.5). Who has sent more than a burst and goes on faster than a rate is cut off. Only the nine bytes
//! in front of each frame are read here; what they mean is the parser's business, but for two rules that it does not know:
//! the first frame has settings (section 3.4), and trailers have no pseudo-headers (section 8.1).

use tokio::time::Instant;

use super::super::bounds::Http2Bounds;
use super::trailer::Trailer;

/// The frames of one connection.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// How many more bytes of the client's greeting come first.
    greeting: usize,
    head: [u8; 9],
    /// How many of the bytes of `head` have come.
    come: usize,
    /// How many more bytes of the frame's contents come.
    contents: usize,
    /// How many more frames without use may come, and since when.
    left: u32,
    since: Instant,
    burst: u32,
    rate: u32,
    /// Whether a frame has begun.
    begun: bool,
    /// The highest number of a stream that has a head: a second head is its trailers.
    highest: u32,
    /// Trailers that are coming.
    trailer: Option<Trailer>,
}

impl Frames {
    /// No byte has come.
    pub(super) fn new(bounds: &Http2Bounds) -> Self {
        let (burst, rate) = (bounds.control_burst, bounds.control_rate);
        Self {
            greeting: 24,
            head: [0; 9],
            come: 0,
            contents: 0,
            left: burst,
            since: Instant::now(),
            burst,
            rate,
            begun: false,
            highest: 0,
            trailer: None,
        }
    }

    /// Reads on, and says when there were too many.
    pub(super) fn count(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(contents) = skip(&mut self.greeting, rest) else { return Ok(()) };
            if let Some(trailer) = &mut self.trailer
                && !trailer.read(contents.get(..self.contents.min(contents.len())).unwrap_or_default())
            {
                return Err("pseudo_header_in_trailers");
            }
            let Some(later) = skip(&mut self.contents, contents) else { return Ok(()) };
            self.trailer = None;
            rest = later;
            let Some((byte, later)) = rest.split_first() else { return Ok(()) };
            rest = later;
            if let Some(place) = self.head.get_mut(self.come) {
                *place = *byte;
            }
            self.come += 1;
            if self.come == self.head.len() {
                self.come = 0;
                self.begin()?;
            }
        }
        Ok(())
    }

    /// A frame begins whose head has come.
    fn begin(&mut self) -> Result<(), &'static str> {
        let [high, middle, low, kind, flags, stream @ ..] = self.head;
        if !std::mem::replace(&mut self.begun, true) && kind != SETTINGS {
            return Err("no_settings");
        }
        self.contents = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if kind == HEADERS {
            let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
            self.trailer = (stream <= self.highest).then(|| Trailer::new(flags));
            self.highest = self.highest.max(stream);
        }
        let is_useful = match kind {
            DATA | CONTINUATION => self.contents > 0,
            HEADERS | WINDOW_UPDATE => true,
            _ => false,
        };
        if is_useful { Ok(()) } else { self.take() }
    }

    fn take(&mut self) -> Result<(), &'static str> {
        if self.left == 0 {
            let due = self.since.elapsed().as_millis() * u128::from(self.rate) / 1000;
            self.left = u32::try_from(due).unwrap_or(self.burst).min(self.burst);
            self.since = Instant::now();
        }
        self.left = self.left.checked_sub(1).ok_or("too_many_control_frames")?;
        Ok(())
    }
}

/// Skips bytes of which `left` are still to come; `None` when there are no others.
fn skip<'a>(left: &mut usize, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let some = (*left).min(bytes.len());
    *left -= some;
    bytes.get(some..).filter(|rest| !rest.is_empty())
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, contents: usize) -> Vec<u8> {
        let length = u32::try_from(contents).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], &vec![kind; contents][..]].concat()
    }

    fn frames(burst: u32, rate: u32) -> Frames {
        let mut frames =
            Frames::new(&Http2Bounds { control_burst: burst, control_rate: rate, ..Http2Bounds::default() });
        frames.count(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        // Every client begins with its settings, which are not counted here.
        frames.begun = true;
        frames
    }

    #[tokio::test(start_paused = true)]
    async fn what_brings_nothing_is_counted() {
        for (name, kind, contents, is_counted) in [
            ("data", DATA, 5, false),
            ("empty data", DATA, 0, true),
            ("a head", HEADERS, 0, false),
            ("a priority", 2, 5, true),
            ("a reset", 3, 4, true),
            ("settings", 4, 0, true),
            ("a ping", 6, 8, true),
            ("room", WINDOW_UPDATE, 4, false),
            ("more of a head", CONTINUATION, 3, false),
            ("nothing of a head", CONTINUATION, 0, true),
            ("an unknown kind", 77, 3, true),
        ] {
            let counted = frames(3, 10).count(&frame(kind, contents).repeat(4)).is_err();
            assert_eq!(counted, is_counted, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_up() {
        let mut frames = frames(5, 10);
        frames.count(&frame(6, 8).repeat(5)).unwrap();
        for _ in 0..20 {
            tokio::time::advance(Duration::from_millis(100)).await;
            frames.count(&frame(6, 8)).unwrap();
        }
        assert!(frames.count(&frame(6, 8)).is_err());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(sizes in prop::collection::vec((0u8..12, 0usize..40), 0..30), cut in 1usize..20) {
            let bytes: Vec<u8> = sizes.iter().flat_map(|(kind, size)| frame(*kind, *size)).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let (mut whole, mut pieces) = (frames(8, 0), frames(8, 0));
                let whole_ends = whole.count(&bytes);
                let pieces_end = bytes.chunks(cut).try_for_each(|piece| pieces.count(piece));
                prop_assert_eq!(whole_ends, pieces_end);
                prop_assert_eq!(whole.left, pieces.left);
                Ok(())
            })?;
        }
    }
}
