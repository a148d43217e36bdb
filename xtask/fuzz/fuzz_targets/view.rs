#![no_main]

use std::panic;
use std::process;

/// Panics of the library that reads JPEG are contained, so only those of our own are findings.
fn allow_contained_panics() {
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let library = |file: &str| file.contains("/registry/src/") || file.starts_with("/rustc/");
        if !panic.location().is_some_and(|place| library(place.file())) {
            default_hook(panic);
            process::abort();
        }
    }));
}

libfuzzer_sys::fuzz_target!(init: allow_contained_panics(), |data: &[u8]| {
    passerelle_fuzz::run("view", data);
});
