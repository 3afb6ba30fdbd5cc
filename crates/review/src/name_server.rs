//! A name server of the reviewer's own that remembers which names it was asked for.
//!
//! It is the witness where a target may look names up but reach nobody: a name that nobody else knows was asked for. It
//! answers for every name with the loopback address, so that what follows it reaches the reviewer or nothing.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A running name server; it ends when it is dropped.
///
/// The target has to come to it: as its resolver, or because a zone of yours is delegated to its address.
///
/// ```
/// # async fn run() -> std::io::Result<()> {
/// let names = palisade_review::NameServer::open(([127, 0, 0, 1], 0).into(), "review.example").await?;
/// assert_eq!(names.address().ip().to_string(), "127.0.0.1");
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    zone: String,
    asked: Arc<Asked>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Asked {
    names: Mutex<BTreeSet<String>>,
    changed: Notify,
}

impl NameServer {
    /// Answers on an address, for names below a zone; port 0 stands for any that is free.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub async fn open(listen: SocketAddr, zone: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen).await?;
        let address = socket.local_addr()?;
        let asked = Arc::new(Asked::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(socket, Arc::clone(&asked)));
        Ok(Self { address, zone: zone.trim_matches('.').to_ascii_lowercase(), asked, _tasks: tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A name below the zone.
    pub(crate) fn name(&self, label: &str) -> String {
        format!("{label}.{}", self.zone)
    }

    /// Whether a name was asked for.
    pub(crate) fn has_heard(&self, name: &str) -> bool {
        self.asked.names.lock().unwrap_or_else(PoisonError::into_inner).contains(&name.to_ascii_lowercase())
    }

    /// Whether a name was asked for, or is before the time is over.
    pub(crate) async fn hears(&self, name: &str, patience: Duration) -> bool {
        let wait = async {
            loop {
                let change = self.asked.changed.notified();
                tokio::pin!(change);
                // Listening begins before looking, so that nothing arrives unheard in between.
                change.as_mut().enable();
                if self.has_heard(name) {
                    return;
                }
                change.await;
            }
        };
        timeout(patience, wait).await.is_ok()
    }
}

async fn serve(socket: UdpSocket, asked: Arc<Asked>) {
    let mut buffer = [0; MAXIMUM_MESSAGE];
    loop {
        // An error here is that of one sender, such as a port that was closed meanwhile.
        let Ok((length, sender)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(question) = buffer.get(..length).and_then(Question::read) else { continue };
        {
            let mut names = asked.names.lock().unwrap_or_else(PoisonError::into_inner);
            if names.len() < MAXIMUM_NAMES {
                names.insert(question.name.clone());
            }
        }
        asked.changed.notify_waiters();
        let _ = socket.send_to(&question.answer(), sender).await;
    }
}

/// The answer to a message; `None` for what is no question.
pub(crate) fn answer(message: &[u8]) -> Option<Vec<u8>> {
    Question::read(message).map(|question| question.answer())
}

/// One question of a message (RFC 1035 section 4.1).
#[derive(Debug)]
struct Question {
    id: [u8; 2],
    /// Whether the sender wants others to be asked; it is told the same.
    flags: u8,
    name: String,
    /// As it was asked: name, type, class.
    written: Vec<u8>,
    is_address: bool,
}

impl Question {
    /// Reads a message with one question. `None` for answers, and for what cannot be read.
    fn read(message: &[u8]) -> Option<Self> {
        let [a, b, flags, _, 0, 1, _, _, _, _, _, _, rest @ ..] = message else { return None };
        // Neither an answer nor another kind of request.
        if flags & 0b1111_1000 != 0 {
            return None;
        }
        let (mut labels, mut at): (Vec<String>, usize) = (Vec::new(), 0);
        loop {
            let length = usize::from(*rest.get(at)?);
            let end = at.checked_add(1)?.checked_add(length)?;
            // A label is at most 63 bytes, a name 255; pointers have no place in a question.
            if length > 63 || end > 254 {
                return None;
            }
            if length == 0 {
                at = end;
                break;
            }
            labels.push(String::from_utf8_lossy(rest.get(at + 1..end)?).to_ascii_lowercase());
            at = end;
        }
        let [_, kind, _, _] = rest.get(at..at + 4)? else { return None };
        let is_address = rest.get(at) == Some(&0) && *kind == A;
        Some(Self {
            id: [*a, *b],
            flags: *flags,
            name: labels.join("."),
            written: rest.get(..at + 4)?.to_vec(),
            is_address,
        })
    }

    /// The loopback address for a name; nothing, without an error, for everything else about it.
    fn answer(&self) -> Vec<u8> {
        let answers = u8::from(self.is_address);
        let [a, b] = self.id;
        let mut message = vec![a, b, ANSWER | self.flags & WANTED, 0, 0, 1, 0, answers, 0, 0, 0, 0];
        message.extend(&self.written);
        if self.is_address {
            // The name of the question, an address of the internet, not to be kept, of four bytes.
            message.extend([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 0, 0, 4]);
            message.extend(Ipv4Addr::LOCALHOST.octets());
        }
        message
    }
}

const A: u8 = 1;
/// An answer, with authority.
const ANSWER: u8 = 0b1000_0100;
const WANTED: u8 = 1;
const MAXIMUM_MESSAGE: usize = 1232;
const MAXIMUM_NAMES: usize = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(labels: &[&str], kind: u8) -> Vec<u8> {
        let mut message = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(label.bytes());
        }
        message.extend([0, 0, kind, 0, 1]);
        message
    }

    #[test]
    fn a_name_is_answered_with_the_loopback_address() {
        let read = Question::read(&question(&["Ab", "zone", "example"], 1)).unwrap();
        assert_eq!(read.name, "ab.zone.example");
        let answer = read.answer();
        assert_eq!(answer[..8], [7, 9, 0b1000_0101, 0, 0, 1, 0, 1]);
        assert_eq!(answer[answer.len() - 4..], [127, 0, 0, 1]);
        let other = Question::read(&question(&["ab"], 28)).unwrap().answer();
        assert_eq!(other[7], 0, "there is no address of six");
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let fine = question(&["ab"], 1);
        for length in 0..fine.len() {
            assert!(Question::read(&fine[..length]).is_none(), "{length}");
        }
        let mut reply = fine.clone();
        reply[2] |= 0x80;
        assert!(Question::read(&reply).is_none(), "an answer would be answered for ever");
        let mut pointer = fine;
        pointer[12] = 0xc0;
        assert!(Question::read(&pointer).is_none());
    }

    proptest! {
        #[test]
        fn any_message_is_read_or_left_alone(message in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(question) = Question::read(&message) {
                prop_assert!(question.answer().len() <= message.len() + 16);
            }
        }
    }
}
