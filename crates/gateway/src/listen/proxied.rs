//! Reads the PROXY header of a connection from a load balancer, within a deadline.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::proxy::{Fault, parse};

/// Takes the header off the stream. Gives the address of the client, or none for a connection of the load balancer's own.
pub(super) async fn accept(stream: &mut TcpStream, deadline: Duration) -> io::Result<Option<SocketAddr>> {
    timeout(deadline, read(stream)).await?
}

/// What has come is looked at before it is taken, so that nothing behind the header is.
async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let (mut taken, mut piece) = (Vec::new(), [0; 512]);
    loop {
        let come = stream.peek(&mut piece).await?;
        let before = taken.len();
        taken.extend_from_slice(piece.get(..come).unwrap_or_default());
        let (length, source) = match parse(&taken) {
            Ok(header) => (header.length, Some(header.source)),
            Err(Fault::Incomplete) if come > 0 => (taken.len(), None),
            Err(Fault::Incomplete) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(fault) => return Err(io::Error::new(io::ErrorKind::InvalidData, fault)),
        };
        let of_header = piece.get_mut(..length.saturating_sub(before)).unwrap_or_default();
        stream.read_exact(of_header).await?;
        if let Some(source) = source {
            return Ok(source);
        }
    }
}
