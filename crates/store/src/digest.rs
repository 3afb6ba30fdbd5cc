//! Short names for long keys, the same in every process.

use std::fmt::{self, Write as _};

use palisade_core::port::counter::{Algorithm, Ask};
use palisade_core::port::once::OnceKey;
use sha2::{Digest as _, Sha256};

/// The name of what is kept for one ask: forty hexadecimal digits, however long its key is, so that callers who choose
/// what they are called cannot fill the store, and so that addresses and names of users do not stand in it. What is
/// counted in another way has another name: a rule that is changed starts anew.
pub(crate) fn of_ask(ask: &Ask<'_>) -> String {
    let kind = match ask.algorithm {
        Algorithm::Gcra => 'g',
        Algorithm::SlidingWindow => 'w',
    };
    digest(format_args!("{kind}{}", ask.key))
}

/// The name of a key that is used once.
pub(crate) fn of_once(key: &OnceKey) -> String {
    digest(format_args!("{}", key.as_str()))
}

fn digest(text: fmt::Arguments<'_>) -> String {
    let mut hasher = Hasher(Sha256::new());
    // A hasher takes every text.
    let _ = hasher.write_fmt(text);
    let mut name = String::with_capacity(40);
    for byte in hasher.0.finalize().iter().take(20) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

struct Hasher(Sha256);

impl fmt::Write for Hasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}
