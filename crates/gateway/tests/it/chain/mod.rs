//! A whole gateway between a client and a backend: what is refused and how, and what passes unchanged.

mod harness;
mod held;
mod tokens;
mod wire;

mod answers;
mod catalogue;
mod credentials;
mod dialects;
mod drift;
mod input;
mod passing;
mod service;
mod smuggling;
