//! What holds for any rules and facts.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::tests::{facts, rule, ticket_id};
use super::*;
use crate::Timestamp;

fn some_permissions() -> impl Strategy<Value = Permissions> {
    prop::collection::vec(prop::sample::select(Permission::ALL[..6].to_vec()), 0..5)
        .prop_map(|permissions| permissions.into_iter().collect())
}

fn requirements() -> impl Strategy<Value = BTreeSet<Requirement>> {
    let all = vec![
        Requirement::SecondFactor,
        Requirement::Reason,
        Requirement::TicketId(None),
        ticket_id("INC-[0-9]+"),
        Requirement::Approval,
        Requirement::Consent,
        Requirement::Recording,
    ];
    prop::collection::btree_set(prop::sample::select(all), 0..3)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let subject = prop::sample::select(vec![
        Subject::Anyone,
        Subject::identity("alice"),
        Subject::identity("bob"),
        Subject::group("helpdesk"),
        Subject::group("day"),
    ]);
    let target = prop::sample::select(vec!["*", "front-desk", "back-office", "tag:office", "tag:server"]);
    let about = (
        "[a-e]",
        prop::collection::vec(subject, 1..3),
        prop::collection::vec(target, 1..3),
        some_permissions(),
    );
    let source = prop::sample::select(vec!["192.0.2.0/24", "10.0.0.0/8", "::/0", "0.0.0.0/0"]);
    let hours = (prop::sample::select(vec![Weekday::Thursday, Weekday::Friday]), 0u16..1440, 0u16..=1440)
        .prop_map(|(day, from, to)| Hours { zone: TimeZone::UTC, days: vec![day], from, to });
    let when = (
        prop::collection::vec(prop::sample::select(vec!["rdp".to_owned(), "vnc".to_owned()]), 0..2),
        prop::option::weighted(0.3, source),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.3, hours),
        any::<bool>(),
    );
    let effect = prop::sample::select(vec![Effect::Allow, Effect::Allow, Effect::Allow, Effect::Deny]);
    (about, when, effect, requirements()).prop_map(|(about, when, effect, requirements)| {
        let (name, subjects, targets, permissions) = about;
        let (protocols, source, attended, hours, maintenance) = when;
        Rule {
            protocols,
            sources: source.into_iter().map(|network| network.parse().unwrap()).collect(),
            attended,
            hours,
            maintenance,
            effect,
            requirements,
            ..rule(&name, &subjects, &targets, permissions)
        }
    })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(any_rule(), 0..8)
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let source = prop::sample::select(vec!["192.0.2.7", "10.1.2.3", "2001:db8::1"]);
    let ids = prop::sample::select(vec!["INC-1", "7"]);
    let by = prop::sample::select(vec!["bob", "alice"]);
    (
        (prop::option::weighted(0.8, source), 0i64..172_800_000, any::<bool>(), any::<bool>(), any::<bool>()),
        (prop::option::of(Just("why")), prop::option::of(ids), prop::option::of(by)),
    )
        .prop_map(|((source, now, second_factor, attended, maintenance), (reason, id, by))| Facts {
            source: source.map(|source| source.parse().unwrap()),
            now: Timestamp::from_millis(now),
            second_factor,
            reason: reason.map(str::to_owned),
            ticket_id: id.map(str::to_owned),
            approved_by: by.map(str::to_owned),
            attended,
            maintenance,
            ..facts()
        })
}

/// How far a decision lets the technician: what may be done, and whether at once.
fn reach(decision: &Decision) -> (Permissions, bool) {
    match decision {
        Decision::Granted(grant) => (grant.permissions, true),
        Decision::Missing { grant, .. } => (grant.permissions, false),
        Decision::Denied(_) => (Permissions::NONE, false),
    }
}

