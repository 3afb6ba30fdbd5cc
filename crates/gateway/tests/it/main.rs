//! The gateway's parts over their public interface: configurations as texts, listeners over real sockets, and whole
//! gateways between a client and a backend.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod config;
#[cfg(test)]
mod grid;
#[cfg(test)]
mod init;
#[cfg(test)]
mod listen;
#[cfg(test)]
mod names;
#[cfg(test)]
mod python;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod workers;
