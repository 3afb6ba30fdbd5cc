//! Passwords: which may be chosen, how they are kept, and how they are checked without giving anything away.
//!
//! - [`PasswordPolicy`] says which may be chosen: long ones that nobody tries first.
//! - [`Hasher`] makes and checks hashes, in a pool of threads whose memory is there from the start: a flood of sign-ins
//!   costs what the pool costs, and not more.
//! - [`StoredHash`] reads what other systems have left behind; such a hash is made anew when its user signs in.
//! - [`calibrate`] measures what a cost takes on this machine.
//!
//! Who signs in is decided by [`super::sign_in`].

mod calibrate;
mod common;
mod hash;
mod hasher;
mod policy;
mod pool;

pub use calibrate::{Measured, calibrate};
pub use common::BlockList;
pub use hash::{Cost, HashError, StoredHash};
pub use hasher::{HashSettings, Hasher, Pepper, Verified};
pub use policy::{Password, PasswordPolicy, PasswordRefusal};
pub use pool::Busy;
