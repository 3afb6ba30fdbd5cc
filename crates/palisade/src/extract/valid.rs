//! Input that is what its type says, or a refusal that tells everything that is wrong with it.
//!
//! 1. The JSON Schema of the type is compiled once. What it does not declare is refused, with or without
//!    `deny_unknown_fields`, which ends mass assignment (CWE-915).
//! 2. A body has the declared content type, and is at most 1 MiB long where no chain bounds it.
//! 3. All violations are told at once, each with its place, never with its value.
//! 4. A type whose schema cannot be enforced is refused by [`prepare`]; without that, requests for it are.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams, Request};
use axum::{Form, Json};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use palisade_contract::{Shape, Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::diagnostic::Diagnostic;
use palisade_core::stage::StageId;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::{Principal, Refusal};
use crate::body::{self, Body, LongestWhole};
use crate::violations;

/// Around axum's `Json`, `Form`, `Query` or `Path`: what the handler gets meets the JSON Schema of its type.
///
/// ```
/// use axum::{Json, Router, extract::Query, routing::get};
/// use palisade::extract::{Valid, prepare};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct NewOrder {
///     #[schemars(length(min = 1, max = 40))]
///     name: String,
///     #[schemars(range(min = 1, max = 100))]
///     count: u8,
/// }
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Page {
///     #[serde(default)]
///     after: Option<u64>,
/// }
///
/// async fn list(Valid(Query(page)): Valid<Query<Page>>) -> String {
///     format!("orders after {:?}", page.after)
/// }
///
/// async fn order(Valid(Json(order)): Valid<Json<NewOrder>>) -> String {
///     format!("{} of {}", order.count, order.name)
/// }
///
/// let app: Router = Router::new().route("/orders", get(list).post(order));
/// prepare::<NewOrder>()?;
/// prepare::<Page>()?;
/// # Ok::<(), palisade::extract::Unenforceable>(())
/// ```
///
/// - `Valid<Json<T>>` takes `application/json` and no other type, not even one that ends in `+json`.
/// - `Valid<Form<T>>` takes `application/x-www-form-urlencoded`, always from the body.
/// - `Valid<Query<T>>` and `Valid<Form<T>>` read a list from a name that is given several times. Texts become numbers
///   and booleans only where they are written exactly as JSON would.
/// - `Valid<Path<T>>` takes a struct whose fields have the names of the parameters, or one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Valid<E>(pub E);

/// Compiles the rules of a type, for the start of a program. `Err` tells every reason why they cannot be enforced, such
/// as a pattern with look-around. Without this the first request for the type compiles them, and where that fails, is
/// refused as `internal`.
///
/// ```
/// use palisade::extract::prepare;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Passphrase(#[schemars(regex(pattern = "^(?=.*[0-9]).+$"))] String);
///
/// let error = prepare::<Passphrase>().unwrap_err();
/// assert!(error.to_string().contains("cannot be checked in linear time"));
/// ```
pub fn prepare<T: JsonSchema + 'static>() -> Result<(), Unenforceable> {
    shape_of::<T>().map(|_| ()).map_err(Clone::clone)
}

/// Why the rules of a type cannot be enforced.
///
/// ```
/// #[derive(schemars::JsonSchema)]
/// struct Remote(#[schemars(extend("$ref" = "https://example.com/schema.json"))] String);
///
/// let error = palisade::extract::prepare::<Remote>().unwrap_err();
/// assert!(error.diagnostics().iter().any(|diagnostic| diagnostic.code() == "reference-external"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("the rules of `{type_name}` cannot be enforced: {}", said(.diagnostics))]
pub struct Unenforceable {
    type_name: &'static str,
    diagnostics: Vec<Diagnostic>,
}

impl Unenforceable {
    /// Every reason; places are those of the generated schema.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

fn said(diagnostics: &[Diagnostic]) -> impl fmt::Display {
    diagnostics.iter().map(Diagnostic::message).collect::<Vec<_>>().join("; ")
}

/// Every type that was asked for, compiled once. There are as many as the program has types, so they stay for good.
type Compiled = Result<Shape, Unenforceable>;
static SHAPES: RwLock<Option<HashMap<TypeId, &'static Compiled>>> = RwLock::new(None);

fn shape_of<T: JsonSchema + 'static>() -> Result<&'static Shape, &'static Unenforceable> {
    let id = TypeId::of::<T>();
    let known = |shapes: &Option<HashMap<TypeId, &'static Compiled>>| shapes.as_ref()?.get(&id).copied();
    let found = known(&SHAPES.read().unwrap_or_else(PoisonError::into_inner));
    // The code of the type runs outside the lock, so that a type which asks for another cannot wait for itself.
    let compiled = found.unwrap_or_else(|| {
        let fresh = compile::<T>();
        let mut shapes = SHAPES.write().unwrap_or_else(PoisonError::into_inner);
        shapes.get_or_insert_default().entry(id).or_insert_with(|| Box::leak(Box::new(fresh)))
    });
    compiled.as_ref()
}

fn compile<T: JsonSchema>() -> Compiled {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let type_name = type_name::<T>();
    Shape::compile(type_name, schema.to_value()).map_err(|diagnostics| Unenforceable { type_name, diagnostics })
}

/// Checks an input twice: by the schema of its type, then by the code that makes a value of it.
fn read<T>(check: impl Fn(&Shape) -> Result<Value, Vec<Violation>>, base: &str) -> Result<T, Denial>
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    let shape = shape_of::<T>().map_err(|error| {
        tracing::error!(%error, "an input cannot be checked");
        Denial::new(DenialCode::Internal, StageId::Forward).because("error", error.to_string())
    })?;
    let told = |violations: Vec<Violation>| {
        let in_head = if base == BODY { 0 } else { violations.len() };
        violations::of_request(&violations, in_head, StageId::Forward).because("type", type_name::<T>())
    };
    let value = check(shape).map_err(told)?;
    serde_json::from_value(value).map_err(|_| {
        // What serde says may hold the value. Where it stumbled is found by reading once more: this is the slow path.
        let again = check(shape).unwrap_or_default();
        let place = serde_path_to_error::deserialize::<_, T>(&again).err().map(|error| pointer(base, error.path()));
        let place = place.unwrap_or_else(|| base.to_owned());
        told(vec![Violation::new(place, ViolationCode::Invalid, "is not accepted")])
    })
}

