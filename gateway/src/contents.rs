//! What can be read of recordings with the keys that there are.

use std::path::Path;

use passerelle_desktop::{InputError, InputReader, KeystrokePolicy};
use passerelle_rdp::RdpInputReader;
use passerelle_recorder::{Class, Header, Identity, Lane, ReadError, Reader};
use passerelle_vnc::VncInputReader;
use serde_json::Value;

/// Why something of a recording cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("the key of this recording's {0} was destroyed: nobody can read it again")]
    Erased(Class),
    #[error(
        "this gateway has no key for this recording's {0}: it is sealed for other recipients, who see it with `passerelle recordings open`"
    )]
    Sealed(Class),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("this recording is of the protocol `{0}`, whose input cannot be read")]
    Protocol(String),
}

/// What a recording keeps of keys, by what its header says.
pub(crate) fn keystrokes(header: &Header) -> KeystrokePolicy {
    match header.facts.get("keystrokes").and_then(Value::as_str) {
        Some("none") => KeystrokePolicy::None,
        Some("kinds") => KeystrokePolicy::Kinds,
        // Earlier versions did not say, and left nothing in the place of keys that they did not keep.
        _ => KeystrokePolicy::All,
    }
}

/// What reads the input in a recording with this header.
///
/// # Errors
/// Nothing reads its protocol.
pub(crate) fn input_reader(header: &Header) -> Result<Box<dyn InputReader>, ContentError> {
    let keystrokes = keystrokes(header);
    match header.facts.get("protocol").and_then(Value::as_str) {
        Some("vnc") => Ok(Box::new(VncInputReader::new(keystrokes))),
        Some("rdp") => Ok(Box::new(RdpInputReader::new(keystrokes))),
        other => Err(ContentError::Protocol(other.unwrap_or_default().to_owned())),
    }
}

/// Opens these lanes of the recording in `directory` with `identity`, if there is one.
///
/// # Errors
/// The recording cannot be read, or not with that.
pub(crate) fn open(
    identity: Option<&Identity>,
    directory: &Path,
    lanes: &[Lane],
) -> Result<Reader, ContentError> {
    let first = lanes.first().map_or(Class::Events, |lane| lane.class());
    let Some(identity) = identity else { return Err(ContentError::Sealed(first)) };
    let reader = Reader::open(directory, identity)?;
    let closed =
        |classes: &[Class]| lanes.iter().map(|lane| lane.class()).find(|class| classes.contains(class));
    match (closed(reader.erased()), closed(reader.missing())) {
        (Some(class), _) => Err(ContentError::Erased(class)),
        (None, Some(class)) => Err(ContentError::Sealed(class)),
        (None, None) => Ok(reader.only(lanes)),
    }
}
