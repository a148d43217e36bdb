//! The protocol-neutral vocabulary of remote desktops.
//!
//! What every protocol adapter and the gateway must agree on and nothing else: what a technician may do
//! ([`Permissions`]), how a protocol's messages are forwarded, changed or withheld ([`Relay`]), and where
//! a desktop is drawn rather than relayed, its picture ([`Framebuffer`]), what is done on it ([`InputEvent`]) and
//! how a recording becomes a picture again ([`Decoder`]). No I/O, no clock, no randomness.

mod blackout;
mod damage;
mod decoder;
mod framebuffer;
mod geometry;
mod input;
mod keys;
mod log;
mod permission;
mod relay;

pub use blackout::{Blackout, BlackoutError, BlackoutState, Whose};
pub use damage::Damage;
pub use decoder::{DecodeError, Decoder, Pointer, Skipped, Tally};
pub use framebuffer::{Framebuffer, FramebufferError};
pub use geometry::{Rect, Size};
pub use input::{Cursor, CursorError, InputEvent};
pub use keys::{InputError, InputReader, KeyKind, KeystrokePolicy, RecordedInput};
pub use log::TargetLog;
pub use permission::{ClipboardLimits, Permission, Permissions, UnknownPermission};
pub use relay::{Denied, Farewell, Notice, Record, Relay, RelayError, Side, Step};