/// Reads a whole body and checks it in this form.
async fn read_body<T>(request: Request, check: BodyCheck) -> Result<T, Refusal>
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    let (parts, body) = request.into_parts();
    let refused = |denial| Refusal::new(denial, &parts.headers);
    let bytes = whole(&parts, body).await.map_err(refused)?;
    read(|shape: &Shape| check(shape, content_type(&parts.headers), &bytes), BODY).map_err(refused)
}

/// A form that a body can have: [`Shape::json`] or [`Shape::form`].
type BodyCheck = fn(&Shape, Option<&HeaderValue>, &[u8]) -> Result<Value, Vec<Violation>>;

/// A place in a value as a JSON pointer, as far as serde knows it.
fn pointer(base: &str, path: &serde_path_to_error::Path) -> String {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    path.iter().fold(base.to_owned(), |pointer, segment| match segment {
        Segment::Enum { variant: name } | Segment::Map { key: name } => format!("{pointer}/{}", escape(name)),
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Unknown => pointer,
    })
}

impl<S, T> FromRequest<S> for Valid<Json<T>>
where
    S: Send + Sync,
    T: DeserializeOwned + JsonSchema + 'static,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        read_body(request, Shape::json).await.map(|value| Self(Json(value)))
    }
}

impl<S, T> FromRequest<S> for Valid<Form<T>>
where
    S: Send + Sync,
    T: DeserializeOwned + JsonSchema + 'static,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        read_body(request, Shape::form).await.map(|value| Self(Form(value)))
    }
}

impl<S, T> FromRequestParts<S> for Valid<Query<T>>
where
    S: Send + Sync,
    T: DeserializeOwned + JsonSchema + 'static,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let check = |shape: &Shape| shape.query(parts.uri.query().unwrap_or_default());
        let value = read(check, "/query");
        value.map(|value| Self(Query(value))).map_err(|denial| Refusal::new(denial, &parts.headers))
    }
}

impl<S, T> FromRequestParts<S> for Valid<Path<T>>
where
    S: Send + Sync,
    T: DeserializeOwned + JsonSchema + 'static,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let raw = RawPathParams::from_request_parts(parts, state).await;
        let value = match raw {
            Ok(raw) => {
                let given: Vec<(String, String)> = raw.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
                read(|shape: &Shape| shape.path(&given), "/path")
            }
            // Not UTF-8; or the handler is not behind a router, which is told by the log alone.
            Err(rejection) => {
                let violation = Violation::new("/path", ViolationCode::Malformed, "cannot be read");
                Err(violations::of_request(&[violation], 1, StageId::Forward).because("error", rejection.to_string()))
            }
        };
        value.map(|value| Self(Path(value))).map_err(|denial| Refusal::new(denial, &parts.headers))
    }
}

/// Reads a body. A chain has put its own bound around it, which may be higher than the one that holds without.
async fn whole(parts: &Parts, body: Body) -> Result<Bytes, Denial> {
    let is_bounded = parts.extensions.get::<Principal>().is_some();
    let body = match parts.extensions.get::<LongestWhole>() {
        Some(LongestWhole(most)) => body::limited(body, *most).0,
        None if is_bounded => body,
        None => body::limited(body, LONGEST).0,
    };
    body::read(body, StageId::Forward).await
}

/// The one content type of a request. Two are as good as none.
fn content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    all.next().filter(|_| all.next().is_none())
}

const BODY: &str = "/body";
const LONGEST: usize = 1 << 20;
