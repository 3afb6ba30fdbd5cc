//! The tests attack a running shop over loopback, and hold it to its own contract.

#[cfg(test)]
mod client;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod exploits;
