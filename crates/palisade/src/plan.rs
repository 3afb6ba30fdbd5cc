//! What goes on the response, whichever response it turns out to be.
//!
//! A stage on the way in does not know whether the backend, a refusal or a preflight will answer. It adds to the plan,
//! and `finish` applies the plan to every response.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers for the response.
///
/// ```
/// use http::{HeaderMap, HeaderName, HeaderValue, header};
/// use palisade::plan::ResponsePlan;
///
/// let mut plan = ResponsePlan::default();
/// plan.set(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
/// plan.vary(header::ORIGIN);
/// let mut headers = HeaderMap::new();
/// plan.apply(&mut headers);
/// assert_eq!((&headers["x-frame-options"], &headers["vary"]), (&"DENY".parse().unwrap(), &"origin".parse().unwrap()));
/// ```
#[derive(Debug, Default)]
pub struct ResponsePlan {
    set: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
    vary: Vec<HeaderName>,
}

impl ResponsePlan {
    /// Gives the response this header, in place of any of the same name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.set.push((name, value));
    }

    /// Takes a header of the backend away.
    pub fn remove(&mut self, name: HeaderName) {
        self.remove.push(name);
    }

    /// Says that the response depends on a header of the request (RFC 9110 section 12.5.5).
    pub fn vary(&mut self, name: HeaderName) {
        self.vary.push(name);
    }

    /// Applies the plan: removes, sets, and extends `Vary`.
    pub fn apply(self, headers: &mut HeaderMap) {
        for name in self.remove {
            headers.remove(name);
        }
        for (name, value) in self.set {
            headers.insert(name, value);
        }
        for name in self.vary {
            let present = headers.get_all(http::header::VARY).iter().any(|value| {
                let listed = value.to_str().unwrap_or("");
                listed.split(',').any(|item| item.trim() == "*" || item.trim().eq_ignore_ascii_case(name.as_str()))
            });
            if !present {
                headers.append(http::header::VARY, HeaderValue::from(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{SERVER, VARY};

    use super::*;

    #[test]
    fn replaces_removes_and_varies_once() {
        let mut headers = HeaderMap::new();
        headers.insert(SERVER, HeaderValue::from_static("leaky/1.0"));
        headers.insert(VARY, HeaderValue::from_static("accept, Origin"));
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let mut plan = ResponsePlan::default();
        plan.remove(SERVER);
        plan.set(HeaderName::from_static("x-a"), HeaderValue::from_static("3"));
        plan.vary(http::header::ORIGIN);
        plan.vary(http::header::COOKIE);
        plan.apply(&mut headers);
        assert!(!headers.contains_key(SERVER));
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["3"]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept, Origin", "cookie"]);
    }
}
