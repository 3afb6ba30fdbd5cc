//! The gateway's parts over their public interface: configurations as texts, listeners over real sockets.

#[cfg(test)]
mod config;
#[cfg(test)]
mod init;
#[cfg(test)]
mod listen;
