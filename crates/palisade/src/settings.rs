//! Settings that may differ by route and by operation.

use std::collections::BTreeMap;

use palisade_core::id::OperationId;

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

    /// What is made of the settings of each route.
    pub(crate) fn map<U>(self, make: impl Fn(T) -> U) -> PerRoute<U> {
        PerRoute { base: make(self.base), routes: self.routes.into_iter().map(make).collect() }
    }

    /// What is said of the settings of all routes, each sentence once.
    pub(crate) fn distinct(&self, say: impl Fn(&T) -> Vec<String>) -> Vec<String> {
        let mut said: Vec<String> = std::iter::once(&self.base).chain(&self.routes).flat_map(say).collect();
        let mut seen = std::collections::HashSet::new();
        said.retain(|sentence| seen.insert(sentence.clone()));
        said
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

/// How strictly one direction of an operation is held to its contract.
///
/// ```
/// use palisade::settings::{PerOperation, State};
///
/// // Nothing of this route's contract is enforced yet; what it would refuse is written down.
/// let states = PerOperation::same(State::Report);
/// assert!(!states.any(|state| *state == State::Enforce));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// What departs from the contract is refused.
    #[default]
    Enforce,
    /// Nothing is compared with the contract.
    Off,
    /// What departs from the contract passes and makes an event that says what would have been refused.
    Report,
}

/// A route's settings: those of single operations, and those of all others.
///
/// ```
/// use palisade::core::id::OperationId;
/// use palisade::settings::{PerOperation, State};
///
/// // Everything is enforced but for the one operation whose clients are not ready.
/// let states = PerOperation::new(State::Enforce, [(OperationId::new("importOrders"), State::Report)]);
/// assert_eq!(states.of(&palisade::testing::head("GET /")), &State::Enforce);
/// assert!(states.any(|state| *state == State::Report));
/// ```
#[derive(Clone, Debug)]
pub struct PerOperation<T> {
    base: T,
    operations: BTreeMap<OperationId, T>,
}

impl<T> PerOperation<T> {
    /// The same settings for every operation.
    pub fn same(base: T) -> Self {
        Self { base, operations: BTreeMap::new() }
    }

    /// Settings by operation; `base` holds for the others.
    pub fn new(base: T, operations: impl IntoIterator<Item = (OperationId, T)>) -> Self {
        Self { base, operations: operations.into_iter().collect() }
    }

    /// The settings for a request.
    pub fn of(&self, head: &Head) -> &T {
        if self.operations.is_empty() {
            return &self.base;
        }
        let found = head.facts.operation.as_ref().and_then(|found| self.operations.get(&found.operation.id));
        found.unwrap_or(&self.base)
    }

    /// Whether some operation has settings of which `holds` is true.
    pub fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        std::iter::once(&self.base).chain(self.operations.values()).any(holds)
    }
}

impl<T: Default> Default for PerOperation<T> {
    fn default() -> Self {
        Self::same(T::default())
    }
}
