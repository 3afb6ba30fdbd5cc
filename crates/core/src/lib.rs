//! Who asks, what is asked, what was decided and how it is remembered: the pure core of Palisade.
//!
//! Nothing here does input or output, reads a clock or draws randomness: time, randomness and storage come through the
//! [`port`] traits. The library (`palisade`), the gateway and the reviewer all speak in these types.
//!
//! The path of a refusal shows how they fit: [`policy::Policy::decide`] looks at an [`policy::Ask`] and makes a
//! [`decision::Decision`]; a permitting decision becomes a [`permit::RequestPermit`], a refusing one a
//! [`denial::Denial`], which [`problem::render`] turns into the only answer the caller sees while its
//! [`denial::Evidence`] goes into a [`event::SecurityEvent`].
#![forbid(unsafe_code)]

pub mod canon;
pub mod decision;
pub mod denial;
pub mod diagnostic;
pub mod event;
pub mod id;
pub mod operation;
pub mod permit;
pub mod policy;
pub mod port;
pub mod principal;
pub mod problem;
pub mod secret;
pub mod stage;
pub mod time;
