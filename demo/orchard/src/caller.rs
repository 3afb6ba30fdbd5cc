//! The caller is who the access token says is asking.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::failure::Failure;
use crate::shop::Shop;
use crate::token::{self, Claims};
use crate::weakness::Weakness;

/// A signed-in user.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    claims: Claims,
}

impl Caller {
    /// The user's id.
    pub(crate) fn id(&self) -> &str {
        &self.claims.subject
    }

    /// Whether the token carries the administrator's role.
    pub(crate) fn is_admin(&self) -> bool {
        self.claims.roles.iter().any(|role| role == "admin")
    }

    /// Whether the caller may touch what belongs to this user.
    pub(crate) fn may_touch(&self, shop: &Shop, owner: &str) -> bool {
        shop.has(Weakness::BrokenObjectLevelAuthorization) || self.is_admin() || self.id() == owner
    }
}

impl FromRequestParts<Arc<Shop>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = header.and_then(|value| value.split_once(' ')) else {
            return Err(Failure::UNAUTHORIZED);
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Failure::UNAUTHORIZED);
        }
        let claims =
            if shop.has(Weakness::BrokenAuthentication) { token::believe(token) } else { shop.signer.verify(token) };
        Ok(Self { claims: claims.ok_or(Failure::UNAUTHORIZED)? })
    }
}

/// A signed-in administrator; with `broken-function-level-authorization`, any signed-in user.
#[derive(Clone, Debug)]
pub(crate) struct Admin;

impl FromRequestParts<Arc<Shop>> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, shop).await?;
        if shop.has(Weakness::BrokenFunctionLevelAuthorization) || caller.is_admin() {
            Ok(Self)
        } else {
            Err(Failure::FORBIDDEN)
        }
    }
}
