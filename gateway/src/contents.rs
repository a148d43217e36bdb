//! What the gateway itself can read of recordings.

use std::path::Path;

use passerelle_recorder::{Class, Identity, Lane, ReadError, Reader};

use crate::gateway::data;

/// Why something of a recording cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("the key of this recording's {0} was destroyed: nobody can read it again")]
    Erased(Class),
    #[error(
        "this gateway has no key for this recording's {0}: it is sealed for other recipients, who read it with `passerelle recordings`"
    )]
    Sealed(Class),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Opens these lanes of the recording in `directory` with the gateway's key in `data_dir`.
///
/// # Errors
/// The recording cannot be read, or not by this gateway.
pub(crate) fn open(data_dir: &Path, directory: &Path, lanes: &[Lane]) -> Result<Reader, ContentError> {
    let first = lanes.first().map_or(Class::Events, |lane| lane.class());
    // A gateway that records for others only has no key, and that is all there is to say.
    let Ok(identity) = Identity::load(&data_dir.join(data::IDENTITY)) else {
        return Err(ContentError::Sealed(first));
    };
    let reader = Reader::open(directory, &identity)?;
    let closed =
        |classes: &[Class]| lanes.iter().map(|lane| lane.class()).find(|class| classes.contains(class));
    match (closed(reader.erased()), closed(reader.missing())) {
        (Some(class), _) => Err(ContentError::Erased(class)),
        (None, Some(class)) => Err(ContentError::Sealed(class)),
        (None, None) => Ok(reader.only(lanes)),
    }
}
