//! The caller is who the access token says is asking.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::believe;
use crate::failure::Failure;
use crate::shop::Shop;
use crate::token::Claims;
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

    /// Whether the caller may touch what belongs to this user, or a weakness lets everybody.
    pub(crate) fn may_touch(&self, shop: &Shop, owner: &str, weakness: Weakness) -> bool {
        shop.has(weakness) || self.is_admin() || self.id() == owner
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
        let claims = match shop.signer.verify(token) {
            Some(claims) => Some(claims),
            None => believe::believe(shop, token).await,
        };
        Ok(Self { claims: claims.ok_or(Failure::UNAUTHORIZED)? })
    }
}

/// A signed-in administrator; with `role-header`, whoever says so.
#[derive(Clone, Debug)]
pub(crate) struct Admin;

impl Admin {
    /// An administrator, or with this weakness any signed-in user.
    pub(crate) async fn of(parts: &mut Parts, shop: &Arc<Shop>, weakness: Weakness) -> Result<Self, Failure> {
        if shop.has(weakness) {
            return Caller::from_request_parts(parts, shop).await.map(|_| Self);
        }
        Self::from_request_parts(parts, shop).await
    }
}

impl Caller {
    /// The caller, or with this weakness a guest.
    pub(crate) async fn or_guest(parts: &mut Parts, shop: &Arc<Shop>, weakness: Weakness) -> Result<Self, Failure> {
        let caller = Self::from_request_parts(parts, shop).await;
        if caller.is_err() && shop.has(weakness) {
            return Ok(Self { claims: Claims { subject: "u-guest".to_owned(), roles: Vec::new() } });
        }
        caller
    }
}

impl FromRequestParts<Arc<Shop>> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, shop).await?;
        let is_said = shop.has(Weakness::RoleHeader) && parts.headers.get("x-role").is_some_and(|role| role == "admin");
        if is_said || caller.is_admin() { Ok(Self) } else { Err(Failure::FORBIDDEN) }
    }
}
