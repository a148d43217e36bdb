//! For targets whose libraries may panic.

use std::panic;
use std::process;

/// Panics of libraries are contained and counted by what calls them, so only those of our own are findings. What nobody
/// contains ends the process in any case.
pub(crate) fn allow_contained_panics() {
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let library = |file: &str| file.contains("/registry/src/") || file.starts_with("/rustc/");
        if !panic.location().is_some_and(|place| library(place.file())) {
            default_hook(panic);
            process::abort();
        }
    }));
}
