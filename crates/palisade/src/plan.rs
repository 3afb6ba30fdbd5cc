//! What goes on the response, whichever response it turns out to be.
//!
//! A stage on the way in does not know whether the backend, a refusal or a preflight will answer. It adds to the plan,
//! and `finish` applies the plan to every response.

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

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
    set: SmallVec<[(HeaderName, HeaderValue); 2]>,
    append: Vec<(HeaderName, HeaderValue)>,
    remove: SmallVec<[&'static [HeaderName]; 2]>,
    vary: SmallVec<[HeaderName; 2]>,
}

impl ResponsePlan {
    /// Gives the response this header, in place of any of the same name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.set.push((name, value));
    }

    /// Adds items to a header that is a list (RFC 9651 section 3.1); those of the backend are replaced.
    pub fn list(&mut self, name: HeaderName, items: HeaderValue) {
        let Some((_, value)) = self.set.iter_mut().find(|(other, _)| *other == name) else {
            return self.set(name, items);
        };
        if let Ok(joined) = HeaderValue::try_from([value.as_bytes(), b", ", items.as_bytes()].concat()) {
            *value = joined;
        }
    }

    /// Gives the response this header beside those of the same name.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.append.push((name, value));
    }

    /// Takes headers of the backend away.
    pub fn remove(&mut self, names: &'static [HeaderName]) {
        self.remove.push(names);
    }

    /// Takes back what was to be given, so that a refusal does not have it.
    pub fn unset(&mut self, names: &[HeaderName]) {
        self.set.retain(|(name, _)| !names.contains(name));
    }

    /// Says that the response depends on a header of the request (RFC 9110 section 12.5.5).
    pub fn vary(&mut self, name: HeaderName) {
        self.vary.push(name);
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.append.is_empty() && self.remove.is_empty() && self.vary.is_empty()
    }

    /// Takes away what is to go; the rest of the plan stays.
    pub fn take_away(&mut self, headers: &mut HeaderMap) {
        for name in self.remove.drain(..).flatten() {
            // To look through the few headers of an answer costs less than to look one up.
            if headers.keys().any(|own| own == name) {
                headers.remove(name);
            }
        }
    }

    /// Applies the plan: removes, sets, and extends `Vary`.
    pub fn apply(mut self, headers: &mut HeaderMap) {
        self.take_away(headers);
        for (name, value) in self.set.drain(..) {
            headers.insert(name, value);
        }
        for (name, value) in self.append {
            headers.append(name, value);
        }
        for name in self.vary.drain(..) {
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
        static GONE: [HeaderName; 1] = [SERVER];
        plan.set(HeaderName::from_static("x-c"), HeaderValue::from_static("1"));
        plan.unset(&[HeaderName::from_static("x-c")]);
        plan.remove(&GONE);
        plan.append(HeaderName::from_static("x-b"), HeaderValue::from_static("1"));
        plan.set(HeaderName::from_static("x-a"), HeaderValue::from_static("3"));
        plan.vary(http::header::ORIGIN);
        plan.vary(http::header::COOKIE);
        plan.apply(&mut headers);
        assert!(!headers.contains_key(SERVER) && !headers.contains_key("x-c"));
        assert_eq!(headers["x-b"], "1");
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["3"]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept, Origin", "cookie"]);
    }

    #[test]
    fn lists_are_joined_and_replace_those_of_the_backend() {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit", HeaderValue::from_static("\"backend\";r=1"));
        let mut plan = ResponsePlan::default();
        for (name, items) in [("ratelimit", "a"), ("ratelimit-policy", "p"), ("ratelimit", "b"), ("ratelimit", "c")] {
            plan.list(HeaderName::from_static(name), HeaderValue::from_static(items));
        }
        plan.apply(&mut headers);
        assert_eq!(headers.get_all("ratelimit").iter().collect::<Vec<_>>(), ["a, b, c"]);
        assert_eq!(headers["ratelimit-policy"], "p");
    }
}
