//! Coupons add to a balance, which is why nobody may redeem them without end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::clock;
use crate::failure::Failure;
use crate::input::{Input, check_length};
use crate::shop::Shop;
use crate::store::{Bound, integer};
use crate::weakness::Weakness;
use crate::wire::RawCoupon;

/// `POST /v1/coupons/redeem`
pub(crate) async fn redeem(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    Input(coupon): Input<RawCoupon>,
) -> Result<Json<Value>, Failure> {
    check_length(&coupon.code, MAXIMUM_CODE)?;
    let row = shop.store.row(FIND, &[Bound::from(&coupon.code)]).await?.ok_or(Failure::NOT_FOUND)?;
    let value = integer(&row, "value_cents")?;
    let now = clock::now();
    let maximum = if shop.has(Weakness::CouponEndless) { i64::MAX } else { MAXIMUM_PER_HOUR };
    let values =
        [caller.id().into(), Bound::from(&coupon.code), now.into(), (now - HOUR_SECONDS).into(), maximum.into()];
    // Counting and recording are one statement, so that two requests at once cannot both be the last.
    shop.store.row(RECORD, &values).await?.ok_or(Failure::TOO_MANY)?;
    let row = shop.store.row(CREDIT, &[value.into(), caller.id().into()]).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(Json(json!({ "balance_cents": integer(&row, "balance_cents")? })))
}

const FIND: &str = "SELECT value_cents FROM coupons WHERE code = ?";
const RECORD: &str = "INSERT INTO redemptions (user_id, code, at) SELECT ?1, ?2, ?3 \
     WHERE (SELECT count(*) FROM redemptions WHERE user_id = ?1 AND at > ?4) < ?5 RETURNING at";
const CREDIT: &str = "UPDATE users SET balance_cents = balance_cents + ? WHERE id = ? RETURNING balance_cents";
const MAXIMUM_CODE: usize = 16;
const MAXIMUM_PER_HOUR: i64 = 2;
const HOUR_SECONDS: i64 = 3_600;
