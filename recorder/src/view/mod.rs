//! Views: what people look at, rendered from a recording. `VIEW.md` describes the format.
//!
//! A [`Renderer`] feeds a decoder with the entries of a recording and has a [`ViewWriter`] write what is to be seen as
//! chunks, each of which begins with a whole picture. [`Messages`] and [`ViewPicture`] read them.

mod activity;
mod jpeg;
mod message;
mod motion;
mod picture;
mod pointer;
mod renderer;
mod store;
mod stream;
#[cfg(test)]
mod tests;
mod tiles;
mod writer;

pub use activity::{Activity, Span};
pub use message::{MAX_BODY, MalformedView, Message, Parsed};
pub use picture::{ViewPicture, ViewPointer};
pub use renderer::{BlackoutSpan, Renderer, SkippedPart, Stopped, ViewSummary};
pub use store::{
    StoredView, ViewBuilder, ViewChunk, ViewContents, ViewError, ViewIndex, ViewStore, ViewThumbnail,
};
pub use stream::Messages;
pub use writer::{Scene, ViewSink, ViewWriter, WrittenChunk};
