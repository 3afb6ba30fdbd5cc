//! One file for each command.

pub(crate) mod api_key;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod replay;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod token;
pub(crate) mod user;
