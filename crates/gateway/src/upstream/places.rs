//! Where an upstream's endpoints are: makes them, and makes them anew when a name gets other addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::uri::Scheme;
use rustls::ClientConfig;

use super::endpoint::Endpoint;
use super::pool::{Pool, Target, TlsTarget, resolve};
use super::settings::UpstreamSettings;
use super::trust::{self, UpstreamError};

/// What every endpoint is made from.
#[derive(Debug)]
pub(crate) struct Places(Vec<Place>);

#[derive(Debug)]
struct Place {
    host: Box<str>,
    port: u16,
    tls: Option<TlsTarget>,
}

impl Places {
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, UpstreamError> {
        let mut config: Option<Arc<ClientConfig>> = None;
        let mut places = Vec::new();
        for endpoint in &settings.endpoints {
            let host = endpoint.authority.host().trim_start_matches('[').trim_end_matches(']');
            let is_secure = endpoint.scheme == Scheme::HTTPS;
            let tls = if is_secure {
                // Reading the system's certificates takes a while; plain HTTP needs none.
                let config = match &config {
                    Some(config) => Arc::clone(config),
                    None => Arc::clone(config.insert(trust::config(&settings.trust, settings.protocol)?)),
                };
                Some(trust::target(&config, &settings.trust, host)?)
            } else {
                None
            };
            let port = endpoint.authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
            places.push(Place { host: host.into(), port, tls });
        }
        Ok(Self(places))
    }

    /// One endpoint for each URL.
    pub(crate) fn named(&self, settings: &UpstreamSettings) -> Vec<Arc<Endpoint>> {
        (0..self.0.len()).filter_map(|origin| self.endpoint(settings, origin, None)).map(Arc::new).collect()
    }

    /// Whether some URL has a name instead of an address.
    pub(crate) fn has_name(&self) -> bool {
        self.0.iter().any(Place::is_name)
    }

    /// One endpoint for each address that the names have now. Those that are there already stay as they are; a name that
    /// cannot be looked up keeps what it had.
    pub(crate) async fn addressed(&self, settings: &UpstreamSettings, old: &[Arc<Endpoint>]) -> Vec<Arc<Endpoint>> {
        let mut endpoints = Vec::new();
        for (origin, place) in self.0.iter().enumerate() {
            let kept = || old.iter().filter(|endpoint| endpoint.origin == origin);
            let found = match place.is_name() {
                false => None,
                true => match resolve(&place.host, place.port).await {
                    Ok(addresses) if !addresses.is_empty() => Some(addresses),
                    Ok(_) => None,
                    Err(error) => {
                        tracing::warn!(host = %place.host, %error, "a name cannot be looked up; its addresses stay");
                        None
                    }
                },
            };
            let Some(addresses) = found else {
                endpoints.extend(kept().cloned());
                continue;
            };
            for address in addresses.iter().copied() {
                let same = kept().find(|endpoint| endpoint.pool.target.pinned == Some(address)).cloned();
                endpoints.extend(same.or_else(|| self.endpoint(settings, origin, Some(address)).map(Arc::new)));
            }
        }
        endpoints
    }

    fn endpoint(&self, settings: &UpstreamSettings, origin: usize, pinned: Option<SocketAddr>) -> Option<Endpoint> {
        let (place, told) = (self.0.get(origin)?, settings.endpoints.get(origin)?);
        let name = match pinned {
            None => told.authority.as_str().into(),
            Some(address) => format!("{} at {address}", told.authority).into(),
        };
        let target = Target {
            host: place.host.clone(),
            port: place.port,
            pinned,
            refresh: settings.refresh,
            timeout: settings.connect_timeout,
            tls: place.tls.clone(),
            known: Mutex::new(None),
        };
        let pool = Pool::new(target, told.scheme.clone(), told.authority.clone(), settings.protocol, settings.pool);
        Some(Endpoint::new(origin, name, told.weight, pool))
    }
}

impl Place {
    fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }
}
