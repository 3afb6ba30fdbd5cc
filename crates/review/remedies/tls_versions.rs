//! Speaks the versions and the suites of TLS that are sound, and has no others.

// In reports:
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WantsServerCert;
use rustls::{ConfigBuilder, ServerConfig};

/// TLS 1.2 and 1.3, every suite with forward secrecy and authenticated encryption: this library knows no other.
fn versions() -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_no_client_auth())
}
