//! A viewer and a target that do exactly what a test wants, the wrong things included, and a gateway with
//! a configuration of the test's own.

pub(crate) mod rdp;
pub(crate) mod redis;
pub(crate) mod site;
pub(crate) mod target;
pub(crate) mod viewer;
pub(crate) mod wire;

/// What a peer's read or write takes at most before the test gives up.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(40);

/// Reads what is there; a signal that comes in between is no answer.
pub(crate) fn read_some(stream: &mut impl std::io::Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// A sentence for whoever reads the test's output.
pub(crate) fn failed(what: &str) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{what}: {error}")
}
