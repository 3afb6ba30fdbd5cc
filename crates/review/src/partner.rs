//! A partner is a third party that the API asks, played by the reviewer: honest until it is told to be hostile.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::serve::serve;

/// A running partner; it ends when it is dropped.
///
/// Start it before the API under test, and give the API its URL where the real partner's would be.
///
/// ```
/// # async fn run() -> std::io::Result<()> {
/// let partner = palisade_review::HostilePartner::start(serde_json::json!({ "price": 3 })).await?;
/// assert!(partner.url().starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Debug)]
pub struct HostilePartner {
    address: SocketAddr,
    good: Value,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    answer: Mutex<Bytes>,
    hits: AtomicU32,
}

impl HostilePartner {
    /// Serves `good_json` to every request on a free loopback port.
    ///
    /// # Errors
    ///
    /// When no port can be opened.
    pub async fn start(good_json: Value) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { answer: Mutex::new(Bytes::from(good_json.to_string())), hits: AtomicU32::new(0) });
        let shared = Arc::clone(&state);
        let service = service_fn(move |_: Request<Incoming>| {
            let state = Arc::clone(&shared);
            async move {
                state.hits.fetch_add(1, Ordering::Relaxed);
                let answer = state.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let mut response = Response::new(Full::new(answer));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok::<_, Infallible>(response)
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, service));
        Ok(Self { address, good: good_json, state, _tasks: tasks })
    }

    /// The base URL for the API under test.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How often it was asked.
    pub(crate) fn hits(&self) -> u32 {
        self.state.hits.load(Ordering::Relaxed)
    }

    /// From now on every text carries markup, every number is negative, and there is a property nobody asked for.
    pub(crate) fn turn_hostile(&self, marker: &str) {
        let mut value = spoil(&self.good, marker);
        if let Value::Object(members) = &mut value {
            members.insert(format!("x_{marker}"), Value::from(marker));
        }
        self.answer(&value);
    }

    /// From now on it is honest again.
    pub(crate) fn turn_honest(&self) {
        self.answer(&self.good);
    }

    fn answer(&self, value: &Value) {
        *self.state.answer.lock().unwrap_or_else(PoisonError::into_inner) = Bytes::from(value.to_string());
    }
}

fn spoil(value: &Value, marker: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| spoil(item, marker)).collect(),
        Value::Number(_) => Value::from(-1),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), spoil(member, marker))).collect())
        }
        Value::String(_) => Value::from(format!("<b onclick=alert(1)>{marker}</b>")),
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::spoil;

    #[test]
    fn spoils_every_text_and_number() {
        let spoiled = spoil(&json!({ "a": "x", "b": [{ "c": 4 }], "d": true }), "M");
        assert_eq!(spoiled, json!({ "a": "<b onclick=alert(1)>M</b>", "b": [{ "c": -1 }], "d": true }));
    }
}
