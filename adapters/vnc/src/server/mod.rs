//! A desktop of our own, served over RFB.
//!
//! A [`Screen`] holds the picture that its owner draws. For each connection [`admit()`] lets the viewer in
//! as a stock VNC server would, and [`serve()`] sends it the picture and tells the owner what it does. The
//! viewers share the desktop.

mod admit;
mod clipboard;
mod encode;
mod pixels;
mod screen;
mod serve;
mod session;
mod zrle;

#[cfg(test)]
mod tests;

pub use admit::{AdmitError, admit};
pub use screen::{Screen, ViewerId};
pub use serve::{Activity, ServeError, ViewerEvent, serve};
pub use session::ViewerViolation;
