//! Settings that may differ by route.

use crate::stage::Head;

/// A stage's settings: those of each route, and those for requests without one.
///
/// ```
/// use palisade::{settings::PerRoute, stage::size::Size};
///
/// // The second route takes uploads; requests without a route have the first number.
/// let size = Size { max_body: PerRoute::new(1 << 20, vec![1 << 20, 50 << 20]), ..Size::default() };
/// assert!(size.max_body.any(|limit| *limit > 1 << 20));
/// ```
#[derive(Clone, Debug)]
pub struct PerRoute<T> {
    base: T,
    routes: Vec<T>,
}

impl<T> PerRoute<T> {
    /// The same settings everywhere.
    pub fn same(base: T) -> Self {
        Self { base, routes: Vec::new() }
    }

    /// Settings by the route's index; `base` holds where no route was found.
    pub fn new(base: T, routes: Vec<T>) -> Self {
        Self { base, routes }
    }

    /// Whether some route has settings of which `holds` is true.
    pub fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        std::iter::once(&self.base).chain(&self.routes).any(holds)
    }

    /// The settings for requests without a route.
    pub fn into_base(self) -> T {
        self.base
    }

    /// The settings for a request.
    pub fn of(&self, head: &Head) -> &T {
        head.facts.route.as_ref().and_then(|route| self.routes.get(route.index)).unwrap_or(&self.base)
    }
}

impl<T: Default> Default for PerRoute<T> {
    fn default() -> Self {
        Self::same(T::default())
    }
}
