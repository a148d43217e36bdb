//! A rule, and to what it applies.

use std::collections::BTreeSet;

use ipnet::IpNet;
use passerelle_desktop::{Permission, Permissions};

use super::{Facts, Hours, Requirement};

/// Gives permissions to some people on some targets, or takes them away.
///
/// It applies when all of its conditions hold: it names the technician or one of the technician's groups, the
/// target or one of the target's tags, and whatever else it is limited to. Names are compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in the audit log.
    pub name: String,
    /// To whom. Nobody when empty.
    pub subjects: Vec<Subject>,
    /// Where. Nowhere when empty.
    pub targets: Vec<TargetSelector>,
    /// Over which protocols, as in [`Facts::protocol`]. Any when empty.
    pub protocols: Vec<String>,
    /// From which networks. Any when empty.
    pub sources: Vec<IpNet>,
    /// Whether only in attended sessions, or only in others.
    pub attended: Option<bool>,
    /// When. Always if there are none.
    pub hours: Option<Hours>,
    /// Whether it gives permissions also while the target is under maintenance. Otherwise it gives none then;
    /// what it requires or takes away stays.
    pub maintenance: bool,
    /// What happens to the permissions.
    pub effect: Effect,
    /// What it gives or takes away. A rule that takes away and names none takes away everything.
    pub permissions: Permissions,
    /// What has to be fulfilled in each session to which it applies. Those of a rule that takes away count for
    /// nothing.
    pub requirements: BTreeSet<Requirement>,
}

/// What a rule does with its permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// It gives them.
    #[default]
    Allow,
    /// It takes them away, whoever gives them.
    Deny,
}

/// One of the things that have to hold for a rule to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Who,
    Where,
    Protocol,
    Source,
    Attended,
    Hours,
}

impl Condition {
    /// All of them, those first that cost least and fail most.
    pub(crate) const ALL: [Self; 6] =
        [Self::Who, Self::Where, Self::Protocol, Self::Source, Self::Attended, Self::Hours];
}

impl Rule {
    pub(crate) fn applies(&self, facts: &Facts) -> bool {
        Condition::ALL.into_iter().all(|condition| self.holds(condition, facts))
    }

    pub(crate) fn holds(&self, condition: Condition, facts: &Facts) -> bool {
        match condition {
            Condition::Who => self.subjects.iter().any(|subject| subject.covers(facts)),
            Condition::Where => self.targets.iter().any(|target| target.covers(facts)),
            Condition::Protocol => self.protocols.is_empty() || self.protocols.contains(&facts.protocol),
            Condition::Source if self.sources.is_empty() => true,
            Condition::Source => match facts.source {
                Some(source) => {
                    let source = source.to_canonical();
                    self.sources.iter().any(|network| network.contains(&source))
                }
                // The best that any address would get.
                None => self.effect == Effect::Allow,
            },
            Condition::Attended => self.attended.is_none_or(|attended| attended == facts.attended),
            Condition::Hours => self.hours.as_ref().is_none_or(|hours| hours.cover(facts.now)),
        }
    }

    /// Whether a rule that applies gives its permissions.
    pub(crate) fn gives(&self, facts: &Facts) -> bool {
        self.effect == Effect::Allow && (self.maintenance || !facts.maintenance)
    }

    /// What a rule that applies takes away.
    pub(crate) fn takes(&self) -> Permissions {
        match self.effect {
            Effect::Allow => Permissions::NONE,
            Effect::Deny if self.permissions == Permissions::NONE => {
                Permission::ALL.iter().copied().collect()
            }
            Effect::Deny => self.permissions,
        }
    }
}

/// People to whom a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Every technician who has proved who they are.
    Anyone,
    /// The technician of this name.
    Identity(String),
    /// The technicians in this group.
    Group(String),
}

impl Subject {
    /// The identity of this name, or anyone for `*`.
    pub fn identity(name: &str) -> Self {
        if name == "*" { Self::Anyone } else { Self::Identity(name.to_owned()) }
    }

    /// The group of this name, or anyone for `*`.
    pub fn group(name: &str) -> Self {
        if name == "*" { Self::Anyone } else { Self::Group(name.to_owned()) }
    }

    fn covers(&self, facts: &Facts) -> bool {
        match self {
            Self::Anyone => true,
            Self::Identity(name) => *name == facts.technician,
            Self::Group(name) => facts.groups.contains(name),
        }
    }
}

/// Targets to which a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetSelector {
    /// Every target.
    Any,
    /// The target of this name.
    Name(String),
    /// The targets with this tag.
    Tag(String),
}

impl TargetSelector {
    /// Reads `*`, `tag:x` or a target's name.
    pub fn parse(text: &str) -> Self {
        match (text, text.strip_prefix("tag:")) {
            ("*", _) => Self::Any,
            (_, Some(tag)) => Self::Tag(tag.to_owned()),
            (name, None) => Self::Name(name.to_owned()),
        }
    }

    fn covers(&self, facts: &Facts) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => *name == facts.target,
            Self::Tag(tag) => facts.tags.contains(tag),
        }
    }
}
