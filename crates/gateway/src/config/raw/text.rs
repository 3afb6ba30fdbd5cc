//! Kinds of text in the file: each has a name for the reference and a pattern for editors.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $title:literal, $pattern:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(transparent)]
        pub(crate) struct $name(String);

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "title": $title, "pattern": $pattern })
            }
        }
    )*};
}

texts! {
    /// A span of time.
    Span = "duration", "^[0-9]+(ms|s|m|h|d)$";
    /// A number of bytes.
    Size = "size", "^[0-9]+(B|KiB|MiB|GiB)$";
    /// An IP address and a port.
    Socket = "address", "^.+:[0-9]+$";
    /// An IP address or a block of them.
    Network = "network", "^[0-9a-fA-F.:]+(/[0-9]+)?$";
    /// A reference to a file.
    FileRef = "file reference", "^file:.+$";
    /// A URL.
    Url = "URL", "^https?://";
    /// A URL or a reference to a file.
    UrlOrFile = "URL or file reference", "^(https?://|file:).+";
    /// A moment.
    Moment = "timestamp", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$";
    /// The digest of an API key.
    Digest = "digest", "^sha256:[0-9a-f]{64}$";
    /// Where state is kept.
    StoreUrl = "store URL", "^(memory:|sqlite:.+|rediss?://.+|redis\\+unix:///.+|postgres(ql)?://.+)$";
    /// Where operators look at the gateway.
    AdminAddress = "admin address", "^(unix:.+|.+:[0-9]+)$";
    /// Where events go.
    Output = "output", "^(stderr|stdout|file:.+)$";
}
