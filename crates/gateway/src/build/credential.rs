//! Makes the credentials that a route takes from the sections that describe them.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, header};
use palisade::credential::api_key::{ApiKeyHash, ApiKeyRecord, ApiKeys};
use palisade::credential::certificate::Certificates;
use palisade::preset::World;
use palisade::stage::authenticate::{Bearer, Credential};
use palisade::stage::publish::{Publish, Resource};
use palisade::token::algorithm::Algorithm as JwsAlgorithm;
use palisade::token::dpop::Dpop;
use palisade::token::identity::IdentitySigner;
use palisade::token::jwk::VerifyKey;
use palisade::token::jwks::{KeySet, KeySource, StaticKeys};
use palisade::token::jwt::{Rules, TokenKind, Verifier};
use palisade::token::remote::{RemoteKeys, RemoteSettings};
use palisade_contract::{Contract, Location};
use palisade_core::denial::Proofs;
use palisade_core::diagnostic::Diagnostic;

use super::recorded;
use crate::check;
use crate::config::Loaded;
use crate::config::settings::{self, Algorithm, Authenticate, BearerKeys, CredentialRef, DpopMode, TokenType};
use crate::reload::Kept;
use crate::upstream::PoolFetch;

/// The credentials of each route. One section makes one verifier, however many routes use it, so that they share what
/// it has verified.
pub(super) fn all(
    loaded: &Loaded,
    contracts: &[Arc<Contract>],
    world: &World,
    kept: &mut Kept,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Vec<Credential>>> {
    let settings = &loaded.settings;
    let mut made: BTreeMap<String, Credential> = BTreeMap::new();
    let before = diagnostics.len();
    for section in &settings.bearer {
        match bearer(section, world, kept) {
            Ok(credential) => drop(made.insert(format!("bearer.{}", section.name), credential)),
            Err((key, message)) => {
                let diagnostic =
                    Diagnostic::error("bearer-unusable", message).help("correct it, or get it again from the issuer");
                diagnostics.push(loaded.locate(diagnostic, &["bearer", &section.name, key]));
            }
        }
    }
    for section in &settings.keys {
        match keys(section) {
            Ok(credential) => drop(made.insert(format!("keys.{}", section.name), credential)),
            Err(message) => {
                let diagnostic = Diagnostic::error("keys-unusable", message).help("list every key once");
                diagnostics.push(loaded.locate(diagnostic, &["keys", &section.name]));
            }
        }
    }
    for section in &settings.certificates {
        let certificates = Certificates::new(section.records.iter().cloned());
        made.insert(format!("certificates.{}", section.name), Credential::Certificate(Arc::new(certificates)));
    }
    recorded::add(settings, world, kept, &mut made);
    if diagnostics.len() > before {
        return None;
    }
    let of = |reference: &CredentialRef| made.get(&check::name(reference)).cloned();
    Some(
        settings
            .routes
            .iter()
            .zip(contracts)
            .map(|(route, contract)| match &route.authenticate {
                Authenticate::Backend => vec![backend(contract)],
                Authenticate::Gateway(list) => list.iter().filter_map(of).collect(),
            })
            .collect(),
    )
}

/// Where a backend's own credentials travel: in the usual headers, and where its contract says.
fn backend(contract: &Contract) -> Credential {
    let mut headers = vec![header::AUTHORIZATION, header::COOKIE];
    let mut query = Vec::new();
    for (location, name) in contract.key_places() {
        match location {
            Location::Header => headers.extend(name.parse::<HeaderName>()),
            Location::Query => query.push(name),
            Location::Cookie | Location::Path => {}
        }
    }
    Credential::Backend { headers, query }
}

type KeyAndMessage = (&'static str, String);

fn bearer(section: &settings::Bearer, world: &World, kept: &mut Kept) -> Result<Credential, KeyAndMessage> {
    let algorithms = section.algorithms.iter().map(|algorithm| match algorithm {
        Algorithm::EdDsa => JwsAlgorithm::EdDsa,
        Algorithm::Es256 => JwsAlgorithm::Es256,
        Algorithm::Hs256 => JwsAlgorithm::Hs256,
        Algorithm::Ps256 => JwsAlgorithm::Ps256,
        Algorithm::Rs256 => JwsAlgorithm::Rs256,
    });
    let kind = match section.token_type {
        TokenType::AccessToken => TokenKind::AccessToken,
        TokenType::Any => TokenKind::Any,
        TokenType::Jwt => TokenKind::Jwt,
    };
    let rules = Rules::new(section.issuer.as_str(), section.audience.as_str(), algorithms)
        .map_err(|error| ("algorithms", error.to_string()))?
        .with_kind(kind)
        .with_leeway(section.leeway)
        .map_err(|error| ("leeway", error.to_string()))?;
    let keys = source(&section.keys, world, kept)?;
    let verifier = Verifier::new(rules, keys, Arc::clone(&world.clock));
    let mut bearer = Bearer::new(verifier.with_revocations(Arc::clone(&kept.revocations)));
    bearer.roles_claim = section.roles_claim.0.iter().map(ToString::to_string).collect();
    bearer.tenant_claim = section.tenant_claim.0.iter().map(ToString::to_string).collect();
    if let Some(resource) = &section.resource {
        bearer = bearer.described_at(&resource.metadata());
    }
    Ok(Credential::Bearer(Arc::new(match section.dpop {
        DpopMode::Off => bearer,
        DpopMode::Optional => bearer.with_proofs(proofs(section, world)?),
        DpopMode::Required => bearer.with_required_proofs(proofs(section, world)?),
    })))
}

/// What proofs of possession are checked with.
fn proofs(section: &settings::Bearer, world: &World) -> Result<Dpop, KeyAndMessage> {
    let once = world.once.clone().ok_or_else(|| ("dpop", "nothing remembers which proofs were used".to_owned()))?;
    let mut dpop = Dpop::new(once, Arc::clone(&world.clock));
    if let Some(key) = &section.dpop_nonce_key {
        dpop = dpop.with_nonces(&key.0);
    }
    match &section.resource {
        None => Ok(dpop),
        Some(resource) => {
            dpop.at_origin(resource.origin()).ok_or_else(|| ("resource", "proofs cannot be for it".to_owned()))
        }
    }
}

/// The documents that describe the API, and what its backends check identities with.
pub(super) fn documents(settings: &settings::Settings, signer: Option<&IdentitySigner>) -> Publish {
    let mut resources: Vec<Resource> = Vec::new();
    for section in &settings.bearer {
        let Some(resource) = &section.resource else { continue };
        let proofs = match section.dpop {
            DpopMode::Off => Proofs::Off,
            DpopMode::Optional => Proofs::Optional,
            DpopMode::Required => Proofs::Required,
        };
        // Two issuers for one API are described together.
        match resources.iter_mut().find(|known| known.metadata() == resource.metadata()) {
            Some(known) => {
                known.issuers.push(section.issuer.clone());
                if known.proofs != proofs {
                    known.proofs = Proofs::Optional;
                }
            }
            None => {
                let issuers = vec![section.issuer.clone()];
                let mut resource = resource.clone();
                (resource.issuers, resource.proofs) = (issuers, proofs);
                resources.push(resource);
            }
        }
    }
    let documents = resources.iter().fold(Publish::default(), Publish::with_resource);
    match signer {
        Some(signer) => documents.with_keys(&signer.jwks()),
        None => documents,
    }
}

fn source(keys: &BearerKeys, world: &World, kept: &mut Kept) -> Result<Arc<dyn KeySource>, KeyAndMessage> {
    match keys {
        BearerKeys::File(source) => {
            let set = KeySet::parse(source.text().as_bytes()).map_err(|error| ("jwks", error.to_string()))?;
            Ok(Arc::new(StaticKeys::new(set)))
        }
        BearerKeys::Secret(secret) => {
            let key = VerifyKey::hmac(JwsAlgorithm::Hs256, None, secret).map_err(|e| ("secret", e.to_string()))?;
            let set = KeySet::new([key]).map_err(|error| ("secret", error.to_string()))?;
            Ok(Arc::new(StaticKeys::new(set)))
        }
        BearerKeys::Url(url) => kept.keys(url, || {
            let fetch = Arc::new(PoolFetch::new(url).map_err(|error| ("jwks", error.to_string()))?);
            Ok(Arc::new(RemoteKeys::new(fetch, Arc::clone(&world.clock), RemoteSettings::default()))
                as Arc<dyn KeySource>)
        }),
    }
}

fn keys(section: &settings::Keys) -> Result<Credential, String> {
    let records = section.keys.iter().map(|key| {
        let mut record = ApiKeyRecord::new(ApiKeyHash::from_bytes(key.hash), key.client.clone());
        record.scopes = key.scopes.clone();
        record.roles = key.roles.clone();
        record.expires = key.expires;
        record
    });
    let keys = ApiKeys::new(records).map_err(|error| error.to_string())?;
    Ok(Credential::Key { header: section.header.clone(), keys: Arc::new(keys) })
}
