//! The operating system's randomness: the one place where Palisade draws bytes that nobody may guess.

use std::cell::RefCell;

use palisade_core::port::Entropy;

/// Draws from the operating system's generator (`getrandom(2)` and its like).
///
/// The bytes are drawn 4 KiB at a time, for each thread its own, and are overwritten when they have been given. Palisade
/// never forks; a program that does must not use this in the child before it calls `exec`, or both give the same bytes.
///
/// If the system cannot give randomness, the process ends at once by [`std::process::abort`]: an identifier or key made
/// without it could be guessed, and a panic could be caught on the way up and answered with one.
///
/// ```
/// use palisade_core::port::Entropy;
/// use palisade_store::entropy::SystemEntropy;
///
/// let (mut one, mut other) = ([0; 16], [0; 16]);
/// SystemEntropy.fill(&mut one);
/// SystemEntropy.fill(&mut other);
/// assert_ne!(one, other);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > LARGEST_DRAWN {
            return draw(buffer);
        }
        RESERVE.with_borrow_mut(|reserve| reserve.take(buffer));
    }
}

/// Bytes that the system has given and nobody has had. A system call for each identifier would be the dearest step of a
/// short request.
struct Reserve {
    bytes: [u8; 4096],
    left: usize,
}

impl Reserve {
    fn take(&mut self, buffer: &mut [u8]) {
        if self.left < buffer.len() {
            draw(&mut self.bytes);
            self.left = self.bytes.len();
        }
        let rest = self.left - buffer.len();
        if let Some(taken) = self.bytes.get_mut(rest..self.left) {
            buffer.copy_from_slice(taken);
            // Whoever reads this memory later does not learn what was given away.
            taken.fill(0);
        }
        self.left = rest;
    }
}

fn draw(buffer: &mut [u8]) {
    if getrandom::fill(buffer).is_err() {
        std::process::abort();
    }
}

thread_local! {
    static RESERVE: RefCell<Reserve> = const { RefCell::new(Reserve { bytes: [0; 4096], left: 0 }) };
}

const LARGEST_DRAWN: usize = 256;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_given_twice() {
        let mut given = HashSet::new();
        for length in [16, 1, 32, 256, 7].into_iter().cycle().take(2_000) {
            let mut buffer = vec![0; length];
            SystemEntropy.fill(&mut buffer);
            assert!(length < 16 || given.insert(buffer), "{length} bytes come a second time");
        }
        let mut large = vec![0; 10_000];
        SystemEntropy.fill(&mut large);
        assert!(large.chunks(16).all(|chunk| given.insert(chunk.to_vec())));
    }

    #[test]
    fn what_was_given_is_forgotten() {
        let mut reserve = Reserve { bytes: [0; 4096], left: 0 };
        let mut buffer = [0; 16];
        reserve.take(&mut buffer);
        assert_eq!((reserve.left, &reserve.bytes[4080..]), (4080, &[0; 16][..]));
        reserve.take(&mut [0; 256]);
        assert_eq!(reserve.left, 3824);
        reserve.left = 15;
        reserve.take(&mut buffer);
        assert_eq!(reserve.left, 4080, "a remainder that is too short is not stretched");
    }
}
