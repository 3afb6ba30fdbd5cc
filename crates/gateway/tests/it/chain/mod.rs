//! A whole gateway between a client and a backend: what is refused and how, and what passes unchanged.

mod frames;
mod harness;
mod held;
mod scripted;
mod tokens;
mod wire;

mod admin;
mod answers;
mod autobahn;
mod browser;
mod cache;
mod catalogue;
mod conformance;
mod contract;
mod credentials;
mod dialects;
mod drift;
mod faults;
mod flood;
mod handover;
mod hostile;
mod http2;
mod identity;
mod input;
mod limits;
mod network;
mod passing;
mod reload;
mod service;
mod shared;
mod smuggling;
mod streams;
mod upstream;
mod websocket;
