//! A whole gateway between a client and a backend: what is refused and how, and what passes unchanged.

mod harness;
mod held;
mod tokens;
mod wire;

mod admin;
mod answers;
mod browser;
mod catalogue;
mod contract;
mod credentials;
mod dialects;
mod drift;
mod http2;
mod identity;
mod input;
mod limits;
mod network;
mod passing;
mod reload;
mod service;
mod smuggling;
