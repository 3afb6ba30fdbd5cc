//! Resolves `[upstream.NAME]`.

use http::uri::PathAndQuery;
use http::{HeaderName, StatusCode};
use palisade::stage::guard::GuardSettings;
use palisade_core::diagnostic::Diagnostic;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::super::address::{self, Base};
use super::super::raw::{
    AddressesWord, BalanceWord, ConcurrencyWord, ProtocolWord, RawConcurrency, RawHealth, RawRetry, RawUpstream,
};
use super::super::scalar::{self, Fault};
use super::super::settings::Upstream;
use super::context::{At, Context};
use super::tls;
use crate::upstream::{
    Addresses, Balance, BudgetSettings, ClientIdentity, Concurrency, EjectSettings, EndpointSettings, GradientSettings,
    HashBy, HealthSettings, PoolSettings, Protocol, RetrySettings, TrustSettings, UpstreamSettings,
};

pub(crate) fn upstream(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawUpstream) -> Option<Upstream> {
    let endpoints = endpoints(cx, at, raw);
    let refresh = cx.value(&at.key("refresh"), &raw.refresh, scalar::duration);
    let connect_timeout = cx.value(&at.key("connect_timeout"), &raw.connect_timeout, scalar::duration);
    let idle_timeout = cx.value(&at.key("idle_timeout"), &raw.idle_timeout, scalar::duration);
    let pause = cx.value(&at.key("pause"), &raw.pause, scalar::duration);
    let balance = balance(cx, at, raw);
    let trust = trust(cx, at, raw);
    let health = match &raw.health {
        None => Some(None),
        Some(raw) => health(cx, &at.key("health"), raw).map(Some),
    };
    let base = cx.value(&at.key("eject").key("base"), &raw.eject.base, scalar::duration);
    let several = raw.urls.len() > 1 || raw.addresses == AddressesWord::All;
    let retry = retry(cx, &at.key("retry"), &raw.retry, several);
    let concurrency = match &raw.concurrency {
        None => Some(None),
        Some(raw) => concurrency(cx, &at.key("concurrency"), raw).map(Some),
    };
    let backend = UpstreamSettings {
        endpoints: endpoints?,
        addresses: match raw.addresses {
            AddressesWord::All => Addresses::All,
            AddressesWord::First => Addresses::First,
        },
        refresh: refresh?,
        balance: balance?,
        protocol: match raw.protocol {
            ProtocolWord::Auto => Protocol::Auto,
            ProtocolWord::H1 => Protocol::H1,
            ProtocolWord::H2 => Protocol::H2,
        },
        connect_timeout: connect_timeout?,
        pool: PoolSettings {
            max_connections: raw.max_connections as usize,
            max_idle: raw.max_idle as usize,
            idle_timeout: idle_timeout?,
            max_waiting: raw.max_waiting as usize,
            max_streams: raw.max_streams as usize,
        },
        trust: trust?,
        min_healthy: raw.min_healthy,
        health: health?,
        eject: EjectSettings { failures: raw.eject.failures, base: base?, max_ejected: raw.eject.max_ejected },
        retry: retry?,
        concurrency: concurrency?,
    };
    let guard = GuardSettings { failures: raw.failures, pause: pause?, probes: raw.probes };
    Some(Upstream { name: name.into(), backend, guard })
}

