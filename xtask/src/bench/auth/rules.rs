//! Rules and facts for decisions.

use std::collections::BTreeSet;
use std::net::IpAddr;

use passerelle_auth::{Effect, Facts, Requirement, Rule, Subject, TargetSelector, Timestamp};
use passerelle_desktop::{Permission, Permissions};

/// How many of the rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applying {
    /// The last one: the others are about other groups and tags.
    One,
    /// All of them.
    All,
}

impl Applying {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::One, Self::All];

    /// In words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "one applies",
            Self::All => "all apply",
        }
    }
}

/// Alice of the help desk, who wants to connect to a target from the office.
pub(crate) fn facts() -> Facts {
    Facts {
        technician: "alice".to_owned(),
        groups: vec!["helpdesk".to_owned(), "night".to_owned()],
        target: "front-desk".to_owned(),
        tags: vec!["office".to_owned(), "all".to_owned()],
        protocol: "vnc".to_owned(),
        source: Some(IpAddr::from([10, 1, 2, 3])),
        now: Timestamp::from_millis(1_795_000_000_000),
        second_factor: true,
        reason: Some("cannot print".to_owned()),
        ticket_id: None,
        approved_by: None,
        attended: false,
        maintenance: false,
    }
}

/// As many rules as `count`.
pub(crate) fn rules(count: usize, applying: Applying) -> Vec<Rule> {
    (0..count)
        .map(|index| {
            let applies = applying == Applying::All || index + 1 == count;
            let (group, tag) = if applies {
                ("helpdesk".to_owned(), "office".to_owned())
            } else {
                (format!("group-{index}"), format!("site-{index}"))
            };
            Rule {
                name: format!("rule-{index}"),
                subjects: vec![Subject::Group(group)],
                targets: vec![TargetSelector::Tag(tag)],
                protocols: Vec::new(),
                sources: "10.0.0.0/8".parse().into_iter().collect(),
                attended: None,
                hours: None,
                maintenance: false,
                effect: Effect::Allow,
                permissions: Permissions::NONE.with(Permission::View).with(Permission::Pointer),
                requirements: BTreeSet::from([Requirement::Recording, Requirement::SecondFactor]),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use passerelle_auth::{Rules, decide};

    use super::*;

    #[test]
    fn as_many_rules_apply_as_is_said() {
        for count in [1, 100] {
            for (applying, expected) in [(Applying::One, 1), (Applying::All, count)] {
                let rules = rules(count, applying);
                let grant = decide(&facts(), &rules).granted().unwrap();
                assert_eq!(grant.rules.len(), expected);
                assert_eq!(Rules::new(rules).decide(&facts()).granted().unwrap(), grant);
            }
        }
    }
}
