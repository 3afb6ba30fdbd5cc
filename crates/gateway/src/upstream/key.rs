//! What the endpoint of a request depends on, where it does.

use axum_core::body::Body;
use http::Request;
use palisade::extract::ClientAddr;
use palisade_core::principal::Principal;

use super::balance::{Balance, HashBy, hash};

/// The number by which an endpoint is chosen. None where the balance does not ask for one, or where the request does not
/// have what it asks for: then the endpoints take turns.
pub(super) fn of(balance: &Balance, principal: &Principal, request: &Request<Body>) -> Option<u64> {
    let Balance::ConsistentHash(by) = balance else { return None };
    match by {
        HashBy::Client => match request.extensions().get::<ClientAddr>()?.0 {
            std::net::IpAddr::V4(address) => Some(hash(&address.octets())),
            std::net::IpAddr::V6(address) => Some(hash(&address.octets())),
        },
        HashBy::Header(name) => Some(hash(request.headers().get(name)?.as_bytes())),
        HashBy::Path => Some(hash(request.uri().path().as_bytes())),
        HashBy::Principal => principal.subject().id().map(|id| hash(id.as_bytes())),
    }
}