fn endpoints(cx: &mut Context<'_>, at: &At, raw: &RawUpstream) -> Option<Vec<EndpointSettings>> {
    let bases: Vec<Base> = match &raw.url {
        Some(_) if !raw.urls.is_empty() => {
            let fault =
                Fault::new("conflicting-keys", "`url` and `urls` both say where the backend is", "remove `url`");
            cx.fault(&at.key("url"), fault);
            return None;
        }
        Some(url) => {
            let base = cx.value(&at.key("url"), url, address::base)?;
            warn_of_cleartext(cx, &at.key("url"), &base);
            vec![base]
        }
        None if raw.urls.is_empty() => {
            let help = "write `url = \"http://127.0.0.1:9000\"`, or `urls` and a list";
            cx.fault(at, Fault::new("missing-key", "`url` is missing", help));
            return None;
        }
        None => {
            let bases = cx.list(&at.key("urls"), &raw.urls, address::base)?;
            for (place, base) in bases.iter().enumerate() {
                let at = at.key("urls").item(place);
                warn_of_cleartext(cx, &at, base);
                if bases.iter().take(place).any(|earlier| earlier == base) {
                    let message = format!("`{}` is listed twice", base.authority);
                    cx.fault(&at, Fault::new("duplicate-url", message, "remove one of them, or give it a weight"));
                    return None;
                }
            }
            bases
        }
    };
    if raw.ca.is_some() && !bases.iter().any(Base::is_secure) {
        let diagnostic = Diagnostic::warning("unused-key", "`ca` says nothing about an `http` backend");
        cx.report(&at.key("ca"), diagnostic.help("use `https` in `url`, or remove `ca`"));
    }
    if !raw.weights.is_empty() && raw.weights.len() != bases.len() {
        let message = format!("there are {} weights for {} URLs", raw.weights.len(), bases.len());
        let help = "write one weight for each of `urls`, in their order";
        cx.fault(&at.key("weights"), Fault::new("bad-weights", message, help));
        return None;
    }
    if let Some(bad) = raw.weights.iter().position(|weight| !(1..=MOST_WEIGHT).contains(weight)) {
        let help = format!("write a number from 1 to {MOST_WEIGHT}; to send it nothing, remove the URL");
        let fault = Fault::new("out-of-range", "this weight is out of range", help);
        cx.fault(&at.key("weights").item(bad), fault);
        return None;
    }
    let weights = raw.weights.iter().copied().chain(std::iter::repeat(1));
    let endpoint =
        |(base, weight): (Base, u32)| EndpointSettings { scheme: base.scheme, authority: base.authority, weight };
    Some(bases.into_iter().zip(weights).map(endpoint).collect())
}

fn warn_of_cleartext(cx: &mut Context<'_>, at: &At, url: &Base) {
    if url.is_secure() || address::is_loopback_host(url.authority.host()) {
        return;
    }
    let message = format!("requests to `{}` are not encrypted, credentials and personal data included", url.authority);
    let help = "use `https`, with `ca` if the certificate is your own; or let a sidecar on 127.0.0.1 encrypt";
    cx.report(at, Diagnostic::warning("upstream-cleartext", message).help(help));
}

fn balance(cx: &mut Context<'_>, at: &At, raw: &RawUpstream) -> Option<Balance> {
    let is_hash = raw.balance == BalanceWord::ConsistentHash;
    match (&raw.hash_by, is_hash) {
        (None, true) => {
            let help = "write `hash_by = \"client\"`, `\"principal\"`, `\"path\"`, or `\"header:NAME\"`";
            let message = "`consistent-hash` needs to know what the endpoint depends on";
            cx.fault(&at.key("balance"), Fault::new("missing-key", message, help));
            None
        }
        (Some(_), false) => {
            let diagnostic = Diagnostic::warning("unused-key", "`hash_by` says nothing without `consistent-hash`");
            cx.report(
                &at.key("hash_by"),
                diagnostic.help("write `balance = \"consistent-hash\"`, or remove `hash_by`"),
            );
            Some(plain(raw.balance))
        }
        (None, false) => Some(plain(raw.balance)),
        (Some(hash), true) => cx.value(&at.key("hash_by"), hash, hash_by).map(Balance::ConsistentHash),
    }
}

fn plain(word: BalanceWord) -> Balance {
    match word {
        BalanceWord::LeastRequests => Balance::LeastRequests,
        BalanceWord::ConsistentHash | BalanceWord::RoundRobin => Balance::RoundRobin,
    }
}

fn hash_by(text: &str) -> Result<HashBy, Fault> {
    let header = text.strip_prefix("header:").map(|name| name.parse::<HeaderName>());
    match (text, header) {
        ("client", _) => Ok(HashBy::Client),
        ("path", _) => Ok(HashBy::Path),
        ("principal", _) => Ok(HashBy::Principal),
        (_, Some(Ok(name))) => Ok(HashBy::Header(name)),
        _ => {
            let help = "write `client`, `principal`, `path`, or `header:` and the name of a header";
            Err(Fault::new("bad-hash", format!("an endpoint cannot depend on `{text}`"), help))
        }
    }
}

fn trust(cx: &mut Context<'_>, at: &At, raw: &RawUpstream) -> Option<TrustSettings> {
    let anchors = match &raw.ca {
        None if raw.only_ca => {
            let help = "name the file with the certificates to trust as `ca`";
            cx.fault(&at.key("only_ca"), Fault::new("missing-key", "`only_ca` without `ca` trusts nobody", help));
            None
        }
        None => Some(Vec::new()),
        Some(file) => tls::anchors(cx, &at.key("ca"), file),
    };
    let identity = match (&raw.cert, &raw.key) {
        (None, None) => Some(None),
        (Some(cert), Some(key)) => identity(cx, at, cert, key).map(Some),
        (Some(_), None) | (None, Some(_)) => {
            let there = if raw.cert.is_some() { "cert" } else { "key" };
            let fault = Fault::new("missing-key", "a certificate needs its key", "write both `cert` and `key`");
            cx.fault(&at.key(there), fault);
            None
        }
    };
    let server_name = match &raw.server_name {
        None => Some(None),
        Some(name) => cx.value(&at.key("server_name"), name, server_name).map(Some),
    };
    Some(TrustSettings { anchors: anchors?, only_anchors: raw.only_ca, server_name: server_name?, identity: identity? })
}

