//! Finds the route that a request takes; one that no route takes is refused.
//!
//! 1. A route has a path, either exact or a prefix (`/orders/**`), and perhaps a host.
//! 2. Of the routes that match, one with a host wins over one without, then an exact path over a prefix, then the longer
//!    prefix. Two routes that could not be told apart are refused when they are set up.
//! 3. A prefix matches whole segments: `/orders/**` takes `/orders` and `/orders/7`, never `/orders-old`.
//! 4. What no route takes is refused: deny by default.
//!
//! In the library the application's own router takes this place, and the stage is absent.

use palisade_core::denial::{Denial, DenialCode};
use palisade_core::id::RouteName;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::facts::RouteMatch;

/// The stage.
///
/// ```
/// use palisade::core::id::RouteName;
/// use palisade::stage::route::{PathPattern, Route, RoutePattern};
///
/// let path = PathPattern::parse("/orders/**").unwrap();
/// let stage = Route::new(vec![RoutePattern { name: RouteName::new("orders"), host: None, path }]);
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    /// The strictest first, with their place in the configuration.
    routes: Vec<(usize, RoutePattern)>,
}

/// What a route takes.
///
/// ```
/// use palisade::core::id::RouteName;
/// use palisade::stage::route::{PathPattern, RoutePattern};
///
/// let api = RoutePattern {
///     name: RouteName::new("api"),
///     host: Some("api.example.com".into()),
///     path: PathPattern::parse("/**").unwrap(),
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePattern {
    /// The route's name.
    pub name: RouteName,
    /// The host in lower case; `None` takes any.
    pub host: Option<Box<str>>,
    /// The path.
    pub path: PathPattern,
}

/// The paths of a route.
///
/// ```
/// use palisade::stage::route::PathPattern;
///
/// let orders = PathPattern::parse("/orders/**").unwrap();
/// assert!(orders.takes("/orders/7") && !orders.takes("/orders-old"));
/// assert_eq!(PathPattern::parse("/a/*/b"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// This path only.
    Exact(Box<str>),
    /// This path and all below it; without a final slash, so that `/**` is the empty text.
    Prefix(Box<str>),
}

impl PathPattern {
    /// Reads `/exact` or `/prefix/**`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let pattern = match text.strip_suffix("/**") {
            Some(prefix) => Self::Prefix(prefix.into()),
            None => Self::Exact(text.into()),
        };
        let path = pattern.path();
        let valid = (path.is_empty() && matches!(pattern, Self::Prefix(_)))
            || palisade_core::canon::path::CanonicalPath::parse(path).is_ok_and(|canonical| canonical.as_str() == path);
        (valid && !path.contains('*')).then_some(pattern)
    }

    fn path(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path,
        }
    }

    /// Whether a canonical path is one of them.
    pub fn takes(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == &**exact,
            Self::Prefix(prefix) => {
                path.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}

impl Route {
    /// The stage for these routes; a route's index is its place in the list.
    pub fn new(routes: Vec<RoutePattern>) -> Self {
        let mut routes: Vec<(usize, RoutePattern)> = routes.into_iter().enumerate().collect();
        routes.sort_by_key(|(index, route)| {
            let exact = matches!(route.path, PathPattern::Exact(_));
            std::cmp::Reverse((route.host.is_some(), exact, route.path.path().len(), std::cmp::Reverse(*index)))
        });
        Self { routes }
    }

    fn find(&self, head: &Head) -> Option<RouteMatch> {
        let path = head.facts.path.as_ref()?.as_str();
        let host = head.facts.host.as_ref().map(|host| host.name());
        let takes = |route: &RoutePattern| {
            route.host.as_deref().is_none_or(|wanted| Some(wanted) == host) && route.path.takes(path)
        };
        let (index, route) = self.routes.iter().find(|(_, route)| takes(route))?;
        Some(RouteMatch { index: *index, name: route.name.clone() })
    }
}

impl Stage for Route {
    fn id(&self) -> StageId {
        StageId::Route
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        head.facts.route = self.find(head);
        let found = head.facts.route.is_some();
        Verdict::from(if found { Ok(()) } else { Err(Denial::new(DenialCode::RouteUnknown, StageId::Route)) })
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::canon::{host::CanonicalHost, path::CanonicalPath};

    use super::*;
    use crate::testing::{assert_stage, head, refusal};

    fn route(name: &str, host: Option<&str>, path: &str) -> RoutePattern {
        let path = PathPattern::parse(path).unwrap();
        RoutePattern { name: RouteName::new(name), host: host.map(Into::into), path }
    }

    #[test]
    fn the_strictest_route_wins() {
        let stage = Route::new(vec![
            route("orders", None, "/orders/**"),
            route("one", None, "/orders/new"),
            route("archive", None, "/orders/archive/**"),
            route("partner", Some("partner.example"), "/orders/**"),
        ]);
        for (host, path, expect) in [
            ("a", "/orders", Some("orders")),
            ("a", "/orders/7", Some("orders")),
            ("a", "/orders/new", Some("one")),
            ("a", "/orders/archive/1", Some("archive")),
            ("partner.example", "/orders/new", Some("partner")),
            ("a", "/orders-old", None),
            ("a", "/", None),
        ] {
            let mut head = head("GET /");
            head.facts.path = CanonicalPath::parse(path).ok();
            head.facts.host = CanonicalHost::parse(host).ok();
            let refused = refusal(&stage, &mut head);
            assert_eq!(head.facts.route.map(|r| r.name.to_string()).as_deref(), expect, "{path}");
            assert_eq!(refused.is_some(), expect.is_none());
        }
    }

    #[test]
    fn a_request_without_a_canonical_path_takes_no_route() {
        let stage = Route::new(vec![route("all", None, "/**")]);
        assert_eq!(refusal(&stage, &mut head("GET /")), Some(DenialCode::RouteUnknown));
    }

    #[test]
    fn patterns_are_canonical_paths() {
        for text in ["", "orders", "/a/*/b", "/a//b/**", "/a/../b", "**", "/a*"] {
            assert_eq!(PathPattern::parse(text), None, "{text}");
        }
        assert_eq!(PathPattern::parse("/**"), Some(PathPattern::Prefix("".into())));
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Route::new(vec![]));
    }
}
