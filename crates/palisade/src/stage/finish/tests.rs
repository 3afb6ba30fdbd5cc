//! What is on a response, whatever the application says.

use http::header::{REFERRER_POLICY, X_FRAME_OPTIONS};

use super::*;
use crate::csp::{self, Policy};
use crate::testing::{FixedEntropy, assert_stage, head, user};

/// The headers of a response of this application under these settings.
fn dressed(
    settings: FinishSettings,
    own: &[(&'static str, &'static str)],
    change: impl FnOnce(&mut Head),
) -> HeaderMap {
    let mut head = head("GET /");
    change(&mut head);
    let mut headers = HeaderMap::new();
    for (name, value) in own {
        headers.append(*name, HeaderValue::from_static(value));
    }
    dress(&mut headers, &Ready::new(settings), None, &mut head.facts);
    headers
}

fn by_default(own: &[(&'static str, &'static str)]) -> HeaderMap {
    dressed(FinishSettings::default(), own, |_| ())
}

const PAGE: (&str, &str) = ("content-type", "Text/HTML; charset=utf-8");

#[test]
fn removes_what_tells_the_software() {
    let headers = by_default(&[("server", "Apache/2.4"), ("x-powered-by", "PHP/8"), ("x-kept", "1")]);
    assert!(!headers.contains_key(SERVER) && !headers.contains_key("x-powered-by"));
    assert_eq!(headers["x-kept"], "1");
}

#[test]
fn programs_and_pages_have_their_policies() {
    let json = by_default(&[("content-type", "application/json")]);
    assert_eq!(json[CONTENT_SECURITY_POLICY], csp::API);
    assert_eq!(by_default(&[])[CONTENT_SECURITY_POLICY], csp::API);
    assert_eq!(by_default(&[("content-type", "image/svg+xml")])[CONTENT_SECURITY_POLICY], csp::API);
    let page = by_default(&[PAGE]);
    assert_eq!(page[CONTENT_SECURITY_POLICY], Policy::page().text());
    for headers in [json, page] {
        assert_eq!(headers["cross-origin-embedder-policy"], "require-corp");
        assert_eq!(headers["x-xss-protection"], "0");
        assert_eq!(headers["origin-agent-cluster"], "?1");
    }
}

#[test]
fn an_application_tightens_and_never_loosens() {
    let policies = |headers: &HeaderMap| -> Vec<String> {
        headers.get_all(CONTENT_SECURITY_POLICY).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let weak = "script-src * 'unsafe-inline' data:";
    let both = by_default(&[PAGE, ("content-security-policy", weak)]);
    assert_eq!(policies(&both), [&Policy::page().text(), weak]);
    let replaces =
        FinishSettings { application_policy: ApplicationPolicy::DangerReplaces, ..FinishSettings::default() };
    assert_eq!(policies(&dressed(replaces.clone(), &[PAGE, ("content-security-policy", weak)], |_| ())), [weak]);
    assert_eq!(policies(&dressed(replaces, &[PAGE], |_| ())), [Policy::page().text()]);

    let loose = FinishSettings {
        page: Policy::page().allow("frame-ancestors", "self").unwrap(),
        referrer: Referrer::StrictOrigin,
        resource: Resource::CrossOrigin,
        opener: Opener::SameOriginAllowPopups,
        ..FinishSettings::default()
    };
    for (name, own, strict, looser) in [
        ("x-frame-options", "ALLOWALL", "DENY", "SAMEORIGIN"),
        ("x-frame-options", "deny", "DENY", "deny"),
        ("referrer-policy", "unsafe-url", "no-referrer", "strict-origin"),
        ("referrer-policy", "same-origin", "no-referrer", "same-origin"),
        ("referrer-policy", "no-referrer, unsafe-url", "no-referrer", "strict-origin"),
        ("cross-origin-resource-policy", "same-site", "same-origin", "same-site"),
        ("cross-origin-opener-policy", "unsafe-none", "same-origin", "same-origin-allow-popups"),
        ("x-content-type-options", "off", "nosniff", "nosniff"),
        ("x-xss-protection", "1; mode=block", "0", "0"),
    ] {
        assert_eq!(by_default(&[PAGE, (name, own)])[name], strict, "{name}: {own}");
        assert_eq!(dressed(loose.clone(), &[PAGE, (name, own)], |_| ())[name], looser, "{name}: {own}");
    }
    let twice = dressed(loose, &[PAGE, ("referrer-policy", "no-referrer"), ("referrer-policy", "unsafe-url")], |_| ());
    assert_eq!(twice.get_all(REFERRER_POLICY).iter().collect::<Vec<_>>(), ["strict-origin"]);
}

#[test]
fn framing_by_others_is_said_in_the_policy_alone() {
    let page = Policy::page().allow("frame-ancestors", "https://portal.example.com").unwrap();
    let headers = dressed(FinishSettings { page, ..FinishSettings::default() }, &[PAGE], |_| ());
    assert!(!headers.contains_key(X_FRAME_OPTIONS));
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("frame-ancestors https://portal.example.com;"), "{policy}");
}

