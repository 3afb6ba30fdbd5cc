//! What a request occupies until its answer has been read: a place at an endpoint, and one of the upstream's.

use std::sync::Arc;

use super::endpoint::Endpoint;
use super::limit::Slot;

/// Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    endpoint: Arc<Endpoint>,
    _slot: Option<Arc<Slot>>,
}

impl Hold {
    /// One more request is at this endpoint.
    pub(crate) fn new(endpoint: &Arc<Endpoint>, slot: Option<Arc<Slot>>) -> Self {
        endpoint.enter();
        Self { endpoint: Arc::clone(endpoint), _slot: slot }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.endpoint.leave();
    }
}
