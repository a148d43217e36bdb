//! Formats of clipboard content and what they need.

use std::fmt::Write;

use passerelle_desktop::{Permission, Permissions, Side};

use super::message::{ASCII_NAMES, Type, encode};
use crate::relay::bytes::{Reader, ascii_name, utf16_name};

/// How many formats a list may name.
const MOST_FORMATS: usize = 1024;

/// Length of a short format name (MS-RDPECLIP 2.2.3.1.1.1).
const SHORT_NAME: usize = 32;

/// What sort of content a format is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Html,
    Rtf,
    /// The language of text.
    Locale,
    Image,
    /// The list of the files that were copied, `FileGroupDescriptorW`.
    FileList,
    /// Something else about files.
    Files,
    /// What could be anything.
    Other,
}

impl Kind {
    /// Its name in notices.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::Rtf => "rtf",
            Self::Locale => "locale",
            Self::Image => "image",
            Self::FileList | Self::Files => "files",
            Self::Other => "other",
        }
    }

    /// What it needs to go from `from` to the other side.
    ///
    /// What could be anything needs the clipboard's own permission too: `other_channels` has no direction.
    fn needs(self, from: Side) -> &'static [Permission] {
        use Permission::*;
        match (self, from) {
            (Self::Text | Self::Html | Self::Rtf | Self::Locale, Side::Viewer) => &[ClipboardToTarget],
            (Self::Text | Self::Html | Self::Rtf | Self::Locale, Side::Target) => &[ClipboardFromTarget],
            (Self::Image, Side::Viewer) => &[ImagesToTarget],
            (Self::Image, Side::Target) => &[ImagesFromTarget],
            (Self::FileList | Self::Files, Side::Viewer) => &[FilesToTarget],
            (Self::FileList | Self::Files, Side::Target) => &[FilesFromTarget],
            (Self::Other, Side::Viewer) => &[OtherChannels, ClipboardToTarget],
            (Self::Other, Side::Target) => &[OtherChannels, ClipboardFromTarget],
        }
    }

    /// The permission that is missing for it to go from `from` to the other side, if one is.
    pub(super) fn missing(self, from: Side, permissions: Permissions) -> Option<Permission> {
        self.needs(from).iter().copied().find(|permission| !permissions.allows(*permission))
    }

    /// The permission to name when it is withheld for another reason.
    pub(super) fn permission(self, from: Side) -> Permission {
        self.needs(from).first().copied().unwrap_or(Permission::OtherChannels)
    }
}

/// The formats that Windows numbers, by number (MS-RDPECLIP 1.3.1.2 points to `winuser.h`).
const NUMBERED: [(u32, &str, Kind); 21] = [
    (1, "CF_TEXT", Kind::Text),
    (2, "CF_BITMAP", Kind::Image),
    (3, "CF_METAFILEPICT", Kind::Image),
    (4, "CF_SYLK", Kind::Text),
    (5, "CF_DIF", Kind::Text),
    (6, "CF_TIFF", Kind::Image),
    (7, "CF_OEMTEXT", Kind::Text),
    (8, "CF_DIB", Kind::Image),
    (9, "CF_PALETTE", Kind::Image),
    (10, "CF_PENDATA", Kind::Other),
    (11, "CF_RIFF", Kind::Other),
    (12, "CF_WAVE", Kind::Other),
    (13, "CF_UNICODETEXT", Kind::Text),
    (14, "CF_ENHMETAFILE", Kind::Image),
    (15, "CF_HDROP", Kind::Files),
    (16, "CF_LOCALE", Kind::Locale),
    (17, "CF_DIBV5", Kind::Image),
    (0x81, "CF_DSPTEXT", Kind::Text),
    (0x82, "CF_DSPBITMAP", Kind::Image),
    (0x83, "CF_DSPMETAFILEPICT", Kind::Image),
    (0x8e, "CF_DSPENHMETAFILE", Kind::Image),
];

/// Formats that are known by their name, whose number each side draws anew.
const NAMED: [(&str, Kind); 33] = [
    ("HTML Format", Kind::Html),
    ("text/html", Kind::Html),
    ("Rich Text Format", Kind::Rtf),
    ("Rich Text Format Without Objects", Kind::Rtf),
    ("RTF As Text", Kind::Rtf),
    ("text/rtf", Kind::Rtf),
    ("text/richtext", Kind::Rtf),
    ("text/plain", Kind::Text),
    ("UTF8_STRING", Kind::Text),
    ("Csv", Kind::Text),
    ("UniformResourceLocator", Kind::Text),
    ("UniformResourceLocatorW", Kind::Text),
    ("PNG", Kind::Image),
    ("JFIF", Kind::Image),
    ("GIF", Kind::Image),
    ("JPEG", Kind::Image),
    ("TIFF", Kind::Image),
    ("FileGroupDescriptorW", Kind::FileList),
    ("FileGroupDescriptor", Kind::Files),
    ("FileContents", Kind::Files),
    ("FileName", Kind::Files),
    ("FileNameW", Kind::Files),
    ("FileNameMap", Kind::Files),
    ("FileNameMapW", Kind::Files),
    ("Shell IDList Array", Kind::Files),
    ("Shell Object Offsets", Kind::Files),
    ("Preferred DropEffect", Kind::Files),
    ("Performed DropEffect", Kind::Files),
    ("Logical Performed DropEffect", Kind::Files),
    ("Paste Succeeded", Kind::Files),
    ("DropDescription", Kind::Files),
    ("text/uri-list", Kind::Files),
    ("x-special/gnome-copied-files", Kind::Files),
];

