//! Resolves `[admin]`.

use palisade_core::diagnostic::Diagnostic;
use palisade_core::secret::Secret;

use super::super::address;
use super::super::raw::RawAdmin;
use super::super::scalar::Fault;
use super::super::settings::{Admin, AdminAddress, HiddenSecret};
use super::context::{At, Context};

/// The admin listener, where there is one.
pub(crate) fn admin(cx: &mut Context<'_>, raw: &RawAdmin) -> Option<Option<Admin>> {
    let at = At::root("admin");
    let token = match &raw.token {
        None => None,
        Some(text) => Some(token(cx, &at.key("token"), text)?),
    };
    let Some(text) = &raw.address else {
        if token.is_some() || raw.danger_admin_address {
            let message = "nothing listens for operators, so that this section does nothing";
            let help = "add `address = \"127.0.0.1:9901\"`, or remove the section";
            cx.report(&at, Diagnostic::warning("unused-section", message).help(help));
        }
        return Some(None);
    };
    let at = at.key("address");
    let address = match text.strip_prefix("unix:") {
        Some(path) => AdminAddress::Unix(cx.writable(&at, path)?),
        None => AdminAddress::Tcp(cx.value(&at, text, address::socket)?),
    };
    if let AdminAddress::Tcp(address) = &address
        && !address.ip().is_loopback()
    {
        reachable(cx, &at, raw, token.is_some())?;
    }
    Some(Some(Admin { address, token }))
}

/// An address that other machines reach has to be asked for, and what it shows has to be protected.
fn reachable(cx: &mut Context<'_>, at: &At, raw: &RawAdmin, has_token: bool) -> Option<()> {
    if !raw.danger_admin_address {
        let message =
            format!("other machines reach `{}`, and this listener shows who asked for what", &**raw.address.as_ref()?);
        let help = "listen on 127.0.0.1 or on `unix:admin.sock`, or add `danger_admin_address = true` and a `token`";
        cx.fault(at, Fault::new("admin-reachable", message, help));
        return None;
    }
    if !has_token {
        let message = "whoever reaches this address would see the rules in force and every refusal";
        let help = "add `token = \"file:admin.token\"` with a secret: `openssl rand -base64 32 > admin.token`";
        cx.fault(at, Fault::new("admin-open", message, help));
        return None;
    }
    let message = "the admin token and what it protects travel to this address unencrypted";
    let help = "let a packet filter keep everybody else out, or let a sidecar encrypt";
    cx.report(&At::root("admin").key("danger_admin_address"), Diagnostic::warning("danger", message).help(help));
    Some(())
}

fn token(cx: &mut Context<'_>, at: &At, text: &str) -> Option<HiddenSecret> {
    let bytes = cx.file_ref(at, text)?;
    let token = bytes.trim_ascii_end();
    if token.len() >= MIN_TOKEN && token.iter().all(u8::is_ascii_graphic) {
        return Some(HiddenSecret(Secret::new(token.to_vec())));
    }
    let message = format!("`{text}` has no secret of at least {MIN_TOKEN} characters");
    cx.fault(at, Fault::new("weak-secret", message, "make one with `openssl rand -base64 32`"));
    None
}

const MIN_TOKEN: usize = 32;
