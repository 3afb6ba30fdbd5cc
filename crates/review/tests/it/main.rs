//! The reviewer against real services on loopback: the vulnerable shop, and two that share nothing with it.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod decoys;
#[cfg(test)]
mod defects;
#[cfg(test)]
mod depot;
#[cfg(test)]
mod endless;
#[cfg(test)]
mod entities;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod habits;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod names;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod outsiders;
#[cfg(test)]
mod parents;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod precision;
#[cfg(test)]
mod preflight;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod remedies;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod versions;
