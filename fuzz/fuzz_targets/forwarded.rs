//! Whatever a client writes into `Forwarded`, it cannot hide the hop that the proxy adds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_core::canon::forwarded::{self, Node};

fuzz_target!(|text: &str| {
    let real = Node::Address([198, 51, 100, 7].into());
    let _ = forwarded::parse(text);
    if let Ok(hops) = forwarded::parse(&format!("{text}, for=198.51.100.7")) {
        assert_eq!(hops.last().and_then(|hop| hop.node), Some(real), "the last hop is the proxy's");
    }
    let last = forwarded::addresses(&format!("{text}, 198.51.100.7")).last();
    assert_eq!(last, Some(real), "the last address is the proxy's");
});
