//! What `[api_keys.NAME]` and `[sessions.NAME]` mean.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use palisade::credential::stored_api_key::ApiKeyForm;
use palisade::session::SessionCookie;

/// API keys of service accounts in the store of records.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    /// The section's name.
    pub name: Arc<str>,
    /// The header that carries the key.
    pub header: HeaderName,
    /// How the keys begin.
    pub form: ApiKeyForm,
}

/// Sessions in the store of records.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The section's name.
    pub name: Arc<str>,
    /// The cookie.
    pub cookie: SessionCookie,
    /// How long after it was begun one opens anything here.
    pub max_age: Option<Duration>,
}