#[test]
fn what_a_page_embeds_of_others_decides_on_its_isolation() {
    let foreign = Policy::page().allow("img-src", "https://images.example.com").unwrap();
    let api = Policy::page().allow("connect-src", "https://api.example.com").unwrap();
    for (page, embedder, expect) in [
        (foreign.clone(), Embedder::WhereSafe, None),
        (foreign.clone(), Embedder::Credentialless, Some("credentialless")),
        (foreign, Embedder::RequireCorp, Some("require-corp")),
        (api, Embedder::WhereSafe, Some("require-corp")),
        (Policy::page(), Embedder::Unsaid, None),
    ] {
        let headers = dressed(FinishSettings { page, embedder, ..FinishSettings::default() }, &[PAGE], |_| ());
        assert_eq!(headers.get("cross-origin-embedder-policy").map(|v| v.to_str().unwrap()), expect);
    }
}

#[test]
fn hsts_is_for_tls() {
    assert!(!by_default(&[("strict-transport-security", "max-age=1")]).contains_key(STRICT_TRANSPORT_SECURITY));
    let own = &[("strict-transport-security", "max-age=0")];
    let tls = dressed(FinishSettings::default(), own, |head| head.facts.transport = Transport::Encrypted);
    assert_eq!(tls[STRICT_TRANSPORT_SECURITY], "max-age=63072000; includeSubDomains");
    let in_front = dressed(FinishSettings { tls: Tls::InFront, ..FinishSettings::default() }, &[], |_| ());
    assert_eq!(in_front[STRICT_TRANSPORT_SECURITY], tls[STRICT_TRANSPORT_SECURITY]);
}

#[test]
fn what_only_its_receiver_may_see_is_not_stored() {
    let private = FinishSettings { cache: Cache::Private, ..FinishSettings::default() };
    for (settings, own, known, expect) in [
        (FinishSettings::default(), &[("cache-control", "public, max-age=60")][..], false, "public, max-age=60"),
        (FinishSettings::default(), &[], false, "no-store"),
        (FinishSettings::default(), &[("cache-control", "public, max-age=60")], true, "no-store"),
        (FinishSettings::default(), &[("cache-control", "private, max-age=60")], true, "no-store"),
        (FinishSettings::default(), &[("cache-control", "max-age=60"), ("set-cookie", "a=1")], false, "no-store"),
        (private.clone(), &[("cache-control", "Private, max-age=60")], true, "Private, max-age=60"),
        (private.clone(), &[("cache-control", "public")], true, "no-store"),
        (private, &[], true, "no-store"),
    ] {
        let change = |head: &mut Head| {
            if known {
                head.facts.principal = user("u-1");
            }
        };
        assert_eq!(dressed(settings, own, change)[CACHE_CONTROL], expect, "{own:?}");
    }
}

#[test]
fn cookies_are_made_safe_and_odd_ones_noted() {
    let mut head = head("GET /");
    let mut headers = HeaderMap::new();
    for cookie in ["sid=secret-1", "wide=secret-2; SameSite=None", "secret-3"] {
        headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
    }
    dress(&mut headers, &Ready::new(FinishSettings::default()), None, &mut head.facts);
    let cookies: Vec<&HeaderValue> = headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(
        cookies,
        ["sid=secret-1; Secure; HttpOnly; SameSite=Lax", "wide=secret-2; Secure; HttpOnly; SameSite=Lax"]
    );
    let notes: Vec<Vec<_>> = head.facts.notes.iter().map(|note| note.evidence.iter().collect()).collect();
    assert_eq!(notes[0], [("cookie", "wide"), ("reason", "cross_site_not_declared"), ("effect", "changed")]);
    assert_eq!(notes[1], [("cookie", "-"), ("reason", "no_name"), ("effect", "withheld")]);
    assert!(!format!("{:?}", head.facts.notes).contains("secret"));
}

#[test]
fn reports_are_asked_for_on_pages() {
    let settings = FinishSettings {
        reports: Some("/reports".into()),
        page_report_only: Some(Policy::page().sandboxed(&[]).unwrap()),
        ..FinishSettings::default()
    };
    let page = dressed(settings.clone(), &[PAGE], |_| ());
    assert_eq!(page["reporting-endpoints"], "palisade=\"/reports\"");
    for name in ["content-security-policy", "content-security-policy-report-only"] {
        assert!(page[name].to_str().unwrap().ends_with("; report-to palisade; report-uri /reports"), "{name}");
    }
    assert!(!dressed(settings, &[], |_| ()).contains_key("reporting-endpoints"));
}

#[test]
fn every_looseness_is_told() {
    let loose = FinishSettings {
        page: Policy::page().allow("script-src", "self").unwrap().danger_inline_styles().danger_text_in_sinks(),
        application_policy: ApplicationPolicy::DangerReplaces,
        resource: Resource::CrossOrigin,
        opener: Opener::DangerAny,
        cache: Cache::Private,
        hsts: Hsts::new(std::time::Duration::from_secs(63_072_000), Reach::DangerHostOnly).unwrap(),
        cookies: crate::cookie::CookieSettings {
            readable: Vec::new(),
            cross_site: vec!["w".into()],
            danger_insecure: true,
        },
        ..FinishSettings::default()
    };
    assert_eq!(Finish::new(PerRoute::same(loose.clone())).dangers().len(), 10);
    assert_eq!(Finish::new(PerRoute::new(loose.clone(), vec![loose])).dangers().len(), 10, "each of them once");
    assert!(Finish::default().dangers().is_empty());
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&Finish::default());
    assert_stage(&Finish::default().minting(Arc::new(FixedEntropy(1))));
}
