//! A client, a shop to send it to, and a partner for the shop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orchard::{Database, Orchard, Settings, USERS, Weaknesses};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the partner answers.
pub(crate) const HONEST: &str = r#"{"carrier":"Swift Parcel 24","cost_cents":450,"days":2}"#;
pub(crate) const HOSTILE: &str =
    r#"{"carrier":"<script>alert(1)</script>","cost_cents":-1,"days":2,"redirect":"https://evil.example/"}"#;

/// A shop with its partner, stopped when dropped.
pub(crate) struct Scene {
    pub(crate) orchard: Orchard,
    pub(crate) partner: Partner,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A server of somebody else's that counts what it is asked.
pub(crate) struct Partner {
    pub(crate) address: SocketAddr,
    hits: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Scene {
    pub(crate) async fn open(weaknesses: Weaknesses, quote: &'static str) -> Self {
        let partner = Partner::open(quote).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings =
            Settings { weaknesses, database: Database::Memory, partner: format!("http://{}/", partner.address) };
        let orchard = orchard::start(listener, settings).await.unwrap();
        Self { orchard, partner, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, None), None).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, Some(token)), None).await
    }

    pub(crate) async fn call(&self, method: Method, token: Option<&str>, path: &str, body: Option<Value>) -> Answer {
        self.send(self.request(method, path, token), body.map(|body| body.to_string())).await
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: Option<&str>) -> http::request::Builder {
        let uri = format!("http://{}{path}", self.orchard.address());
        let builder = Request::builder().method(method).uri(uri);
        match token {
            Some(token) => builder.header("authorization", format!("Bearer {token}")),
            None => builder,
        }
    }

    pub(crate) async fn send(&self, builder: http::request::Builder, body: Option<String>) -> Answer {
        let request = match body {
            Some(body) => builder.header("content-type", "application/json").body(Full::from(body)),
            None => builder.body(Full::default()),
        };
        let response = self.client.request(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        let body = json!({ "username": username, "password": password });
        self.call(Method::POST, None, "/v1/login", Some(body)).await
    }

    /// A token for a seeded user.
    pub(crate) async fn token(&self, username: &str) -> String {
        let user = USERS.iter().find(|user| user.username == username).unwrap();
        let answer = self.log_in(username, user.password).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

impl Partner {
    async fn open(quote: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&hits);
        let answer = move || async move {
            counter.fetch_add(1, Ordering::SeqCst);
            ([("content-type", "application/json")], quote)
        };
        let router = Router::new().route("/quote", get(answer.clone())).route("/internal", get(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, hits, _tasks: tasks }
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
