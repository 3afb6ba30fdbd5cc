//! What would let an attack through does not start: CORS, policies, cookies, HSTS and tokens, each with its reason.

use expect_test::expect;

use super::rules::check_each;

/// A second route with these keys.
fn route(keys: &str) -> String {
    format!("[route.b]\npath = \"/b\"\nupstream = \"api\"\ncontract = \"api\"\n{keys}\n")
}

#[test]
fn unsafe_cors_does_not_start() {
    let cases = [
        r#"cors = { origins = ["*"], credentials = true }"#,
        r#"cors = { origins = ["https://*.example.com"], credentials = true }"#,
        r#"cors = { origins = ["https://*.com"] }"#,
        r#"cors = { origins = ["http://*.example.com"] }"#,
        r#"cors = { origins = ["*.example.com"] }"#,
        r#"cors = { origins = ["null"] }"#,
        r#"cors = { origins = ["https://app.example.com/"] }"#,
        r#"cors = { origins = ["https://*.example.com", "https://partner.example"] }"#,
    ];
    check_each(
        &cases,
        route,
        &expect![[r#"
        cors = { origins = ["*"], credentials = true }
            5 cors-any-origin: with credentials, `*` would let every web page read what its visitor may see
              (name the origins that you mean, or remove `credentials`)
        cors = { origins = ["https://*.example.com"], credentials = true }
            5 cors-subdomains: with credentials, whoever takes over a forgotten subdomain reads what your users may see
              (name the origins that you mean, or remove `credentials`)
        cors = { origins = ["https://*.com"] }
            5 bad-origin: `https://*.com` is not an origin: the domain must be a name of at least two labels, without a port
              (write `https://*.example.com`: over TLS, below a domain of your own, without a port)
        cors = { origins = ["http://*.example.com"] }
            5 bad-origin: `http://*.example.com` is not an origin: write it like `https://*.example.com`
              (write `https://*.example.com`: over TLS, below a domain of your own, without a port)
        cors = { origins = ["*.example.com"] }
            5 bad-origin: `*.example.com` is not an origin: write it like `https://*.example.com`
              (write `https://*.example.com`: over TLS, below a domain of your own, without a port)
        cors = { origins = ["null"] }
            5 bad-origin: `null` is not an origin
              (any page can have the origin `null`, in a sandboxed frame: name the origins that you mean)
        cors = { origins = ["https://app.example.com/"] }
            5 bad-origin: `https://app.example.com/` is not an origin
              (browsers write it `https://app.example.com`)
        cors = { origins = ["https://*.example.com", "https://partner.example"] }
            fine
    "#]],
    );
}

#[test]
fn unsafe_policies_do_not_start() {
    let cases = [
        r#"headers.csp = { script-src = ["'unsafe-inline'"] }"#,
        r#"headers.csp = { script-src = ["self", "*", "data:"] }"#,
        r#"headers.csp = { script-src = ["http://cdn.example.com"] }"#,
        r#"headers.csp = { script-src = ["https://*.example.com"] }"#,
        r#"headers.csp = { base-uri = ["self"] }"#,
        r#"headers.csp = { object-src = ["self"] }"#,
        r#"headers.csp = { frame-ancestors = ["*"] }"#,
        r#"headers.csp = { img-scr = ["self"] }"#,
        r#"headers.csp = { sandbox = ["allow-top-navigation"] }"#,
        r#"headers.csp_report_only = { script-src = ["'unsafe-eval'"] }"#,
        r#"headers.permissions = { camera = ["*"] }"#,
        r#"headers.referrer = "unsafe-url""#,
        r#"headers.resource = "any""#,
        r#"headers.csp = { img-src = ["https://images.example.com", "data:"], script-src = ["sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="] }"#,
    ];
    check_each(
        &cases,
        route,
        &expect![[r#"
        headers.csp = { script-src = ["'unsafe-inline'"] }
            5 csp-unsafe: `'unsafe-inline'` cannot stand in `script-src`: every injected script or style would run
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { script-src = ["self", "*", "data:"] }
            5 csp-unsafe: `*` cannot stand in `script-src`: an attacker's own server is a source, too
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
            5 csp-unsafe: `data:` cannot stand in `script-src`: an injected URL would hold the whole attack
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { script-src = ["http://cdn.example.com"] }
            5 csp-unsafe: `http://cdn.example.com` cannot stand in `script-src`: whoever sits on the network could replace what comes from there
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { script-src = ["https://*.example.com"] }
            5 csp-unsafe: `https://*.example.com` cannot stand in `script-src`: a forgotten subdomain that an attacker takes over would be trusted
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { base-uri = ["self"] }
            5 csp-unsafe: `self` cannot stand in `base-uri`: an injected `<base>` would send every relative script of the page to an attacker
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { object-src = ["self"] }
            5 csp-unsafe: `self` cannot stand in `object-src`: a plugin runs outside of every other rule of the policy
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { frame-ancestors = ["*"] }
            5 csp-unsafe: `*` cannot stand in `frame-ancestors`: an attacker's own server is a source, too
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { img-scr = ["self"] }
            5 csp-unsafe: `self` cannot stand in `img-scr`: there is no such directive to add sources to
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp = { sandbox = ["allow-top-navigation"] }
            5 csp-unsafe: `allow-top-navigation` cannot stand in `sandbox`: this is no flag of a sandbox: write one such as `allow-forms` or `allow-scripts`
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.csp_report_only = { script-src = ["'unsafe-eval'"] }
            5 csp-unsafe: `'unsafe-eval'` cannot stand in `script-src`: text that reaches `eval` or a module would run
              (name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script)
        headers.permissions = { camera = ["*"] }
            5 bad-permission: `*` cannot be given a feature: every frame, or whoever sits on the network, could use it; write `self` or an origin such as `https://meet.example.com`
              (write `self`, or the origin of a frame such as `https://meet.example.com`)
        headers.referrer = "unsafe-url"
            5 unknown-value: `route.b.headers.referrer` cannot be `unsafe-url`
              (choose one of `no-referrer`, `same-origin`, `strict-origin`, `strict-origin-when-cross-origin`)
        headers.resource = "any"
            5 unknown-value: `route.b.headers.resource` cannot be `any`
              (choose one of `cross-origin`, `same-origin`, `same-site`)
        headers.csp = { img-src = ["https://images.example.com", "data:"], script-src = ["sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="] }
            fine
    "#]],
    );
}

#[test]
fn what_weakens_is_told() {
    let cases = [
        r#"headers.csp = { script-src = ["self"], frame-ancestors = ["https://portal.example.com"] }"#,
        "headers.danger_backend_csp = true",
        "headers.danger_inline_styles = true",
        "headers.danger_text_in_sinks = true",
        "headers.danger_any_opener = true",
        "headers.danger_insecure_cookies = true",
        "headers.private_cache = true",
        r#"headers.resource = "cross-origin""#,
        "csrf = { danger_trust_siblings = true, danger_embedding = true }",
    ];
    check_each(
        &cases,
        route,
        &expect![[r#"
        headers.csp = { script-src = ["self"], frame-ancestors = ["https://portal.example.com"] }
            5 danger: https://portal.example.com may show pages in a frame
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
            5 danger: pages run every script of 'self'
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.danger_backend_csp = true
            5 danger: the application's own Content-Security-Policy replaces ours
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.danger_inline_styles = true
            5 danger: injected styles apply to pages
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.danger_text_in_sinks = true
            5 danger: scripts of pages may turn text into script
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.danger_any_opener = true
            5 danger: pages share windows with whoever opens them
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.danger_insecure_cookies = true
            5 danger: cookies are sent without TLS
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.private_cache = true
            5 danger: browsers may keep answers to known principals
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.resource = "cross-origin"
            5 danger: every site may embed responses
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        csrf = { danger_trust_siblings = true, danger_embedding = true }
            5 danger: whoever takes over a forgotten subdomain acts for your users
              (name the origins that you mean in `trusted_origins`, or remove it)
            5 danger: other sites can measure what a user's credential opens
              (name the origins that you mean in `trusted_origins`, or remove it)
    "#]],
    );
}

#[test]
fn unsafe_cookies_and_tokens_do_not_start() {
    let cases = [
        r#"headers.cross_site_cookies = ["widget"]"#,
        r#"headers.readable_cookies = ["a; Domain=example.com"]"#,
        r#"csrf = { trusted_origins = ["*"] }"#,
        r#"csrf = { trusted_origins = ["null"] }"#,
        r#"csrf = { login_paths = ["login"] }"#,
        r#"csrf.tokens = { key = "file:short.key", session_cookie = "__Host-sid" }"#,
        r#"csrf.tokens = { key = "file:none.key", session_cookie = "__Host-sid" }"#,
        r#"csrf.tokens = { key = "file:csrf.key", session_cookie = "sid" }"#,
        r#"csrf.tokens = { key = "file:csrf.key", session_cookie = "__Host-sid", demand = "never" }"#,
        r#"csrf.tokens = { key = "file:csrf.key", former_key = "file:hs256.key", session_cookie = "__Host-sid" }"#,
    ];
    check_each(
        &cases,
        route,
        &expect![[r#"
        headers.cross_site_cookies = ["widget"]
            5 danger: the cookie `widget` is sent with other sites' requests
              (every page and caller of the route is concerned: keep it to a route of its own, or remove it)
        headers.readable_cookies = ["a; Domain=example.com"]
            5 bad-name: `a; Domain=example.com` cannot be the name of a cookie
              (write it as the backend sets it)
        csrf = { trusted_origins = ["*"] }
            5 bad-origin: `*` is not an origin
              (write scheme, host and, unless it is the scheme's own, port: `https://app.example.com`)
        csrf = { trusted_origins = ["null"] }
            5 bad-origin: `null` is not an origin
              (any page can have the origin `null`, in a sandboxed frame: name the origins that you mean)
        csrf = { login_paths = ["login"] }
            5 bad-path: `login` is not a path
              (write one path such as `/login`)
        csrf.tokens = { key = "file:short.key", session_cookie = "__Host-sid" }
            5 weak-secret: a key has at least 32 bytes; with a shorter one tokens could be forged
              (make one with `openssl rand -base64 32`)
        csrf.tokens = { key = "file:none.key", session_cookie = "__Host-sid" }
            5 file-unreadable: cannot read the file `none.key`: it does not exist
              (the path is relative to the folder of the configuration)
        csrf.tokens = { key = "file:csrf.key", session_cookie = "sid" }
            5 cookie-plantable: a neighbor of the same site can plant a cookie `sid`, and a token with it
              (let the backend call it `__Host-` and its name, without `Domain`)
        csrf.tokens = { key = "file:csrf.key", session_cookie = "__Host-sid", demand = "never" }
            5 unknown-value: `route.b.csrf.tokens.demand` cannot be `never`
              (choose one of `always`, `without-headers`)
        csrf.tokens = { key = "file:csrf.key", former_key = "file:hs256.key", session_cookie = "__Host-sid" }
            fine
    "#]],
    );
}

#[test]
fn unsafe_hsts_and_reports_do_not_start() {
    let cases = [
        "[hsts]\nmax_age = \"1d\"",
        "[hsts]\nmax_age = \"0d\"",
        "[hsts]\nmax_age = \"2y\"",
        "[hsts]\nmax_age = \"200d\"\npreload = true",
        "[hsts]\npreload = true\ndanger_host_only = true",
        "[hsts]\ndanger_host_only = true",
        "[hsts]\npreload = true",
        "[reports]\npath = \"https://collector.example.com/\"",
        "[reports]\npath = \"/a b\"",
        "[reports]\npath = \"/.well-known/palisade/reports\"",
    ];
    check_each(
        &cases,
        str::to_owned,
        &expect![[r#"
        [hsts]
        max_age = "1d"
            2 hsts-unsafe: less than 180 days runs out between two visits, and then an attacker on the network can answer without TLS
              (write `730d`, or leave it out)
        [hsts]
        max_age = "0d"
            2 hsts-unsafe: less than 180 days runs out between two visits, and then an attacker on the network can answer without TLS
              (write `730d`, or leave it out)
        [hsts]
        max_age = "2y"
            2 bad-duration: `2y` is not a time
              (write a number of days, such as `730d`)
        [hsts]
        max_age = "200d"
        preload = true
            2 hsts-unsafe: hosts that insist on TLS for less than 365 days are not taken into the preload list
              (write `730d`, or remove `preload`)
        [hsts]
        preload = true
        danger_host_only = true
            2 hsts-unsafe: hosts are only put into the preload list together with their subdomains
              (remove `preload` or `danger_host_only`)
        [hsts]
        danger_host_only = true
            2 danger: on the network anybody can pretend to be a subdomain and plant cookies
              (let every subdomain speak TLS, and remove it)
        [hsts]
        preload = true
            fine
        [reports]
        path = "https://collector.example.com/"
            2 bad-path: browsers cannot report to `https://collector.example.com/`: write a plain path of this origin, such as `/.well-known/palisade/reports`
              (reports to other origins would show them what your users see)
        [reports]
        path = "/a b"
            2 bad-path: browsers cannot report to `/a b`: write a plain path of this origin, such as `/.well-known/palisade/reports`
              (reports to other origins would show them what your users see)
        [reports]
        path = "/.well-known/palisade/reports"
            fine
    "#]],
    );
}
