//! Where a frame may be added to a WebSocket does not depend on how its bytes come.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_gateway::upstream::frames::Frames;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let (mut whole, mut pieces) = (Frames::default(), Frames::default());
    whole.pass(bytes);
    bytes.chunks(usize::from(size).max(1)).for_each(|piece| pieces.pass(piece));
    assert_eq!((whole.may_add(), whole.is_closing()), (pieces.may_add(), pieces.is_closing()));
    assert!(!(whole.may_add() && whole.is_closing()));
});