fn by_number(id: u32) -> Option<(&'static str, Kind)> {
    NUMBERED.iter().find(|(number, ..)| *number == id).map(|(_, name, kind)| (*name, *kind))
}

/// The kind of a format by its name. A name of `cut` or more characters may have lost its end.
fn by_name(name: &str, cut: usize) -> Kind {
    let same = |known: &str| {
        known.eq_ignore_ascii_case(name)
            || name.len() >= cut
                && known.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let media = |media: &str| name.get(..media.len()).is_some_and(|start| start.eq_ignore_ascii_case(media));
    match NAMED.iter().find(|(known, _)| same(known)) {
        Some((_, kind)) => *kind,
        None if media("image/") => Kind::Image,
        None if media("text/plain;") => Kind::Text,
        None => Kind::Other,
    }
}

/// A side's format list (MS-RDPECLIP 2.2.3.1).
#[derive(Debug, Default)]
pub(super) struct FormatList {
    flags: u16,
    formats: Vec<Format>,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Format {
    id: u32,
    kind: Kind,
    /// Where it is in the list's body.
    start: usize,
    end: usize,
}

impl FormatList {
    /// Reads a list; `None` if it is malformed or names too many formats.
    pub(super) fn read(flags: u16, long_names: bool, body: &[u8]) -> Option<Self> {
        if long_names && flags & ASCII_NAMES != 0 {
            return None;
        }
        let mut list = Self { flags, formats: Vec::new(), body: body.to_vec() };
        let mut reader = Reader::new(body);
        while !reader.rest().is_empty() {
            if list.formats.len() == MOST_FORMATS {
                return None;
            }
            let start = body.len() - reader.rest().len();
            let id = reader.u32()?;
            let (name, cut) = list.read_name(long_names, &mut reader)?;
            let end = body.len() - reader.rest().len();
            let kind = match by_number(id) {
                Some((_, kind)) if name.is_empty() || by_name(&name, cut) == kind => kind,
                None if !name.is_empty() => by_name(&name, cut),
                _ => Kind::Other,
            };
            list.formats.push(Format { id, kind, start, end });
        }
        Some(list)
    }

    /// Reads a name; and says from how many characters on it may be cut off.
    fn read_name(&self, long: bool, reader: &mut Reader<'_>) -> Option<(String, usize)> {
        if !long {
            let name = reader.bytes(SHORT_NAME)?;
            return Some(if self.flags & ASCII_NAMES != 0 {
                (ascii_name(name), SHORT_NAME - 1)
            } else {
                (utf16_name(name), SHORT_NAME / 2 - 1)
            });
        }
        let rest = reader.rest();
        let units = rest.as_chunks::<2>().0.iter().position(|unit| *unit == [0, 0])?;
        let name = reader.bytes(units * 2)?;
        reader.bytes(2)?;
        Some((utf16_name(name), usize::MAX))
    }

    /// The kind of the format with the number `id`, if the list names it or Windows gave it that number. A number
    /// that stands for formats of different kinds could be anything.
    ///
    /// What Windows numbers need not be in the list: it turns one kind of text, and of picture, into the others, and
    /// xrdp counts on that.
    pub(super) fn kind_of(&self, id: u32) -> Option<Kind> {
        let mut kinds = self.formats.iter().filter(|format| format.id == id).map(|format| format.kind);
        let Some(first) = kinds.next() else { return by_number(id).map(|(_, kind)| kind) };
        Some(if kinds.all(|kind| kind == first) { first } else { Kind::Other })
    }

    /// The list's formats that `keep` says yes to, as they came.
    pub(super) fn encode(&self, keep: impl Fn(Kind) -> bool) -> Vec<u8> {
        let kept = self.formats.iter().filter(|format| keep(format.kind));
        let body: Vec<u8> = kept
            .flat_map(|format| self.body.get(format.start..format.end).unwrap_or_default())
            .copied()
            .collect();
        encode(Type::FormatList, self.flags & ASCII_NAMES, &body)
    }

    /// Whether there is a format that `test` says yes to.
    pub(super) fn any(&self, test: impl Fn(Kind) -> bool) -> bool {
        self.formats.iter().any(|format| test(format.kind))
    }

    /// What `from` misses to offer all of it: each permission once, with the names of the formats that need it.
    pub(super) fn missing(
        &self,
        from: Side,
        permissions: Permissions,
        long_names: bool,
    ) -> Vec<(Permission, String)> {
        const MOST_NAMES: usize = 32;
        let mut missing: Vec<(Permission, String, usize)> = Vec::new();
        for format in &self.formats {
            let Some(permission) = format.kind.missing(from, permissions) else { continue };
            let name = self.name_of(format, long_names);
            match missing.iter_mut().find(|(known, ..)| *known == permission) {
                Some((_, names, count)) if *count < MOST_NAMES => {
                    let _ = write!(names, ", {name}");
                    *count += 1;
                }
                Some((_, names, count)) if *count == MOST_NAMES => {
                    names.push_str(" and more");
                    *count += 1;
                }
                Some(_) => {}
                None => missing.push((permission, name, 1)),
            }
        }
        missing.into_iter().map(|(permission, names, _)| (permission, names)).collect()
    }

    /// A format's name for people.
    fn name_of(&self, format: &Format, long_names: bool) -> String {
        let entry = self.body.get(format.start..format.end).unwrap_or_default();
        let mut reader = Reader::new(entry.get(4..).unwrap_or_default());
        let name = self.read_name(long_names, &mut reader).map(|(name, _)| name).unwrap_or_default();
        match by_number(format.id) {
            _ if !name.is_empty() => name,
            Some((name, _)) => name.to_owned(),
            None => format!("format {}", format.id),
        }
    }
}
