//! Look-ups of names are answered once, and answers never.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    if let Some(answer) = palisade_review::readers::look_up(message) {
        assert!(answer.len() <= message.len() + 16, "an answer is no bigger than its question and an address");
        assert!(palisade_review::readers::look_up(&answer).is_none(), "an answer would be answered for ever");
    }
});
