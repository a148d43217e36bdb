//! Rules, found by whom and what they name.

use std::collections::HashMap;

use super::{Decision, Facts, Rule, Subject, TargetSelector, weigh};

/// Rules that are decided with often: those that name neither the technician nor the target are not looked at.
///
/// [`Rules::decide`] decides as [`decide`](super::decide) does.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    all: Vec<Rule>,
    by_subject: Index,
    by_target: Index,
}

impl Rules {
    /// Makes these rules quick to find.
    pub fn new(all: Vec<Rule>) -> Self {
        let (mut by_subject, mut by_target) = (Index::default(), Index::default());
        for (place, rule) in all.iter().enumerate() {
            for subject in &rule.subjects {
                match subject {
                    Subject::Anyone => by_subject.always.push(place),
                    Subject::Identity(name) => by_subject.add_name(name, place),
                    Subject::Group(group) => by_subject.add_label(group, place),
                }
            }
            for target in &rule.targets {
                match target {
                    TargetSelector::Any => by_target.always.push(place),
                    TargetSelector::Name(name) => by_target.add_name(name, place),
                    TargetSelector::Tag(tag) => by_target.add_label(tag, place),
                }
            }
        }
        Self { all, by_subject, by_target }
    }

    /// All of them, in the order given.
    pub fn all(&self) -> &[Rule] {
        &self.all
    }

    /// What they let a technician do on a target.
    pub fn decide(&self, facts: &Facts) -> Decision {
        let by_subject = self.by_subject.lists(&facts.technician, &facts.groups);
        let by_target = self.by_target.lists(&facts.target, &facts.tags);
        let fewer = if length(&by_subject) <= length(&by_target) { by_subject } else { by_target };
        let mut places = fewer.concat();
        // A rule may name somebody in several ways.
        places.sort_unstable();
        places.dedup();
        weigh(facts, places.into_iter().filter_map(|place| self.all.get(place)))
    }
}

/// The places of the rules that name something.
#[derive(Clone, Debug, Default)]
struct Index {
    /// Those that name everything.
    always: Vec<usize>,
    /// By its own name.
    names: HashMap<String, Vec<usize>>,
    /// By its groups or tags.
    labels: HashMap<String, Vec<usize>>,
}

impl Index {
    fn add_name(&mut self, name: &str, place: usize) {
        self.names.entry(name.to_owned()).or_default().push(place);
    }

    fn add_label(&mut self, label: &str, place: usize) {
        self.labels.entry(label.to_owned()).or_default().push(place);
    }

    /// The places of all rules that name what is called `name` and has these labels; some more than once.
    fn lists(&self, name: &str, labels: &[String]) -> Vec<&[usize]> {
        let labels = labels.iter().filter_map(|label| self.labels.get(label));
        let named = self.names.get(name).into_iter().chain(labels).map(Vec::as_slice);
        named.chain([self.always.as_slice()]).collect()
    }
}

fn length(lists: &[&[usize]]) -> usize {
    lists.iter().map(|list| list.len()).sum()
}
