//! Which requests become a WebSocket, which are refused, and which stay what they are.

use super::*;
use crate::testing::{FixedClock, assert_stage, declared, refusal};

const CHAT: &str = r#"
openapi: 3.1.0
info: { title: Chat, version: "1" }
paths:
  /chat:
    get: { security: [], responses: { 101: { description: A WebSocket. } } }
    post: { security: [], responses: { 101: { description: No WebSocket. } } }
  /page:
    get: { security: [], responses: { 1XX: { description: Anything. }, default: { description: Anything. } } }
"#;

const HANDSHAKE: &str = "host: a\nconnection: keep-alive, Upgrade\nupgrade: WebSocket\nsec-websocket-version: 13\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";

fn stage() -> Upgrade {
    Upgrade::new(PerRoute::default(), Arc::new(FixedClock(0)))
}

#[test]
fn a_handshake_is_one_to_the_letter() {
    for (from, to, expect) in [
        ("", "", None),
        ("host: a", "host: a\ncontent-length: 0", None),
        ("GET", "POST", Some("method_not_get")),
        ("host: a", "host: a\ncontent-length: 5", Some("body_in_handshake")),
        ("host: a", "host: a\ntransfer-encoding: chunked", Some("body_in_handshake")),
        ("upgrade: WebSocket", "upgrade: websocket, h2c", Some("protocol_not_websocket")),
        ("upgrade: WebSocket", "upgrade: websocket\nupgrade: websocket", Some("protocol_not_websocket")),
        ("upgrade: WebSocket", "upgrade: websocket/13", Some("protocol_not_websocket")),
        ("upgrade: WebSocket", "upgrade: h2c", Some("protocol_not_websocket")),
        ("keep-alive, Upgrade", "keep-alive", Some("upgrade_not_in_connection")),
        ("version: 13", "version: 8", Some("version_not_13")),
        ("version: 13", "version: 13, 8", Some("version_not_13")),
        ("sec-websocket-version: 13\n", "", Some("version_not_13")),
        ("sec-websocket-key", "x-key", Some("key_missing")),
        ("ZQ==", "ZQ==\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", Some("key_missing")),
        ("ZQ==", "ZR==", Some("key_invalid")),
        ("ZQ==", "ZQ", Some("key_invalid")),
        ("dGhl", "", Some("key_invalid")),
        ("dGhl", "dGhldGhl", Some("key_invalid")),
    ] {
        let request = format!("GET /chat\n{HANDSHAKE}").replacen(from, to, 1);
        let mut head = declared(CHAT, &request);
        let stage = stage();
        let reason = match stage.check(&mut head) {
            Verdict::Now(Ok(())) => None,
            Verdict::Now(Err(crate::stage::Stop::Deny(denial))) => {
                assert_eq!(denial.code(), DenialCode::UpgradeInvalid);
                denial.evidence().iter().next().map(|(_, reason)| reason.to_owned())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(reason.as_deref(), expect, "{request}");
        assert_eq!(head.parts.extensions.get::<Handshake>().is_some(), expect.is_none(), "{request}");
    }
}

#[test]
fn other_operations_are_no_websockets() {
    for request in [format!("GET /page\n{HANDSHAKE}"), "GET /chat\nhost: a".to_owned()] {
        let mut head = declared(CHAT, &request);
        assert_eq!(refusal(&stage(), &mut head), None, "{request}");
        assert!(head.parts.extensions.get::<Handshake>().is_none(), "{request}");
    }
}

#[test]
fn http_2_has_no_handshake() {
    let mut head = declared(CHAT, &format!("GET /chat\n{HANDSHAKE}"));
    head.parts.version = Version::HTTP_2;
    assert_eq!(refusal(&stage(), &mut head), Some(DenialCode::UpgradeInvalid));
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&stage());
}
