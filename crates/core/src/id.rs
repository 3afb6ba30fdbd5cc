//! Names of things: one newtype for every kind of identifier, so that no two can be confused.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is; any text is a valid identifier.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

ids! {
    /// A person: the `sub` of a token or the id of an account.
    UserId;
    /// A program that acts in its own name: an OAuth client or the owner of an API key.
    ClientId;
    /// One API key, as lists and the log name it; it opens nothing.
    ApiKeyId;
    /// The organization whose data is asked for.
    TenantId;
    /// One operation of a contract: OpenAPI's `operationId`, or `METHOD /template` where it has none.
    OperationId;
    /// One request; the same text is in the response header, the problem and every event.
    RequestId;
    /// One event.
    EventId;
    /// One means of signing in of one account: its password, one passkey.
    AuthenticatorId;
    /// One route of the configuration.
    RouteName;
    /// One decision, so that a permit can be traced to the event that explains it.
    DecisionId;
    /// The policy in force: a short hash over the compiled configuration.
    PolicyVersion;
    /// One authenticator of a user.
    FactorId;
    /// One session, as lists and the log name it; it opens nothing.
    SessionHandle;
    /// The RFC 7638 thumbprint of the key that a credential is bound to.
    KeyThumbprint;
}
