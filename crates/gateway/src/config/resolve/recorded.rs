//! Resolves `[api_keys.NAME]` and `[sessions.NAME]`.

use palisade::credential::stored_api_key::ApiKeyForm;
use palisade::session::{CookieSite, SessionCookie};
use palisade_core::diagnostic::Diagnostic;

use super::super::raw::{RawApiKeys, RawConfig, RawSessions};
use super::super::scalar::{self, Fault};
use super::super::settings::{ApiKeys, Sessions};
use super::context::{At, Context};
use super::keys::header;

pub(crate) fn api_keys(cx: &mut Context<'_>, raw: &RawConfig) -> Vec<ApiKeys> {
    cx.each("api_keys", &raw.api_keys, |cx, at, name, section: &RawApiKeys| {
        needs_records(cx, at, raw);
        let header = cx.value(&at.key("header"), &section.header, header);
        let form = cx.value(&at.key("prefix"), &section.prefix, form);
        Some(ApiKeys { name: name.into(), header: header?, form: form? })
    })
}

pub(crate) fn sessions(cx: &mut Context<'_>, raw: &RawConfig) -> Vec<Sessions> {
    cx.each("sessions", &raw.sessions, |cx, at, name, section: &RawSessions| {
        needs_records(cx, at, raw);
        let cookie = cx.value(&at.key("cookie"), &section.cookie, cookie);
        let max_age = match &section.max_age {
            None => Some(None),
            Some(text) => cx.value(&at.key("max_age"), text, scalar::duration).map(Some),
        };
        Some(Sessions { name: name.into(), cookie: cookie?, max_age: max_age? })
    })
}

fn needs_records(cx: &mut Context<'_>, at: &At, raw: &RawConfig) {
    if raw.store.records.url.is_none() {
        let help = "add `[store.records]` with the `url` of the store: `sqlite:PATH` or `postgres://HOST:PORT/DB`";
        cx.report(at, Diagnostic::error("missing-key", "it is not said where these are kept").help(help));
    }
}

fn form(text: &str) -> Result<ApiKeyForm, Fault> {
    ApiKeyForm::new(text).ok_or_else(|| {
        let help = "write up to 32 small letters and digits, with `_` between them, such as `acme_live`";
        Fault::new("bad-prefix", format!("`{text}` cannot begin a key"), help)
    })
}

fn cookie(text: &str) -> Result<SessionCookie, Fault> {
    // How the cookie is set is the application's matter: here it is read, and taken away.
    SessionCookie::new(text, CookieSite::default()).map_err(|_| {
        let help = "write a name such as `session`, without the `__Host-` with which browsers know it";
        Fault::new("bad-cookie", format!("`{text}` cannot be the name of the cookie"), help)
    })
}
