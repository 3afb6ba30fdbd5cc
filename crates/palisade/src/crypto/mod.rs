//! Cryptography for what is kept: records that are worth nothing to whoever has stolen the store.

pub mod envelope;
