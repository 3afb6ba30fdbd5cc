//! What the gateway is configured with, and messages that its contract allows.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::HeaderValue;
use palisade::token::sign::Signer;
use palisade_core::port::Clock as _;
use palisade_store::clock::SystemClock;
use palisade_testkit::dir::TempDir;
use serde_json::{Value, json};

use crate::Failure;

/// A folder with a policy and all that it names. It is removed when the value is dropped.
#[derive(Debug)]
pub(crate) struct Site {
    dir: TempDir,
    signer: Signer,
    expires: u64,
}

impl Site {
    /// Writes the files for a gateway in front of this backend.
    pub(crate) fn new(upstream: SocketAddr) -> Result<Self, Failure> {
        let (dir, signer) = (TempDir::new(), Signer::generate_es256("bench")?);
        dir.write("palisade.toml", POLICY.replace("{upstream}", &upstream.to_string()));
        dir.write("openapi.yaml", CONTRACT);
        dir.write("jwks.json", json!({ "keys": [signer.public_jwk()] }).to_string());
        dir.write("events.jsonl", "");
        Ok(Self { dir, signer, expires: SystemClock.now().as_secs() + 4 * 3600 })
    }

    /// The path of the policy.
    pub(crate) fn policy(&self) -> String {
        self.dir.path().join("palisade.toml").display().to_string()
    }

    /// The path of another file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `Authorization` for the owner of the order; each number is another token.
    pub(crate) fn token(&self, number: usize) -> Result<HeaderValue, Failure> {
        let claims = json!({
            "iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "u-alice",
            "iat": self.expires - 4 * 3600, "exp": self.expires, "jti": format!("token-{number:08}"),
            "client_id": "benchmark", "scope": "profile orders:read orders:write", "roles": ["customer"],
        });
        Ok(HeaderValue::try_from(format!("Bearer {}", self.signer.sign("at+jwt", &claims)?))?)
    }

    /// How many events were written since the last call. They are thrown away, so that the file does not grow.
    pub(crate) fn take_events(&self) -> Result<usize, Failure> {
        let path = self.dir.path().join("events.jsonl");
        let mut text = Vec::new();
        File::open(&path)?.read_to_end(&mut text)?;
        OpenOptions::new().write(true).open(&path)?.set_len(0)?;
        Ok(text.iter().filter(|byte| **byte == b'\n').count())
    }
}

/// What is asked for: two parameters in the path, two in the query.
pub(crate) const TARGET: &str = "/users/u-alice/orders/4711?view=full&limit=8";

/// The same, where the answer is [`long_answer`].
pub(crate) const LONG_TARGET: &str = "/users/u-alice/orders/4711?view=full&limit=9";

/// The body of a POST, 200 bytes.
pub(crate) fn change() -> String {
    json!({
        "note": "Please ring twice.",
        "address": { "street": "12 Orchard Lane", "city": "Appleton", "country": "GB" },
        "lines": lines(1),
    })
    .to_string()
}

/// The body of an answer, about 70 bytes.
pub(crate) fn answer() -> String {
    json!({ "id": 4711, "owner": "u-alice", "status": "packed", "total_cents": 10_332 }).to_string()
}

/// The body of an answer, about 1 KB.
pub(crate) fn long_answer() -> String {
    json!({
        "id": 4711, "owner": "u-alice", "placed": "2026-11-21T10:00:00Z", "status": "packed", "total_cents": 10_332,
        "note": "Please ring twice and leave the parcel with the neighbor on the second floor.",
        "address": { "street": "12 Orchard Lane", "city": "Appleton", "country": "GB" },
        "lines": lines(9),
    })
    .to_string()
}

fn lines(number: usize) -> Value {
    let line = |index| json!({ "sku": format!("APL-{index:04}"), "title": "Discovery, one kilogram", "quantity": index, "cents": 287 });
    (1..=number).map(line).collect()
}

const POLICY: &str = r#"version = 1
[listen.main]
address = "127.0.0.1:0"
[server]
workers = 1
[upstream.orders]
url = "http://{upstream}"
[contract.orders]
openapi = "openapi.yaml"
[route.orders]
path = "/**"
upstream = "orders"
contract = "orders"
authenticate = ["bearer.main"]
throttle = { requests = 100000000, per = "1s" }
[bearer.main]
issuer = "https://id.example.com"
audience = "https://api.example.com"
jwks = "file:jwks.json"
algorithms = ["ES256"]
[events]
output = "file:events.jsonl"
"#;

const CONTRACT: &str = r##"openapi: 3.1.0
info: { title: Orders, version: "1" }
security: [{ token: [] }]
paths:
  /users/{user}/orders/{order}:
    parameters:
      - { name: user, in: path, required: true, schema: { type: string, pattern: "^u-[a-z]{1,20}$" } }
      - { name: order, in: path, required: true, schema: { type: integer, minimum: 1 } }
      - { name: view, in: query, schema: { type: string, enum: [full, short] } }
      - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100 } }
    get:
      operationId: getOrder
      x-palisade:
        scopes: ["orders:read"]
        owner: { request: [{ parameter: user, claim: sub }] }
      responses: { "200": { $ref: "#/components/responses/Order" } }
    post:
      operationId: changeOrder
      x-palisade:
        scopes: ["orders:write"]
        owner: { request: [{ parameter: user, claim: sub }] }
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: "#/components/schemas/Change" } } }
      responses: { "200": { $ref: "#/components/responses/Order" } }
components:
  securitySchemes:
    token: { type: http, scheme: bearer, bearerFormat: JWT }
  responses:
    Order:
      description: The order as it is now.
      content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } }
  schemas:
    Order:
      type: object
      required: [id, owner, status, total_cents]
      properties:
        id: { type: integer, minimum: 1 }
        owner: { type: string, maxLength: 40 }
        placed: { type: string, format: date-time }
        status: { type: string, enum: [open, packed, sent] }
        total_cents: { type: integer, minimum: 0 }
        note: { type: string, maxLength: 200 }
        address: { $ref: "#/components/schemas/Address" }
        lines: { type: array, maxItems: 50, items: { $ref: "#/components/schemas/Line" } }
    Change:
      type: object
      required: [address, lines]
      properties:
        note: { type: string, maxLength: 200 }
        address: { $ref: "#/components/schemas/Address" }
        lines: { type: array, maxItems: 50, items: { $ref: "#/components/schemas/Line" } }
    Address:
      type: object
      required: [street, city, country]
      properties:
        street: { type: string, maxLength: 100 }
        city: { type: string, maxLength: 100 }
        country: { type: string, pattern: "^[A-Z]{2}$" }
    Line:
      type: object
      required: [sku, quantity]
      properties:
        sku: { type: string, pattern: "^[A-Z]{3}-[0-9]{4}$" }
        title: { type: string, maxLength: 100 }
        quantity: { type: integer, minimum: 1, maximum: 1000 }
        cents: { type: integer, minimum: 0 }
"##;
