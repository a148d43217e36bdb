//! Seeking over the API: from the request to the decoded picture.

use anyhow::{Context, Result};
use passerelle_recorder::view::{Message, Messages, ViewPicture};

use super::lab::Lab;
use crate::bench::auth::control::Control;
use crate::bench::clock::{self, milliseconds};
use crate::bench::figures::{Spread, spread};

/// What seeking came to, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeks {
    /// From asking for the view's contents to the first picture.
    pub(super) first: f64,
    /// From asking for a chunk to the picture of a time in it.
    pub(super) others: Spread,
}

impl Lab {
    /// Looks at the first picture, and then at as many random times.
    pub(super) fn seek(&self, id: &str, count: u32) -> Result<Seeks> {
        let viewing = self.view(id)?;
        let began = clock::now();
        let manifest = self.manifest(id, &viewing)?;
        let mut control = self.control()?;
        picture(&mut control, id, &viewing, 0, 0)?;
        let first = milliseconds(clock::now().duration_since(began));
        let end = manifest.chunks.last().context("the view is empty")?.until_ms;
        let mut times = Vec::new();
        let mut state = 1u64;
        for _ in 0..count {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let t_ms = (state >> 33) % end.max(1);
            let chunk = manifest.chunks.iter().rfind(|chunk| chunk.from_ms <= t_ms);
            let number = chunk.context("nothing shows the beginning")?.number;
            let began = clock::now();
            picture(&mut control, id, &viewing, number, t_ms)?;
            times.push(milliseconds(clock::now().duration_since(began)));
        }
        Ok(Seeks { first, others: spread(&times).context("nothing was sought")? })
    }
}

/// The picture of a time, or the first one after it in the chunk.
fn picture(control: &mut Control, id: &str, viewing: &str, chunk: u32, t_ms: u64) -> Result<ViewPicture> {
    let path = format!("/api/v1/recordings/{id}/view/chunks/{chunk}");
    let bytes = control.get(&path, Some(viewing))?;
    let mut picture = ViewPicture::new()?;
    let mut messages = Messages::new(&bytes[..])?;
    let mut shown = false;
    while let Some((at, message)) = messages.next_message()? {
        if shown && u64::from(at) > t_ms {
            break;
        }
        shown |= message == Message::Frame;
        picture.apply(&message)?;
    }
    Ok(picture)
}
