//! Stands between the socket and the HTTP parser, and lets through only what has one reading.
//!
//! The parser behind it is lenient where the standard lets it be: it joins equal lengths, drops a length beside a
//! coding, takes a bare line feed for the end of a line and cuts fragments off, all before anybody can say no. So the
//! bytes are read here first ([`wire::Wire`]).
//!
//! 1. A head goes on when all of it is there and none of it is ambiguous, a body as it comes. Heads that arrive in one
//!    piece, as most do, are not copied.
//! 2. In place of a head that breaks a rule goes a request that says nothing, marked as [`Malformed`]: it gets the answer
//!    and the events that every refusal gets, after the answers to the requests before it. Nothing goes on behind it.
//! 3. The same happens to a head that takes longer than [`super::Bounds::head`] to arrive.
//! 4. In place of a body that breaks a rule goes an error.
//! 5. Once the connection has left HTTP ([`Verdict::leave_http`]) everything goes on unread. What its client sent before it
//!    knew is no HTTP either: if it was refused, the connection ends.
//! 6. Of HTTP/2 the frames are counted that ask for work and bring nothing ([`frame`]); too many end the connection.

mod chunk;
mod frame;
mod head;
mod trailer;
pub mod wire;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use palisade::facts::Malformed;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::{Activity, Begun};
use super::bounds::Http2Bounds;
use frame::Frames;
use wire::{Advance, Fault, Protocol, Wire};

/// A connection of which only unambiguous bytes can be read.
#[derive(Debug)]
pub(super) struct Strict<S> {
    inner: S,
    wire: Wire,
    /// Bytes that have come; the first `ready` of them go on.
    held: Vec<u8>,
    ready: usize,
    /// What ends the connection once `held` has gone on.
    end: End,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    activity: Arc<Activity>,
    frames: Option<Box<Frames>>,
    /// A head on its way keeps the connection, so that it can be answered that it took too long.
    begun: Option<Begun>,
    verdict: Arc<Verdict>,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The body broke this rule.
    Broken(&'static str),
    /// The head did, and has been replaced.
    Deaf,
    /// Nothing is wrong.
    Open,
}

/// Which request of a connection is malformed. The connection's service asks, request by request.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    served: AtomicU64,
    malformed: OnceLock<(u64, Malformed)>,
    left_http: AtomicBool,
}

impl Verdict {
    /// Says that the connection speaks another protocol from here on.
    pub(super) fn leave_http(&self) {
        self.left_http.store(true, Ordering::Release);
    }

    /// Whether there was something that is no request.
    pub(super) fn has_refused(&self) -> bool {
        self.malformed.get().is_some()
    }

    fn has_left_http(&self) -> bool {
        self.left_http.load(Ordering::Acquire)
    }

    /// What is wrong with the next request that is served.
    pub(super) fn of_next(&self) -> Option<Malformed> {
        let next = self.served.fetch_add(1, Ordering::Relaxed);
        self.malformed.get().filter(|(at, _)| *at == next).map(|(_, malformed)| *malformed)
    }
}

