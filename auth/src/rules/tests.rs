use proptest::prelude::*;

use super::*;

const VIEW: Permissions = Permissions::NONE.with(Permission::View);

fn facts() -> Facts {
    Facts {
        technician: "alice".to_owned(),
        groups: vec!["helpdesk".to_owned(), "night".to_owned()],
        target: "front-desk".to_owned(),
        tags: vec!["office".to_owned()],
        protocol: "vnc".to_owned(),
        source: "192.0.2.7".parse().unwrap(),
        now: Timestamp::from_millis(0),
    }
}

fn rule(name: &str, subjects: &[Subject], targets: &[&str], permissions: Permissions) -> Rule {
    Rule {
        name: name.to_owned(),
        subjects: subjects.to_vec(),
        targets: targets.iter().map(|target| TargetSelector::parse(target)).collect(),
        permissions,
        requirements: BTreeSet::new(),
    }
}

#[test]
fn rules_apply_by_the_table() {
    let alice = || Subject::identity("alice");
    for (subjects, targets, applies) in [
        (vec![alice()], vec!["front-desk"], true),
        (vec![alice()], vec!["tag:office"], true),
        (vec![alice()], vec!["*"], true),
        (vec![alice()], vec!["back-office", "tag:office"], true),
        (vec![Subject::group("helpdesk")], vec!["front-desk"], true),
        (vec![Subject::group("night")], vec!["front-desk"], true),
        (vec![Subject::identity("*")], vec!["*"], true),
        (vec![Subject::group("*")], vec!["*"], true),
        (vec![Subject::identity("bob"), Subject::group("night")], vec!["*"], true),
        (vec![], vec!["*"], false),
        (vec![alice()], vec![], false),
        (vec![Subject::identity("bob")], vec!["*"], false),
        (vec![Subject::identity("Alice")], vec!["*"], false),
        // A group is no identity, a tag is no name, and the other way round.
        (vec![Subject::identity("helpdesk")], vec!["*"], false),
        (vec![Subject::group("alice")], vec!["*"], false),
        (vec![alice()], vec!["office"], false),
        (vec![alice()], vec!["tag:front-desk"], false),
        (vec![alice()], vec!["front"], false),
        (vec![alice()], vec!["tag:"], false),
        (vec![alice()], vec!["tag:*"], false),
    ] {
        let decision = decide(&facts(), &[rule("one", &subjects, &targets, VIEW)]);
        let expected = if applies {
            Decision::Granted(Grant {
                permissions: VIEW,
                requirements: BTreeSet::new(),
                rules: vec!["one".to_owned()],
            })
        } else {
            Decision::Denied(Denial::NoRule)
        };
        assert_eq!(decision, expected, "{subjects:?} {targets:?}");
    }
}

#[test]
fn permissions_and_requirements_add_up() {
    let anyone = [Subject::Anyone];
    let mut recorded = rule("recorded", &anyone, &["*"], VIEW.with(Permission::Pointer));
    recorded.requirements.insert(Requirement::Recording);
    let typing = rule("a typist", &anyone, &["*"], Permissions::NONE.with(Permission::Keyboard));
    let elsewhere = rule("elsewhere", &anyone, &["back-office"], VIEW.with(Permission::Usb));
    let decision = decide(&facts(), &[recorded, typing.clone(), elsewhere]);
    let expected = Grant {
        permissions: VIEW.with(Permission::Pointer).with(Permission::Keyboard),
        requirements: BTreeSet::from([Requirement::Recording]),
        rules: vec!["a typist".to_owned(), "recorded".to_owned()],
    };
    assert_eq!(decision, Decision::Granted(expected.clone()));

    let narrowed = decision.clone().narrowed(Some(VIEW.with(Permission::Usb)));
    assert_eq!(narrowed, Decision::Granted(Grant { permissions: VIEW, ..expected.clone() }));
    assert_eq!(decision.clone().narrowed(None), Decision::Granted(expected.clone()));
    let blind = decision.narrowed(Some(Permissions::NONE.with(Permission::Keyboard)));
    assert_eq!(blind, Decision::Denied(Denial::Narrowed { rules: expected.rules }));

    let unseeing = decide(&facts(), &[typing]);
    assert_eq!(unseeing, Decision::Denied(Denial::NoView { rules: vec!["a typist".to_owned()] }));
    assert_eq!(unseeing.clone().narrowed(Some(VIEW)), unseeing);
    assert_eq!(decide(&facts(), &[]), Decision::Denied(Denial::NoRule));
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
    let permissions = prop::collection::vec(prop::sample::select(Permission::ALL.to_vec()), 0..4);
    (
        "[a-e]",
        prop::collection::vec(subject, 0..3),
        prop::collection::vec(target, 0..3),
        permissions,
        any::<bool>(),
    )
        .prop_map(|(name, subjects, targets, permissions, recorded)| Rule {
            requirements: recorded.then_some(Requirement::Recording).into_iter().collect(),
            ..rule(&name, &subjects, &targets, permissions.into_iter().collect())
        })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(any_rule(), 0..8)
}

proptest! {
    #[test]
    fn order_makes_no_difference((before, after) in rules().prop_flat_map(|rules| {
        (Just(rules.clone()), Just(rules).prop_shuffle())
    })) {
        prop_assert_eq!(decide(&facts(), &before), decide(&facts(), &after));
    }

    #[test]
    fn a_rule_that_does_not_apply_makes_none_either(rules in rules(), mut added in any_rule(), place: prop::sample::Index, who: bool) {
        if who {
            added.subjects = vec![Subject::identity("bob"), Subject::group("day")];
        } else {
            added.targets = vec![TargetSelector::parse("back-office"), TargetSelector::parse("tag:server")];
        }
        let mut more = rules.clone();
        more.insert(place.index(rules.len() + 1), added);
        prop_assert_eq!(decide(&facts(), &rules), decide(&facts(), &more));
    }

    #[test]
    fn requirements_are_never_lost(rules in rules(), limit in prop::collection::vec(prop::sample::select(Permission::ALL.to_vec()), 0..9)) {
        // What applies is found one rule at a time, with a permission that lets it be seen.
        let required = rules.iter().any(|rule| {
            let seen = Rule { permissions: VIEW, ..rule.clone() };
            rule.requirements.contains(&Requirement::Recording)
                && matches!(decide(&facts(), &[seen]), Decision::Granted(_))
        });
        let limit: Permissions = limit.into_iter().collect();
        for decision in [decide(&facts(), &rules), decide(&facts(), &rules).narrowed(Some(limit))] {
            if let Decision::Granted(grant) = decision {
                prop_assert_eq!(grant.requirements.contains(&Requirement::Recording), required);
            }
        }
    }

    #[test]
    fn what_is_granted_comes_from_a_rule_that_applies(rules in rules()) {
        match decide(&facts(), &rules) {
            Decision::Granted(grant) => {
                prop_assert!(grant.permissions.allows(Permission::View));
                for permission in grant.permissions.iter() {
                    let given = rules.iter().any(|rule| {
                        let seen = Rule { permissions: rule.permissions.with(Permission::View), ..rule.clone() };
                        rule.permissions.allows(permission) && matches!(decide(&facts(), &[seen]), Decision::Granted(_))
                    });
                    prop_assert!(given, "nobody gives {}", permission);
                }
            }
            Decision::Denied(_) => {
                for rule in &rules {
                    let granted = matches!(decide(&facts(), std::slice::from_ref(rule)), Decision::Granted(_));
                    prop_assert!(!granted, "{} alone would grant", rule.name);
                }
            }
        }
    }
}
