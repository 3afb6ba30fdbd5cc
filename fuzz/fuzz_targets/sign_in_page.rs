//! Pages to sign in are read, and no field is made up.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|html: &str| {
    assert!(palisade_review::readers::page(html) <= html.len() * 4, "fields are parts of the page");
});
