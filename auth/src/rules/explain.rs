//! Why a decision came out as it did.

use super::rule::Condition;
use super::{Effect, Facts, Rule};

/// A rule that is about a technician and a target, as [`explain`] sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Why it does not apply, one sentence for each condition that does not hold; empty when it applies.
    pub unless: Vec<String>,
    /// What is to be said about a rule that applies and yet does not count in full.
    pub remark: Option<String>,
}

/// The rules that name the technician and the target, in the order given: which of them apply to the facts,
/// and why the others do not.
pub fn explain<'a>(facts: &Facts, rules: &'a [Rule]) -> Vec<Considered<'a>> {
    let (about, rest) = Condition::ALL.split_at(2);
    rules
        .iter()
        .filter(|rule| about.iter().all(|condition| rule.holds(*condition, facts)))
        .map(|rule| {
            let failed = rest.iter().filter(|condition| !rule.holds(**condition, facts));
            Considered {
                rule,
                unless: failed.map(|condition| sentence(*condition, rule, facts)).collect(),
                remark: remark(rule, facts),
            }
        })
        .collect()
}

fn remark(rule: &Rule, facts: &Facts) -> Option<String> {
    if rule.effect == Effect::Allow && !rule.gives(facts) {
        Some("gives nothing while the target is under maintenance".to_owned())
    } else if rule.effect == Effect::Allow && facts.source.is_none() && !rule.sources.is_empty() {
        Some(format!("only from {}", networks(rule)))
    } else {
        None
    }
}

fn sentence(condition: Condition, rule: &Rule, facts: &Facts) -> String {
    match condition {
        Condition::Who => "is about other people".to_owned(),
        Condition::Where => "is about other targets".to_owned(),
        Condition::Protocol => {
            format!("only over {}, and this is {}", rule.protocols.join(", "), facts.protocol)
        }
        Condition::Source => match facts.source {
            Some(source) => format!("only from {}, and this is {source}", networks(rule)),
            None => format!("only from {}", networks(rule)),
        },
        Condition::Attended if rule.attended == Some(true) => "only in attended sessions".to_owned(),
        Condition::Attended => "only in unattended sessions".to_owned(),
        Condition::Hours => match &rule.hours {
            Some(hours) => format!("only {hours}, where it is {}", hours.wall(facts.now)),
            None => "at other hours".to_owned(),
        },
    }
}

fn networks(rule: &Rule) -> String {
    let networks: Vec<String> = rule.sources.iter().map(ToString::to_string).collect();
    networks.join(", ")
}