impl<S> Strict<S> {
    pub(super) fn new(inner: S, wire: Wire, patience: Duration, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            wire,
            held: Vec::new(),
            ready: 0,
            end: End::Open,
            patience,
            deadline: None,
            activity,
            frames: None,
            begun: None,
            verdict: Arc::default(),
        }
    }

    pub(super) fn verdict(&self) -> Arc<Verdict> {
        Arc::clone(&self.verdict)
    }

    /// Counts frames from here on, which are HTTP/2's.
    pub(super) fn count_frames(&mut self, bounds: &Http2Bounds) {
        self.frames = Some(Box::new(Frames::new(bounds)));
    }

    /// Answers what has come as a request that is malformed.
    pub(super) fn reject(&mut self, malformed: Malformed) {
        self.refuse(0, 0, malformed);
    }

    /// Whether something has come and has not gone on.
    pub(super) fn has_bytes(&self) -> bool {
        !self.held.is_empty()
    }

    /// Puts a request that says nothing in the place of what is held behind the first `pass` bytes.
    fn refuse(&mut self, pass: usize, line: usize, malformed: Malformed) {
        let line = self.held.get(pass..pass + line).unwrap_or_default();
        let line = if line.is_empty() { b"- * HTTP/1.1\r\n" } else { line }.to_vec();
        self.held.truncate(pass);
        self.held.extend_from_slice(&line);
        self.held.extend_from_slice(b"connection: close\r\n\r\n");
        self.ready = self.held.len();
        self.end = End::Deaf;
        // Nobody has set it: nothing follows the first.
        let _ = self.verdict.malformed.set((self.wire.heads(), malformed));
    }

    /// Judges all that is held.
    fn judge(&mut self) {
        let Advance { pass, fault } = self.wire.advance(&self.held);
        self.settle(pass, fault);
    }

    fn settle(&mut self, pass: usize, fault: Option<Fault>) {
        self.ready = pass;
        match fault {
            None => {}
            Some(Fault::Body(reason)) => {
                self.held.truncate(pass);
                self.end = End::Broken(reason);
            }
            Some(Fault::Head { reason, line }) => {
                self.refuse(pass, line, reason.map_or(Malformed::TooLarge, Malformed::Invalid));
            }
        }
    }

    /// Writes down whether the client takes what it is sent.
    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending => self.activity.blocked(),
            Poll::Ready(_) => self.activity.written(),
        }
    }

    /// Gives what may go on. True if there was any.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let some = self.ready.min(buf.remaining());
        buf.put_slice(self.held.get(..some).unwrap_or_default());
        self.held.drain(..some);
        self.ready -= some;
        if some > 0 {
            // A head has come to its end; the next one has its own time.
            self.deadline = None;
            self.begun = None;
            if self.held.is_empty() {
                self.held = Vec::new();
            }
            self.activity.set_between(self.held.is_empty() && self.wire.is_between());
        }
        some > 0
    }
}

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Waits for the first bytes and says what they speak; nothing is held in the meantime. `None` is the end.
    pub(super) async fn first_bytes(&mut self) -> io::Result<Option<Protocol>> {
        loop {
            if let (Some(protocol), true) = (self.wire.protocol(), self.has_bytes()) {
                return Ok(Some(protocol));
            }
            if poll_fn(|cx| self.poll_more(cx)).await? == 0 {
                return Ok(None);
            }
            self.judge();
        }
    }

    /// Reads to behind what is held. `Ok(0)` is the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [0; 4096];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(piece.filled().len()))
    }

    /// Reads on where HTTP is no longer spoken.
    fn poll_unread(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.end != End::Open {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "bytes before the protocol was changed",
            )));
        }
        self.ready = self.held.len();
        if self.give(buf) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }

    /// Reads what still comes, within bounds, so that the system does not cut off the answer on its way because
    /// something had not been read.
    fn ignore(&mut self, cx: &mut Context<'_>) {
        let mut piece = [0; 4096];
        for _ in 0..MAX_IGNORED {
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.inner).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {}
                _ => return,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.verdict.has_left_http() {
            return this.poll_unread(cx, buf);
        }
        loop {
            let before = buf.filled().len();
            if this.give(buf) || buf.remaining() == 0 {
                let given = buf.filled().get(before..).unwrap_or_default();
                return Poll::Ready(this.frames.as_mut().map_or(Ok(()), |frames| frames.count(given).map_err(flood)));
            }
            match this.end {
                End::Broken(reason) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
                }
                End::Deaf => {
                    // The answer ends the connection. An end told here would make the parser give up on the answer.
                    this.ignore(cx);
                    return Poll::Pending;
                }
                End::Open => {}
            }
            if this.held.is_empty() {
                ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
                let come = buf.filled().get(before..).unwrap_or_default();
                if come.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                if let Some(frames) = &mut this.frames {
                    return Poll::Ready(frames.count(come).map_err(flood));
                }
                let Advance { pass, fault } = this.wire.advance(come);
                if pass == come.len() && fault.is_none() {
                    this.activity.set_between(this.wire.is_between());
                    return Poll::Ready(Ok(()));
                }
                this.activity.set_between(false);
                this.held.extend_from_slice(come);
                buf.set_filled(before);
                this.settle(pass, fault);
                continue;
            }
            match this.poll_more(cx)? {
                // The client gave up in the middle of a head.
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => this.judge(),
                Poll::Pending => {
                    let patience = this.patience;
                    this.begun.get_or_insert_with(|| this.activity.begin());
                    let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(deadline.as_mut().poll(cx));
                    this.refuse(0, 0, Malformed::TooSlow);
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end != End::Open {
            self.ignore(cx);
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

fn flood(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Pieces of 4 KiB that are read and ignored at once.
const MAX_IGNORED: usize = 64;
