//! Nothing but tests: see `tests/passkeys.rs`.
