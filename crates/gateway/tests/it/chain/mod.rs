//! A whole gateway between a client and a backend: what is refused and how, and what passes unchanged.

mod frames;
mod harness;
mod held;
mod tokens;
mod wire;

mod answers;
mod browser;
mod catalogue;
mod conformance;
mod contract;
mod credentials;
mod dialects;
mod drift;
mod flood;
mod handover;
mod hostile;
mod http2;
mod identity;
mod input;
mod limits;
mod network;
mod passing;
mod service;
mod smuggling;
