//! Misconfiguration: whether other origins may read answers, and what the headers lack and tell.

use async_trait::async_trait;
use http::Method;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::plan::Plan;
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Values};

/// The probe.
#[derive(Debug)]
pub(crate) struct Misconfig;

#[async_trait]
impl Probe for Misconfig {
    fn id(&self) -> &'static str {
        "misconfiguration"
    }

    fn row(&self) -> Row {
        Row::Misconfiguration
    }

    fn estimate(&self, _: &Plan) -> u32 {
        10
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let mut reads: Vec<Read<'_>> = Vec::new();
        for endpoint in context.surface().endpoints.iter().filter(|one| is_plain(one)) {
            if let Some(served) = context.memory.served(&endpoint.id).next() {
                reads.push(Read { endpoint, values: served.values.clone(), session: served.session });
            }
        }
        // An answer that needs a credential is the one that another origin must not read.
        let Some(read) = reads.iter().find(|read| read.session.is_some()).or(reads.first()) else {
            docket.skip("no read was served to anybody");
            return Ok(());
        };
        origins(context, docket, read).await?;
        headers(context, docket, read).await?;
        // The answers of one server have the same headers; a page needs one more than data does.
        let page = reads.iter().find(|read| read.endpoint.success("text/html").is_some());
        match page {
            Some(page) => policy(context, docket, page).await,
            None => Ok(()),
        }
    }
}

fn is_plain(endpoint: &Endpoint) -> bool {
    endpoint.is_read() && !endpoint.is_limited() && !endpoint.is_third_party
}

/// A read that was served.
struct Read<'r> {
    endpoint: &'r Endpoint,
    values: Values,
    session: Option<usize>,
}

impl Read<'_> {
    fn call(&self, context: &Context<'_>) -> Call {
        context.call(self.endpoint, &self.values, None, self.session)
    }
}

/// Asks as pages of other origins would. Two that are reflected show that any is.
async fn origins(context: &Context<'_>, docket: &mut Docket, read: &Read<'_>) -> Result<(), SendError> {
    let host = context.client.host();
    let origins =
        [EVIL.to_owned(), format!("https://{host}.evil.example"), format!("https://evil{host}"), "null".to_owned()];
    let mut trail = Trail::default();
    let plain = context.send(&mut trail, Label::Control, &read.call(context)).await?;
    let mut reflected = Vec::new();
    for origin in &origins {
        let attack = read.call(context).with_header("origin", origin.as_str());
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        if lets_read(&answer, origin) && !lets_read(&plain, origin) {
            reflected.push(origin.as_str());
        }
    }
    let preflight = Call::new(Method::OPTIONS, read.endpoint.path(&read.values))
        .with_header("origin", EVIL)
        .with_header("access-control-request-method", "DELETE")
        .with_header("access-control-request-headers", "authorization");
    let answer = context.send(&mut trail, Label::Attack, &preflight).await?;
    let may_write = lets_read(&answer, EVIL) && answer.is_success();
    let site = Site { operation: &read.endpoint.id, insertion: "header/origin" };
    if reflected.is_empty() && !may_write {
        docket.withstand(&rule::CORS_REFLECTED, site, "no foreign origin may read an answer", trail);
        return Ok(());
    }
    let summary = match reflected.as_slice() {
        [] => "a preflight lets any origin send requests with credentials".to_owned(),
        [one] => format!("pages of `{one}` may read answers with credentials"),
        [..] => "pages of any origin may read answers with credentials".to_owned(),
    };
    docket.prove(&rule::CORS_REFLECTED, site, summary, trail);
    Ok(())
}

fn lets_read(answer: &Answer, origin: &str) -> bool {
    answer.header("access-control-allow-origin") == Some(origin)
        && answer.header("access-control-allow-credentials") == Some("true")
}

async fn headers(context: &Context<'_>, docket: &mut Docket, read: &Read<'_>) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let answer = context.send(&mut trail, Label::Attack, &read.call(context)).await?;
    if !answer.is_success() {
        docket.skip(format!("`{}` is not served any more", read.endpoint.id));
        return Ok(());
    }
    let site = Site { operation: &read.endpoint.id, insertion: "response/headers" };
    if answer.header("x-content-type-options").is_some_and(|value| value.eq_ignore_ascii_case("nosniff")) {
        let reason = "answers have the headers that keep browsers from guessing";
        docket.withstand(&rule::HEADERS_MISSING, site, reason, trail.clone());
    } else {
        let summary = "the answer lacks `X-Content-Type-Options: nosniff`".to_owned();
        // Data that no browser takes for a page harms nobody by itself.
        docket.suspect(&rule::HEADERS_MISSING, site, summary, trail.clone());
    }
    let told: Vec<String> = ["server", "x-powered-by", "x-aspnet-version", "x-generator", "x-runtime"]
        .iter()
        .filter_map(|name| {
            answer.header(name).filter(|value| has_version(value)).map(|value| format!("`{name}: {value}`"))
        })
        .collect();
    if told.is_empty() {
        docket.withstand(&rule::VERSION_DISCLOSED, site, "no header tells a version", trail);
    } else {
        let summary = format!("the answer tells its software: {}", told.join(", "));
        // What a server says of itself unless it is told not to is no decision of the application.
        if told.iter().all(|one| one.starts_with("`server:")) {
            docket.suspect(&rule::VERSION_DISCLOSED, site, summary, trail);
        } else {
            docket.prove(&rule::VERSION_DISCLOSED, site, summary, trail);
        }
    }
    Ok(())
}

async fn policy(context: &Context<'_>, docket: &mut Docket, page: &Read<'_>) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let answer = context.send(&mut trail, Label::Attack, &page.call(context)).await?;
    let is_page = answer.is_success() && answer.media_type() == Some("text/html");
    let site = Site { operation: &page.endpoint.id, insertion: "response/headers" };
    if is_page && answer.header("content-security-policy").is_none() {
        let is_framed = answer.header("x-frame-options").is_none() && is_operated(&answer.text);
        if is_framed {
            let summary = "the page takes input, and any other page may frame it: it has neither `X-Frame-Options` \
                           nor a content security policy";
            docket.prove(&rule::HEADERS_MISSING, site, summary.to_owned(), trail);
        } else {
            docket.suspect(&rule::HEADERS_MISSING, site, "the page lacks a content security policy".to_owned(), trail);
        }
    } else {
        docket.withstand(&rule::HEADERS_MISSING, site, "the page has a content security policy", trail);
    }
    Ok(())
}

/// Whether somebody who is led to click on a page does something with it.
fn is_operated(page: &str) -> bool {
    let page = page.to_ascii_lowercase();
    ["<form", "<button", "<input"].iter().any(|element| page.contains(element))
}

/// A name alone is no secret; a version tells which known flaws to try.
fn has_version(value: &str) -> bool {
    value.chars().any(|character| character.is_ascii_digit())
}

const EVIL: &str = "https://evil.example";

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn only_the_same_origin_with_credentials_may_be_read() {
        let check = |origin: &'static str, credentials: &'static str, expect: bool| {
            let mut headers = HeaderMap::new();
            headers.insert("access-control-allow-origin", HeaderValue::from_static(origin));
            headers.insert("access-control-allow-credentials", HeaderValue::from_static(credentials));
            assert_eq!(lets_read(&Answer::new(StatusCode::OK, headers, b""), EVIL), expect, "{origin} {credentials}");
        };
        check(EVIL, "true", true);
        check(EVIL, "false", false);
        check("*", "true", false);
        check("https://own.example", "true", false);
    }
}
