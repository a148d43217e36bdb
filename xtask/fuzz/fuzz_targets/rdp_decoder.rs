#![no_main]

#[path = "../src/contained.rs"]
mod contained;

libfuzzer_sys::fuzz_target!(init: contained::allow_contained_panics(), |data: &[u8]| {
    passerelle_fuzz::run("rdp_decoder", data);
});
