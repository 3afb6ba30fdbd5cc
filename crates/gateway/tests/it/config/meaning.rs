//! What valid configurations mean.

use std::time::Duration;

use palisade::body::inflate::Coding;
use palisade::limit::OnFailure;
use palisade::stage::admit::Places;
use palisade::stage::client::{Speak, Trust};
use palisade::stage::route::PathPattern;
use palisade_core::operation::{Limit, LimitBy};
use palisade_core::port::counter::{self, Ipv6Prefix};
use palisade_core::principal::ScopeSet;
use palisade_gateway::config::settings::{
    Algorithm, Authenticate, BearerKeys, CorsOrigins, CredentialRef, Credentials, Events, Settings, Store,
};

use super::{SMALL, fixtures, parse};

fn settings(text: &str) -> Settings {
    match parse(text) {
        Ok(loaded) => loaded.settings,
        Err(diagnostics) => panic!("{}", diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn defaults_are_the_strict_ones() {
    let loaded = parse(SMALL).unwrap();
    assert_eq!(loaded.diagnostics, []);
    let [route] = loaded.settings.routes.as_slice() else { panic!() };
    assert_eq!(route.path, PathPattern::Prefix("".into()));
    assert_eq!(route.authenticate, Authenticate::Gateway(vec![]));
    assert_eq!(route.credentials, Credentials::Forward);
    assert_eq!((route.timeout, route.body_timeout), (Duration::from_secs(30), Duration::from_secs(10)));
    assert_eq!(route.max_body, 1 << 20);
    assert_eq!(route.throttle, [Limit::new(100, Duration::from_secs(1), LimitBy::Client)]);
    assert_eq!((route.body_min_rate, route.places), (240, Places::Common));
    assert!(route.accept_encoding.is_empty() && loaded.settings.limits.throttle.is_empty());
    assert_eq!(loaded.settings.limits.ipv6_prefix, Ipv6Prefix::default());
    assert_eq!(loaded.settings.stores.timeout, Duration::from_millis(100));
    assert!(
        route.cors.is_none()
            && route.csrf.trusted_origins.is_empty()
            && route.csrf.tokens.is_none()
            && !route.danger_allow_markup
    );
    assert_eq!(loaded.settings.stores.store, Store::Memory);
    assert_eq!(loaded.settings.events, Events::Stderr);
}

#[test]
fn every_key_of_the_vocabulary_is_read() {
    let loaded = parse(FULL).unwrap();
    let slugs: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code()).collect();
    assert_eq!(slugs, ["danger", "upstream-cleartext", "danger", "danger", "danger", "danger"]);
    let settings = &loaded.settings;
    let names: Vec<_> = settings.listen.iter().map(|listen| listen.name.as_ref()).collect();
    assert_eq!(names, ["public", "admin"]);
    assert!(settings.listen[0].tls.is_some());
    assert_eq!(settings.listen[0].proxies.speak, Speak::Forwarded);
    assert_eq!(settings.listen[0].proxy_protocol, ["10.0.0.7/32".parse().unwrap()]);
    assert!(matches!(settings.listen[1].proxies.trust, Trust::DangerHops(hops) if hops.get() == 1));
    assert_eq!((settings.routes[0].client.allow.len(), settings.routes[0].client.deny.len()), (1, 1));
    assert_eq!(settings.limits.head_timeout, Duration::from_secs(5));
    assert_eq!(settings.upstream("tls").unwrap().backend.trust.anchors.len(), 1);
    let route = &settings.routes[0];
    let bearer = CredentialRef::Bearer("main".into());
    assert_eq!(route.authenticate, Authenticate::Gateway(vec![bearer, CredentialRef::Keys("partners".into())]));
    assert_eq!(route.credentials, Credentials::Strip);
    assert_eq!(route.host.as_deref(), Some("api.example.com"));
    let cors = route.cors.as_ref().unwrap();
    assert_eq!(cors.origins, CorsOrigins::These(vec!["https://app.example.com".to_owned()]));
    assert_eq!(route.csrf.trusted_origins, ["https://app.example.com"]);
    assert_eq!(settings.routes[1].authenticate, Authenticate::Backend);
    assert_eq!(settings.routes[1].credentials, Credentials::Forward);
    let limit = |requests, secs, by| Limit::new(requests, Duration::from_secs(secs), by);
    let uncounted = Limit { on_failure: OnFailure::Allow, ..limit(10, 1, LimitBy::Client) };
    let hourly = Limit { cost: 2, on_failure: OnFailure::Local, ..limit(1000, 3600, LimitBy::All) };
    let hourly = Limit { algorithm: counter::Algorithm::SlidingWindow, ..hourly };
    assert_eq!(route.throttle, [uncounted, hourly]);
    assert_eq!(settings.limits.throttle, [limit(5000, 1, LimitBy::All)]);
    assert_eq!(settings.limits.ipv6_prefix, Ipv6Prefix::new(56).unwrap());
    assert_eq!(settings.stores.timeout, Duration::from_millis(50));
    assert_eq!((route.body_min_rate, &route.accept_encoding[..]), (1024, &[Coding::Gzip, Coding::Deflate][..]));
    assert_eq!((route.endless_body, settings.routes[1].endless_body), (true, false));
    assert_eq!((route.places, settings.routes[1].places), (Places::Among(8), Places::Reserved(2)));
    let bearer = settings.bearer("main").unwrap();
    assert_eq!(bearer.algorithms, [Algorithm::Es256]);
    assert_eq!(&*bearer.roles_claim.0, [Box::<str>::from("realm_access"), "roles".into()]);
    assert_eq!(&*bearer.tenant_claim.0, [Box::<str>::from("https://example.com/tenant")]);
    let BearerKeys::Secret(secret) = &settings.bearer("shared").unwrap().keys else { panic!() };
    assert_eq!(secret.expose().len(), 32, "the line break at the end of a text is not part of the key");
    assert_eq!(format!("{:?}", settings.bearer("shared").unwrap().keys), "Secret(..)");
    let key = &settings.keys("partners").unwrap().keys[0];
    assert_eq!((key.hash[0], key.hash[31]), (0x01, 0xff));
    assert_eq!(key.scopes, ScopeSet::from_iter(["orders:read"]));
    assert_eq!(settings.roles, [("admin".to_owned(), "support".to_owned())]);
    assert_eq!(settings.stores.store, Store::Sqlite(fixtures().join("palisade.db")));
    assert_eq!(settings.events, Events::File(fixtures().join("events.jsonl")));
}

#[test]
fn spans_lead_back_to_the_text() {
    let loaded = parse(FULL).unwrap();
    for (path, expect) in [
        (&["route", "api", "public", "0"][..], Some("\"listItems\"")),
        (&["route", "api"], Some("[route.api]")),
        (&["route", "api", "throttle", "0", "per"], Some("\"1s\"")),
        (&["keys", "partners", "key", "0", "client"], Some("\"partner-1\"")),
        (&["route", "api", "danger_nothing"], None),
    ] {
        assert_eq!(loaded.span(path).and_then(|span| loaded.source.text().get(span)), expect, "{path:?}");
    }
}

#[test]
fn a_preset_says_how_much_one_client_may_ask() {
    for (preset, expect) in [("browser-app", 300), ("internal", 1000), ("public-api", 100)] {
        let text = SMALL.replace("version = 1", &format!("version = 1\npreset = \"{preset}\""));
        assert_eq!(settings(&text).routes[0].throttle[0].requests, expect, "{preset}");
    }
}

#[test]
fn prefixes_end_at_a_slash() {
    for (pattern, path, expect) in [
        ("/**", "/", true),
        ("/**", "/x/y", true),
        ("/orders/**", "/orders", true),
        ("/orders/**", "/orders/", true),
        ("/orders/**", "/orders/1", true),
        ("/orders/**", "/orders-old", false),
        ("/orders", "/orders", true),
        ("/orders", "/orders/", false),
    ] {
        let route = &settings(&SMALL.replace("/**", pattern)).routes[0];
        assert_eq!(route.path.takes(path), expect, "{pattern} {path}");
    }
}

/// A configuration with every key.
pub(super) const FULL: &str = r#"
version = 1
preset = "public-api"

[listen.public]
address = "0.0.0.0:8443"
tls = { cert = "file:server.cert.pem", key = "file:server.key.pem" }
trusted_proxies = ["10.0.0.0/8"]
forwarded_header = "forwarded"
proxy_protocol = ["10.0.0.7"]

[listen.admin]
address = "[::1]:8081"
danger_trusted_hops = 1

[upstream.api]
url = "http://orders.internal:9000"
connect_timeout = "500ms"
failures = 3
pause = "1m"

[upstream.tls]
url = "https://127.0.0.1:9443"
ca = "file:server.cert.pem"

[contract.api]
openapi = "openapi.yaml"

[route.api]
host = "API.example.com"
path = "/orders/**"
upstream = "api"
contract = "api"
authenticate = ["bearer.main", "keys.partners"]
public = ["listItems"]
responses = "report"
timeout = "5s"
body_timeout = "3s"
max_body = "64KiB"
throttle = [
  { requests = 10, per = "1s", on_failure = "allow" },
  { requests = 1000, per = "1h", by = "all", algorithm = "sliding-window", cost = 2, on_failure = "local" },
]
body_min_rate = "1KiB"
endless_body = true
accept_encoding = ["gzip", "deflate"]
max_concurrent = 8
cors = { origins = ["https://app.example.com"], methods = ["PUT"], headers = ["x-a"], expose = ["etag"], credentials = true, max_age = "1h" }
csrf = { trusted_origins = ["https://app.example.com"] }
client = { allow = ["10.0.0.0/8"], deny = ["10.1.0.0/16"] }
danger_allow_markup = true

[route.behind]
path = "/behind"
upstream = "tls"
contract = "api"
authenticate = "backend"
reserved_concurrent = 2

[route.shared]
path = "/shared/**"
upstream = "tls"
contract = "api"
authenticate = ["bearer.shared"]
credentials = "forward"
responses = "off"

[bearer.main]
issuer = "https://id.example.com"
audience = "orders"
jwks = "https://id.example.com/jwks"
algorithms = ["ES256"]
type = "jwt"
leeway = "0s"
roles_claim = "realm_access.roles"
tenant_claim = "https://example.com/tenant"

[bearer.shared]
issuer = "legacy"
audience = "orders"
secret = "file:hs256.key"

[keys.partners]
header = "X-Partner-Key"
[[keys.partners.key]]
hash = "sha256:01000000000000000000000000000000000000000000000000000000000000ff"
client = "partner-1"
scopes = ["orders:read"]
roles = ["partner"]
expires = "2027-01-01T00:00:00Z"

[roles]
admin = ["support"]

[client]
allow = ["10.0.0.0/8", "127.0.0.1"]
deny = ["10.9.0.0/16"]

[limits]
max_uri = "4KiB"
max_headers = "16KiB"
head_timeout = "5s"
max_concurrent = 64
ipv6_prefix = 56
throttle = { requests = 5000, per = "1s", by = "all" }

[store]
url = "sqlite:palisade.db"
timeout = "50ms"

[events]
output = "file:events.jsonl"
"#;
