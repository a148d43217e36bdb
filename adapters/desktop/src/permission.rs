//! What a technician may do in a session.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One thing that a technician may do. Everything that is not granted is denied.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Permission {
            /// Every permission, in the order in which they are listed to people.
            pub const ALL: &'static [Permission] = &[$(Permission::$variant,)+];

            /// The name used in the configuration, the audit log and the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Permission::$variant => $name,)+
                }
            }
        }
    };
}

permissions! {
    /// See the screen.
    View = "view",
    /// Move the pointer and press its buttons.
    Pointer = "pointer",
    /// Press keys.
    Keyboard = "keyboard",
    /// Put text on the target's clipboard.
    ClipboardToTarget = "clipboard.to_target",
    /// Take text from the target's clipboard.
    ClipboardFromTarget = "clipboard.from_target",
    /// Put pictures on the target's clipboard.
    ImagesToTarget = "images.to_target",
    /// Take pictures from the target's clipboard.
    ImagesFromTarget = "images.from_target",
    /// Copy files to the target, over the clipboard or a mounted drive.
    FilesToTarget = "files.to_target",
    /// Copy files from the target, over the clipboard or a mounted drive.
    FilesFromTarget = "files.from_target",
    /// Mount the technician's drives on the target. Files on them are read and written with the permissions
    /// of their direction.
    Drives = "drives",
    /// Print on the technician's printers.
    Printers = "printers",
    /// Use the technician's smart cards.
    SmartCards = "smart_cards",
    /// Use the technician's serial and parallel ports.
    Ports = "ports",
    /// Hear the target.
    AudioOut = "audio.out",
    /// Speak into the target's microphone.
    AudioIn = "audio.in",
    /// Use the technician's camera.
    Camera = "camera",
    /// Learn where the technician is.
    Location = "location",
    /// Attach the technician's USB devices.
    Usb = "usb",
    /// Change the target's desktop size.
    Resize = "resize",
    /// Show single applications instead of the desktop.
    RemoteApps = "remote_apps",
    /// Open channels that none of the other permissions names.
    OtherChannels = "other_channels",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no permission's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown permission `{0}`")]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.name() == name)
            .ok_or_else(|| UnknownPermission(name.to_owned()))
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of permissions. Serialized as a list of names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u32);

impl Permissions {
    /// Nothing is permitted.
    pub const NONE: Self = Self(0);

    /// Whether `permission` is in the set.
    pub const fn allows(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u16) != 0
    }

    /// The set with `permission` added.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u16)
    }

    /// The set with `permission` removed.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !(1 << permission as u16))
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The permissions in the set, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.allows(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// The largest clipboard content that passes, in bytes of uncompressed content, for each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipboardLimits {
    /// From the technician to the target.
    pub to_target: u32,
    /// From the target to the technician.
    pub from_target: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_distinct() {
        for permission in Permission::ALL {
            assert_eq!(permission.name().parse(), Ok(*permission));
        }
        assert_eq!("clipboard".parse::<Permission>(), Err(UnknownPermission("clipboard".into())));
    }

    #[test]
    fn sets_hold_what_was_added_and_nothing_else() {
        let set: Permissions = [Permission::View, Permission::Resize].into_iter().collect();
        assert!(set.allows(Permission::View) && set.allows(Permission::Resize));
        assert!(!set.allows(Permission::Keyboard));
        assert!(!set.without(Permission::View).allows(Permission::View));
        assert_eq!(set.iter().count(), 2);
    }
}
