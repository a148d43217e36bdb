//! Cut text, plain and extended.

use crate::wire::Reader;

/// Clipboard content or talk about it (RFC 6143, sections 7.5.6 and 7.6.4, and ExtendedClipboard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutText<'a> {
    /// Latin-1 text.
    Plain(&'a [u8]),
    /// An ExtendedClipboard message, which is sent with a negative length.
    Extended(ExtendedClipboard<'a>),
}

/// What follows the length of an extended cut text message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedClipboard<'a> {
    /// What the message is for.
    pub action: ClipboardAction,
    /// The formats it is about.
    pub formats: ClipboardFormats,
    /// The flags as they were sent. In [`ClipboardAction::Caps`] they also say which actions are understood.
    pub flags: u32,
    /// What follows the flags: for Caps a u32 size for each format, for Provide a zlib stream with a u32
    /// size and content for each format, else nothing.
    pub body: &'a [u8],
}

/// What an extended clipboard message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipboardAction {
    /// Says which formats and actions the sender understands.
    Caps,
    /// Asks for the content in the given formats.
    Request,
    /// Asks for a Notify.
    Peek,
    /// Says in which formats there is content.
    Notify,
    /// Brings the content.
    Provide,
}

/// A set of clipboard formats: bits 0 to 15 of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipboardFormats(pub u16);

impl ClipboardFormats {
    /// UTF-8 text.
    pub const TEXT: Self = Self(1);
    /// Rich Text Format.
    pub const RTF: Self = Self(1 << 1);
    /// HTML.
    pub const HTML: Self = Self(1 << 2);
    /// A device-independent bitmap.
    pub const DIB: Self = Self(1 << 3);
    /// Files.
    pub const FILES: Self = Self(1 << 4);

    /// Whether any of `other` is in the set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The formats one by one, in the order in which their content is sent.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        (0..u16::BITS).map(|bit| Self(1 << bit)).filter(move |format| self.has(*format))
    }
}

impl ClipboardAction {
    const FLAGS: [(u32, Self); 5] = [
        (1 << 24, Self::Caps),
        (1 << 25, Self::Request),
        (1 << 26, Self::Peek),
        (1 << 27, Self::Notify),
        (1 << 28, Self::Provide),
    ];

    fn flag(self) -> u32 {
        Self::FLAGS.iter().find(|(_, action)| *action == self).map_or(0, |(flag, _)| *flag)
    }

    /// Caps may name other actions; every other message names exactly one.
    fn from_flags(flags: u32) -> Option<Self> {
        let mut named = Self::FLAGS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, action)| *action);
        let first = named.next()?;
        (first == Self::Caps || named.next().is_none()).then_some(first)
    }
}

impl<'a> ExtendedClipboard<'a> {
    /// A message with the flags that belong to `action` and `formats`.
    pub fn new(action: ClipboardAction, formats: ClipboardFormats, body: &'a [u8]) -> Self {
        Self { action, formats, flags: action.flag() | u32::from(formats.0), body }
    }

    /// Parses what follows the length. `None` if it is shorter than its flags promise or names no action.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let flags = reader.u32()?;
        let action = ClipboardAction::from_flags(flags)?;
        let [_, _, high, low] = flags.to_be_bytes();
        let formats = ClipboardFormats(u16::from_be_bytes([high, low]));
        let body = reader.rest();
        let sizes = formats.iter().count() * 4;
        (action != ClipboardAction::Caps || body.len() >= sizes).then_some(Self {
            action,
            formats,
            flags,
            body,
        })
    }

    /// For Caps: each format with the largest size that is sent without being asked for.
    pub fn sizes(&self) -> impl Iterator<Item = (ClipboardFormats, u32)> {
        let sizes = self.body.as_chunks().0.iter().map(|size| u32::from_be_bytes(*size));
        self.formats.iter().zip(sizes)
    }
}

impl CutText<'_> {
    /// The message of the given type (3 from a server, 6 from a client) as it is sent. Content of more than
    /// 2 GiB is cut.
    pub(crate) fn encode(&self, kind: u8) -> Vec<u8> {
        let (flags, content, extended) = match self {
            Self::Plain(text) => (None, *text, false),
            Self::Extended(message) => (Some(message.flags), message.body, true),
        };
        let flags = flags.map(u32::to_be_bytes);
        let flags = flags.as_ref().map_or(&[][..], |flags| &flags[..]);
        let len = i32::try_from(flags.len() + content.len()).unwrap_or(i32::MAX);
        let sent = if extended { -len } else { len };
        let mut message = vec![kind, 0, 0, 0];
        message.extend_from_slice(&sent.to_be_bytes());
        message.extend_from_slice(flags);
        message.extend(content.iter().take(len.unsigned_abs() as usize - flags.len()));
        message
    }
}