fn reaches_no_further(than: &Decision, decision: &Decision) -> bool {
    let ((before, was), (after, is)) = (reach(than), reach(decision));
    after.difference(before) == Permissions::NONE && (was || !is)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn order_makes_no_difference(facts in any_facts(), (before, after) in rules().prop_flat_map(|rules| {
        (Just(rules.clone()), Just(rules).prop_shuffle())
    })) {
        prop_assert_eq!(decide(&facts, &before), decide(&facts, &after));
    }

    #[test]
    fn rules_that_are_found_by_name_decide_alike(facts in any_facts(), rules in rules(), no_groups: bool, no_tags: bool) {
        let mut facts = facts;
        if no_groups {
            facts.groups.clear();
        }
        if no_tags {
            facts.tags.clear();
        }
        prop_assert_eq!(Rules::new(rules.clone()).decide(&facts), decide(&facts, &rules));
    }

    #[test]
    fn a_deny_never_grants(facts in any_facts(), rules in rules(), mut added in any_rule()) {
        added.effect = Effect::Deny;
        let before = decide(&facts, &rules);
        let mut more = rules;
        more.push(added);
        let after = decide(&facts, &more);
        prop_assert!(reaches_no_further(&before, &after), "{:?} became {:?}", before, after);
    }

    #[test]
    fn a_requirement_never_grants(facts in any_facts(), rules in rules(), rule in any_rule(), added in requirements()) {
        let mut stricter = rule.clone();
        stricter.requirements.extend(added);
        let with = |rule: Rule| decide(&facts, &[rules.clone(), vec![rule]].concat());
        let (before, after) = (with(rule), with(stricter));
        prop_assert!(reaches_no_further(&before, &after), "{:?} became {:?}", before, after);
        prop_assert_eq!(reach(&before).0, reach(&after).0);
    }

    #[test]
    fn a_condition_on_what_allows_never_grants(facts in any_facts(), rules in rules(), rule in any_rule(), other in any_rule()) {
        let wide =
            Rule { effect: Effect::Allow, sources: Vec::new(), hours: None, requirements: BTreeSet::new(), ..rule };
        let narrow = Rule { sources: other.sources, hours: other.hours, ..wide.clone() };
        let with = |rule: Rule| decide(&facts, &[rules.clone(), vec![rule]].concat());
        let (before, after) = (with(wide), with(narrow));
        prop_assert!(reaches_no_further(&before, &after), "{:?} became {:?}", before, after);
    }

    #[test]
    fn a_rule_that_does_not_apply_makes_none_either(facts in any_facts(), rules in rules(), mut added in any_rule(), place: prop::sample::Index, which in 0..5) {
        match which {
            0 => added.subjects = vec![Subject::identity("bob"), Subject::group("day")],
            1 => added.targets = vec![TargetSelector::parse("back-office"), TargetSelector::parse("tag:server")],
            2 => added.protocols = vec!["rdp".to_owned()],
            3 => added.attended = Some(!facts.attended),
            _ => added.hours = Some(Hours { zone: TimeZone::UTC, days: Vec::new(), from: 0, to: 1440 }),
        }
        let mut more = rules.clone();
        more.insert(place.index(rules.len() + 1), added);
        prop_assert_eq!(decide(&facts, &rules), decide(&facts, &more));
    }

    /// Who was told yes while the address was unknown may be told no later; who was told no will not be told yes.
    #[test]
    fn no_address_gets_more_than_an_unknown_one(facts in any_facts(), rules in rules()) {
        let unknown = decide(&Facts { source: None, ..facts.clone() }, &rules);
        let known = decide(&facts, &rules);
        prop_assert!(reaches_no_further(&unknown, &known), "{:?} became {:?}", unknown, known);
    }

    #[test]
    fn maintenance_never_grants(facts in any_facts(), rules in rules()) {
        let usual = decide(&Facts { maintenance: false, ..facts.clone() }, &rules);
        let under = decide(&Facts { maintenance: true, ..facts }, &rules);
        prop_assert!(reaches_no_further(&usual, &under), "{:?} became {:?}", usual, under);
    }

    /// One rule at a time tells what the rules do together.
    #[test]
    fn the_whole_is_the_sum_of_its_parts(facts in any_facts(), rules in rules(), limit in prop::option::of(some_permissions())) {
        let facts = Facts { source: facts.source.or(Some([10, 0, 0, 1].into())), ..facts };
        let (mut given, mut taken, mut required) = (Permissions::NONE, Permissions::NONE, BTreeSet::new());
        for rule in &rules {
            if !explain(&facts, std::slice::from_ref(rule)).iter().any(|one| one.unless.is_empty()) {
                continue;
            }
            match rule.effect {
                Effect::Deny if rule.permissions == Permissions::NONE => {
                    taken = Permission::ALL.iter().copied().collect();
                }
                Effect::Deny => taken = taken.union(rule.permissions),
                Effect::Allow => {
                    required.extend(rule.requirements.iter().cloned());
                    if rule.maintenance || !facts.maintenance {
                        given = given.union(rule.permissions);
                    }
                }
            }
        }
        let mut expected = given.difference(taken);
        if let Some(limit) = limit {
            expected = expected.intersection(limit);
        }
        match decide(&facts, &rules).narrowed(limit) {
            Decision::Granted(grant) => {
                prop_assert_eq!((grant.permissions, &grant.requirements), (expected, &required));
                prop_assert!(required.iter().all(|requirement| requirement.is_met_by(&facts)));
            }
            Decision::Missing { grant, missing } => {
                prop_assert_eq!((grant.permissions, &grant.requirements), (expected, &required));
                prop_assert!(!missing.is_empty() && missing.iter().all(|one| !one.is_met_by(&facts)));
            }
            Decision::Denied(_) => prop_assert!(!expected.allows(Permission::View)),
        }
    }
}
