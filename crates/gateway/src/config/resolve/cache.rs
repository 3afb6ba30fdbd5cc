//! Resolves `[route.NAME.cache]`.

use palisade::stage::cache::{CacheSettings, Wishes};

use super::super::raw::RawCache;
use super::super::scalar::{self, Fault};
use super::super::word::RequestDirectives;
use super::context::{At, Context};

pub(crate) fn cache(cx: &mut Context<'_>, at: &At, raw: &RawCache) -> Option<CacheSettings> {
    let max_size = cx.value(&at.key("max_size"), &raw.max_size, scalar::size);
    let max_body = cx.value(&at.key("max_body"), &raw.max_body, scalar::size);
    let max_wait = cx.value(&at.key("max_wait"), &raw.max_wait, scalar::duration);
    let (max_size, max_body) = (max_size?, max_body?);
    if max_body > max_size / 4 {
        let message = "`max_body` is more than a quarter of `max_size`";
        let help = "one answer would push out all others: raise `max_size`, or keep smaller ones only";
        cx.fault(&at.key("max_body"), Fault::new("conflicting-keys", message, help));
        return None;
    }
    Some(CacheSettings {
        max_size: max_size as usize,
        max_body: max_body as usize,
        max_wait: max_wait?,
        stale_if_error: raw.stale_if_error,
        stale_while_revalidate: raw.stale_while_revalidate,
        wishes: match raw.request_directives {
            RequestDirectives::Ignore => Wishes::Ignored,
            RequestDirectives::Obey => Wishes::Obeyed,
        },
        status: raw.cache_status,
    })
}
