//! Who may do what on which target, under which conditions.
//!
//! [`decide`] is a function of [`Facts`] and [`Rule`]s; it reads no clock. What the rules say together:
//!
//! - What no rule gives is denied.
//! - The permissions that rules give add up, and so do their requirements.
//! - What a rule takes away nobody gets, whatever other rules give.
//! - The order of the rules makes no difference, and a rule that does not apply makes none either.

mod decision;
mod explain;
mod facts;
mod hours;
mod requirement;
mod rule;
mod set;

use std::collections::BTreeSet;

use passerelle_desktop::{Permission, Permissions};

pub use decision::{Decision, Denial, Grant, Refused};
pub use explain::{Considered, explain};
pub use facts::Facts;
pub use hours::Hours;
pub use requirement::{Requirement, TicketIdPattern};
pub use rule::{Effect, Rule, Subject, TargetSelector};
pub use set::Rules;

/// Decides what a technician may do on a target.
///
/// [`Requirement::Recording`] and [`Requirement::Consent`] are for the session to fulfil and never missing
/// here; the others must be met by the facts.
///
/// [`Rules`] decide alike and look at fewer of them.
pub fn decide(facts: &Facts, rules: &[Rule]) -> Decision {
    weigh(facts, rules.iter())
}

/// Decides by these rules, of which some may not apply.
fn weigh<'a>(facts: &Facts, rules: impl Iterator<Item = &'a Rule>) -> Decision {
    let (mut given, mut withheld, mut taken) = (Permissions::NONE, Permissions::NONE, Permissions::NONE);
    let mut requirements = BTreeSet::new();
    let (mut allowing, mut denying) = (Vec::new(), Vec::new());
    for rule in rules.filter(|rule| rule.applies(facts)) {
        match rule.effect {
            Effect::Allow => {
                let sum = if rule.gives(facts) { &mut given } else { &mut withheld };
                *sum = sum.union(rule.permissions);
                // From which address the technician comes may still be open; then nothing is asked for that
                // another address would not need.
                if facts.source.is_some() || rule.sources.is_empty() {
                    requirements.extend(rule.requirements.iter().cloned());
                }
                allowing.push(rule.name.clone());
            }
            Effect::Deny => {
                taken = taken.union(rule.takes());
                denying.push(rule.name.clone());
            }
        }
    }
    allowing.sort_unstable();
    denying.sort_unstable();
    let permissions = given.difference(taken);
    if taken.allows(Permission::View) {
        Decision::Denied(Denial::Forbidden { rules: denying })
    } else if allowing.is_empty() {
        Decision::Denied(Denial::NoRule)
    } else if !permissions.allows(Permission::View) {
        Decision::Denied(if withheld.allows(Permission::View) {
            Denial::Maintenance
        } else {
            Denial::NoView { rules: allowing }
        })
    } else {
        let missing: Vec<_> =
            requirements.iter().filter(|requirement| !requirement.is_met_by(facts)).cloned().collect();
        let mut applied = allowing;
        applied.append(&mut denying);
        applied.sort_unstable();
        let grant = Grant { permissions, requirements, rules: applied };
        if missing.is_empty() { Decision::Granted(grant) } else { Decision::Missing { grant, missing } }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
