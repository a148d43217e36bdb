//! Who may do what on which target, and when.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use passerelle_desktop::{Permission, Permissions};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Protocol, RenderMode};
use crate::values::{HumanDuration, Name, Network, Pattern, Person, TimeOfDay, ZoneName, format};

/// Grants permissions on targets to technicians, or takes them away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name by which the audit log calls the rule.
    #[schemars(with = "Name")]
    pub name: String,
    /// Whether the rule gives its permissions, or takes them away whoever gives them.
    #[serde(default)]
    pub effect: Effect,
    /// Groups whose members the rule is about.
    #[serde(default)]
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub groups: Vec<String>,
    /// Technicians that the rule is about, in addition to the groups; `*` for all.
    #[serde(default)]
    #[schemars(with = "Vec<Person>", extend("uniqueItems" = true))]
    pub users: Vec<String>,
    /// The targets: a target's name, `tag:NAME`, or `*` for all.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub targets: Vec<TargetSelector>,
    /// The protocols that the rule is about; by default all.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub protocols: Vec<Protocol>,
    /// The networks that the technician's client must be in; by default any.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub sources: Vec<Network>,
    /// The hours in which the rule applies; by default always.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// Whether the rule is only about sessions that somebody at the target asked for, or only about others; by
    /// default about both.
    #[serde(default)]
    pub attended: Option<bool>,
    /// Whether the rule gives its permissions also while the target is under maintenance.
    #[serde(default)]
    pub maintenance: bool,
    /// What the technician may do there. With `effect: deny`, what the technician may not do: everything when
    /// the key is left out.
    #[serde(default)]
    #[schemars(schema_with = "permissions")]
    pub permissions: Permissions,
    /// What must be fulfilled for the session to begin and go on.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub require: Vec<Requirement>,
    /// How long recordings of sessions under this rule are kept after their end, instead of
    /// `recording.retention`; the longest counts where several rules say something.
    #[serde(default)]
    pub retention: Option<HumanDuration>,
    /// When sessions under this rule are rendered, instead of `recording.views.mode`; the earliest counts where several
    /// rules say something.
    #[serde(default)]
    pub views: Option<RenderMode>,
    /// Whether `recording.blackout` is allowed in sessions under this rule; where several rules say something, all of them
    /// have to allow it.
    #[serde(default)]
    pub blackout: Option<bool>,
}

/// What a rule does with its permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It gives them.
    #[default]
    Allow,
    /// It takes them away, whoever gives them.
    Deny,
}

/// Hours of the week, by the clocks of a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The place's time zone.
    pub time_zone: ZoneName,
    /// The days on which the hours begin; by default all.
    #[serde(default = "Day::all")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub days: Vec<Day>,
    /// When they begin.
    pub from: TimeOfDay,
    /// When they end: on the next day if that is not after `from`.
    pub to: TimeOfDay,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    fn all() -> Vec<Self> {
        vec![Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun]
    }

    /// The day in the terms of the time library.
    pub const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

/// What a session must fulfil.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "RequirementForm", into = "RequirementForm")]
#[schemars(with = "RequirementForm")]
pub enum Requirement {
    /// The session is recorded, whatever `recording.policy` says.
    Recording,
    /// The technician has proved a second factor.
    SecondFactor,
    /// The technician says why.
    Reason,
    /// The technician names an entry of a ticket system, of this form if one is given.
    TicketId(Option<Pattern>),
    /// Another person approves.
    Approval,
    /// Somebody at the target agrees.
    Consent,
}

/// A requirement as written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RequirementForm {
    Word(RequirementWord),
    Keys(RequirementKeys),
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RequirementWord {
    /// The session is recorded, whatever `recording.policy` says.
    Recording,
    /// The technician has proved a second factor.
    SecondFactor,
    /// The technician says why.
    Reason,
    /// The technician names an entry of a ticket system.
    TicketId,
    /// Another person approves.
    Approval,
    /// Somebody at the target agrees. The gateway cannot ask yet, so it lets nobody in.
    Consent,
}

/// A requirement with a condition on what fulfils it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RequirementKeys {
    /// The technician names an entry of a ticket system, and this matches the whole of its name.
    ticket_id: Pattern,
}

impl From<RequirementForm> for Requirement {
    fn from(form: RequirementForm) -> Self {
        match form {
            RequirementForm::Word(RequirementWord::Recording) => Self::Recording,
            RequirementForm::Word(RequirementWord::SecondFactor) => Self::SecondFactor,
            RequirementForm::Word(RequirementWord::Reason) => Self::Reason,
            RequirementForm::Word(RequirementWord::TicketId) => Self::TicketId(None),
            RequirementForm::Word(RequirementWord::Approval) => Self::Approval,
            RequirementForm::Word(RequirementWord::Consent) => Self::Consent,
            RequirementForm::Keys(RequirementKeys { ticket_id }) => Self::TicketId(Some(ticket_id)),
        }
    }
}

impl From<Requirement> for RequirementForm {
    fn from(requirement: Requirement) -> Self {
        Self::Word(match requirement {
            Requirement::Recording => RequirementWord::Recording,
            Requirement::SecondFactor => RequirementWord::SecondFactor,
            Requirement::Reason => RequirementWord::Reason,
            Requirement::TicketId(None) => RequirementWord::TicketId,
            Requirement::Approval => RequirementWord::Approval,
            Requirement::Consent => RequirementWord::Consent,
            Requirement::TicketId(Some(ticket_id)) => return Self::Keys(RequirementKeys { ticket_id }),
        })
    }
}

/// Which targets a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetSelector {
    /// `*`: every target.
    All,
    /// `tag:NAME`: every target with the tag.
    Tag(String),
    /// A target's name.
    Name(String),
}

impl FromStr for TargetSelector {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("tag:") {
            Some(tag) => Self::Tag(tag.to_owned()),
            None if text == "*" => Self::All,
            None => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for TargetSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for TargetSelector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TargetSelector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TargetSelector".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A target's name, tag:NAME for all targets with a tag, or * for all.",
            "type": "string",
            "format": format::SELECTOR
        })
    }
}

/// Every permission. One that a target's protocol has no use for does nothing there.
fn permissions(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Permission::ALL.iter().copied().map(Permission::name).collect();
    json_schema!({ "type": "array", "items": { "type": "string", "enum": names }, "uniqueItems": true })
}
