//! Resolves how long what streams may be open.

use palisade::stage::upgrade::UpgradeSettings;

use super::super::raw::RawWebsocket;
use super::super::scalar;
use super::context::{At, Context};

pub(crate) fn websocket(cx: &mut Context<'_>, at: &At, raw: &RawWebsocket) -> Option<UpgradeSettings> {
    let idle = cx.value(&at.key("idle_timeout"), &raw.idle_timeout, scalar::duration);
    let lifetime = cx.value(&at.key("max_lifetime"), &raw.max_lifetime, scalar::duration);
    Some(UpgradeSettings { idle: idle?, lifetime: lifetime? })
}