fn identity(cx: &mut Context<'_>, at: &At, cert: &str, key: &str) -> Option<ClientIdentity> {
    let key_at = at.key("key");
    let chain = tls::certificates(cx, &at.key("cert"), cert);
    let pem = cx.file_ref(&key_at, key)?;
    let Ok(der) = PrivateKeyDer::from_pem_slice(&pem) else {
        let help = "the file must have a `-----BEGIN PRIVATE KEY-----` block without a passphrase";
        cx.fault(&key_at, Fault::new("bad-key", format!("`{key}` has no private key"), help));
        return None;
    };
    let identity = ClientIdentity::new(chain?, der);
    let mismatch = |_| {
        let help = "take the key that the certificate was requested with";
        cx.fault(&key_at, Fault::new("key-mismatch", format!("`{key}` is not the key of `{cert}`"), help));
    };
    identity.map_err(mismatch).ok()
}

fn server_name(text: &str) -> Result<Box<str>, Fault> {
    let help = "write a host name such as `orders.internal`, or an IP address";
    let bad = |_| Fault::new("bad-name", format!("`{text}` is not a name that a certificate can have"), help);
    rustls::pki_types::ServerName::try_from(text).map(|_| text.into()).map_err(bad)
}

fn health(cx: &mut Context<'_>, at: &At, raw: &RawHealth) -> Option<HealthSettings> {
    let path = cx.value(&at.key("path"), raw.path.as_str(), health_path);
    let interval = cx.value(&at.key("interval"), &raw.interval, scalar::duration);
    let timeout = cx.value(&at.key("timeout"), &raw.timeout, scalar::duration);
    let mut expect = Some(Vec::new());
    for (place, status) in raw.expect.iter().enumerate() {
        match (StatusCode::from_u16(*status), &mut expect) {
            (Ok(status), Some(expect)) => expect.push(status),
            (Ok(_), None) => {}
            (Err(_), _) => {
                let fault = Fault::new("bad-status", format!("`{status}` is not a status"), "write 100 to 999");
                cx.fault(&at.key("expect").item(place), fault);
                expect = None;
            }
        }
    }
    Some(HealthSettings {
        path: path?,
        interval: interval?,
        timeout: timeout?,
        healthy: raw.healthy,
        unhealthy: raw.unhealthy,
        expect: expect?,
    })
}

fn health_path(text: &str) -> Result<PathAndQuery, Fault> {
    let bad = || Fault::new("bad-path", format!("`{text}` is not a path"), "write a path such as `/healthz`");
    if !text.starts_with('/') {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

fn retry(cx: &mut Context<'_>, at: &At, raw: &RawRetry, several: bool) -> Option<RetrySettings> {
    let mut optional = |key: &str, text: &Option<super::super::raw::Span>| match text {
        None => Some(None),
        Some(text) => cx.value(&at.key(key), text, scalar::duration).map(Some),
    };
    let try_timeout = optional("try_timeout", &raw.try_timeout);
    let hedge_after = optional("hedge_after", &raw.hedge_after);
    Some(RetrySettings {
        attempts: raw.attempts.unwrap_or(if several { 2 } else { 1 }),
        try_timeout: try_timeout?,
        hedge_after: hedge_after?,
        budget: BudgetSettings { percent: raw.budget.percent, floor: raw.budget.floor },
    })
}

fn concurrency(cx: &mut Context<'_>, at: &At, raw: &RawConcurrency) -> Option<Concurrency> {
    match raw.mode {
        ConcurrencyWord::Fixed => Some(Concurrency::Fixed(raw.max)),
        ConcurrencyWord::Gradient2 if raw.min > raw.max => {
            let message = format!("the least is {} and the most is {}", raw.min, raw.max);
            cx.fault(&at.key("min"), Fault::new("out-of-range", message, "write a `min` of at most `max`"));
            None
        }
        ConcurrencyWord::Gradient2 => Some(Concurrency::Gradient(GradientSettings { min: raw.min, max: raw.max })),
    }
}

const MOST_WEIGHT: u32 = 1000;
