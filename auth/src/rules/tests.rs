use std::net::IpAddr;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use regex_lite::Regex;

use super::*;
use crate::Timestamp;

pub(super) const VIEW: Permissions = Permissions::NONE.with(Permission::View);

pub(super) fn facts() -> Facts {
    Facts {
        technician: "alice".to_owned(),
        groups: vec!["helpdesk".to_owned(), "night".to_owned()],
        target: "front-desk".to_owned(),
        tags: vec!["office".to_owned()],
        protocol: "vnc".to_owned(),
        source: Some("192.0.2.7".parse().unwrap()),
        // A Thursday.
        now: Timestamp::from_millis(0),
        second_factor: false,
        reason: None,
        ticket_id: None,
        approved_by: None,
        attended: false,
        maintenance: false,
    }
}

pub(super) fn rule(name: &str, subjects: &[Subject], targets: &[&str], permissions: Permissions) -> Rule {
    Rule {
        name: name.to_owned(),
        subjects: subjects.to_vec(),
        targets: targets.iter().map(|target| TargetSelector::parse(target)).collect(),
        protocols: Vec::new(),
        sources: Vec::new(),
        attended: None,
        hours: None,
        maintenance: false,
        effect: Effect::Allow,
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

/// What is given to anyone anywhere.
pub(super) fn open(name: &str, permissions: Permissions) -> Rule {
    rule(name, &[Subject::Anyone], &["*"], permissions)
}

pub(super) fn deny(name: &str, permissions: Permissions) -> Rule {
    Rule { effect: Effect::Deny, ..open(name, permissions) }
}

pub(super) fn ticket_id(text: &str) -> Requirement {
    let regex = Regex::new(&format!("^(?:{text})$")).unwrap();
    Requirement::TicketId(Some(TicketIdPattern::new(text, regex)))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn conditions_limit_a_rule() {
    let plain = open("one", VIEW);
    let sources = |networks: &[&str]| Rule {
        sources: networks.iter().map(|network| network.parse().unwrap()).collect(),
        ..plain.clone()
    };
    let thursdays = |from, to| Rule {
        hours: Some(Hours { zone: TimeZone::UTC, days: vec![Weekday::Thursday], from, to }),
        ..plain.clone()
    };
    for (rule, applies) in [
        (Rule { protocols: names(&["rdp", "vnc"]), ..plain.clone() }, true),
        (Rule { protocols: names(&["rdp"]), ..plain.clone() }, false),
        (sources(&["192.0.2.0/24"]), true),
        (sources(&["10.0.0.0/8", "192.0.2.7/32"]), true),
        (sources(&["192.0.2.8/32"]), false),
        (sources(&["2001:db8::/32"]), false),
        (Rule { attended: Some(false), ..plain.clone() }, true),
        (Rule { attended: Some(true), ..plain.clone() }, false),
        (thursdays(0, 1), true),
        (thursdays(1, 1440), false),
        (Rule { maintenance: true, ..plain.clone() }, true),
        // All conditions have to hold, not one of them.
        (Rule { protocols: names(&["rdp"]), ..thursdays(0, 1) }, false),
    ] {
        let granted = matches!(decide(&facts(), std::slice::from_ref(&rule)), Decision::Granted(_));
        assert_eq!(granted, applies, "{rule:?}");
        let considered = explain(&facts(), std::slice::from_ref(&rule));
        assert_eq!(considered[0].unless.is_empty(), applies, "{considered:?}");
    }
    // An IPv4 address that a socket for both shows as IPv6.
    let mapped = Facts { source: Some("::ffff:192.0.2.7".parse().unwrap()), ..facts() };
    assert!(matches!(decide(&mapped, &[sources(&["192.0.2.0/24"])]), Decision::Granted(_)));
}

#[test]
fn what_is_denied_nobody_gives() {
    let typing = VIEW.with(Permission::Keyboard);
    let all = [open("typing", typing), deny("no typing", Permissions::NONE.with(Permission::Keyboard))];
    let expected =
        Grant { permissions: VIEW, requirements: BTreeSet::new(), rules: names(&["no typing", "typing"]) };
    assert_eq!(decide(&facts(), &all), Decision::Granted(expected));

    let forbidden = |rules: &[&str]| Decision::Denied(Denial::Forbidden { rules: names(rules) });
    let all = [open("typing", typing), deny("nothing", Permissions::NONE)];
    assert_eq!(decide(&facts(), &all), forbidden(&["nothing"]));
    assert_eq!(decide(&facts(), &[deny("blind", VIEW)]), forbidden(&["blind"]));

    let elsewhere =
        Rule { targets: vec![TargetSelector::parse("tag:server")], ..deny("nothing", Permissions::NONE) };
    assert!(matches!(decide(&facts(), &[open("typing", typing), elsewhere]), Decision::Granted(_)));
}

#[test]
fn requirements_are_met_by_the_table() {
    type Change = fn(&mut Facts);
    let form = || ticket_id("INC-[0-9]{6}|CHG-[0-9]+");
    let cases: [(Requirement, Change, bool); 20] = [
        (Requirement::SecondFactor, |_| {}, false),
        (Requirement::SecondFactor, |facts| facts.second_factor = true, true),
        (Requirement::Reason, |_| {}, false),
        (Requirement::Reason, |facts| facts.reason = Some(" \n".into()), false),
        (Requirement::Reason, |facts| facts.reason = Some("printer".into()), true),
        (Requirement::TicketId(None), |_| {}, false),
        (Requirement::TicketId(None), |facts| facts.ticket_id = Some(" ".into()), false),
        (Requirement::TicketId(None), |facts| facts.ticket_id = Some("7".into()), true),
        (form(), |_| {}, false),
        (form(), |facts| facts.ticket_id = Some("INC-123456".into()), true),
        (form(), |facts| facts.ticket_id = Some("CHG-1".into()), true),
        (form(), |facts| facts.ticket_id = Some("INC-1234567".into()), false),
        (form(), |facts| facts.ticket_id = Some("xINC-123456".into()), false),
        (form(), |facts| facts.ticket_id = Some("INC-123456\n".into()), false),
        (Requirement::Approval, |_| {}, false),
        (Requirement::Approval, |facts| facts.approved_by = Some("bob".into()), true),
        (Requirement::Approval, |facts| facts.approved_by = Some(String::new()), false),
        // Nobody is a second person to themselves.
        (Requirement::Approval, |facts| facts.approved_by = Some("Alice".into()), false),
        (Requirement::Consent, |_| {}, true),
        (Requirement::Recording, |_| {}, true),
    ];
    for (requirement, change, met) in cases {
        let mut facts = facts();
        change(&mut facts);
        let rule = Rule { requirements: BTreeSet::from([requirement.clone()]), ..open("one", VIEW) };
        let grant = Grant {
            permissions: VIEW,
            requirements: BTreeSet::from([requirement.clone()]),
            rules: names(&["one"]),
        };
        let expected = if met {
            Decision::Granted(grant)
        } else {
            Decision::Missing { grant, missing: vec![requirement.clone()] }
        };
        assert_eq!(decide(&facts, &[rule]), expected, "{requirement} {facts:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let rule = Rule {
        requirements: BTreeSet::from([
            Requirement::Recording,
            ticket_id("INC-[0-9]+"),
            Requirement::SecondFactor,
            Requirement::Approval,
        ]),
        ..open("strict", VIEW)
    };
    let second = Rule { requirements: BTreeSet::from([ticket_id("[A-Z]+-1")]), ..open("odd", VIEW) };
    let refused = |facts: &Facts, rules: &[Rule]| decide(facts, rules).granted().unwrap_err();
    let all = refused(&facts(), std::slice::from_ref(&rule));
    let sentence =
        "a second factor, a ticket id of the form `INC-[0-9]+` and another person's approval are missing";
    assert_eq!(all.to_string(), sentence);
    let json = serde_json::to_value(all.missing()).unwrap();
    assert_eq!(json, serde_json::json!(["second_factor", { "ticket_id": "INC-[0-9]+" }, "approval"]));

    // Two forms: the id must have both.
    let mut facts = Facts {
        second_factor: true,
        approved_by: Some("bob".into()),
        ticket_id: Some("INC-2".into()),
        ..facts()
    };
    let both = [rule, second];
    assert_eq!(refused(&facts, &both).to_string(), "a ticket id of the form `[A-Z]+-1` is missing");
    facts.ticket_id = Some("INC-1".into());
    let grant = decide(&facts, &both).granted().unwrap();
    assert_eq!(grant.requirements.len(), 5);
    let limited = decide(&Facts { ticket_id: None, ..facts }, &both).narrowed(Some(Permissions::NONE));
    assert_eq!(limited, Decision::Denied(Denial::Narrowed { rules: names(&["odd", "strict"]) }));
}

#[test]
fn maintenance_keeps_out_whom_no_rule_lets_in_then() {
    let facts = Facts { maintenance: true, ..facts() };
    let everybody = Rule {
        requirements: BTreeSet::from([Requirement::Recording]),
        ..open("everybody", VIEW.with(Permission::Usb))
    };
    assert_eq!(decide(&facts, std::slice::from_ref(&everybody)), Decision::Denied(Denial::Maintenance));
    let remark = explain(&facts, std::slice::from_ref(&everybody))[0].remark.clone();
    assert_eq!(remark.as_deref(), Some("gives nothing while the target is under maintenance"));

    let admins = Rule { maintenance: true, ..open("admins", VIEW) };
    let grant = decide(&facts, &[everybody, admins]).granted().unwrap();
    assert_eq!(grant.permissions, VIEW, "the other rule gives nothing");
    assert_eq!(grant.requirements, BTreeSet::from([Requirement::Recording]), "but requires what it did");
    assert_eq!(decide(&facts, &[]), Decision::Denied(Denial::NoRule));
}

#[test]
fn an_unknown_address_is_given_the_benefit_of_the_doubt() {
    let unknown = Facts { source: None, ..facts() };
    let inside = Rule {
        sources: vec!["10.0.0.0/8".parse().unwrap()],
        requirements: BTreeSet::from([Requirement::Reason]),
        ..open("inside", VIEW)
    };
    assert!(matches!(decide(&unknown, std::slice::from_ref(&inside)), Decision::Granted(_)));
    assert!(matches!(decide(&facts(), std::slice::from_ref(&inside)), Decision::Denied(_)));
    let within = Facts { source: Some(IpAddr::from([10, 1, 2, 3])), ..facts() };
    assert!(matches!(decide(&within, std::slice::from_ref(&inside)), Decision::Missing { .. }));
    let remark = explain(&unknown, std::slice::from_ref(&inside))[0].remark.clone();
    assert_eq!(remark.as_deref(), Some("only from 10.0.0.0/8"));

    let banned = Rule { sources: vec!["192.0.2.0/24".parse().unwrap()], ..deny("banned", Permissions::NONE) };
    let rules = [open("all", VIEW), banned];
    assert!(matches!(decide(&unknown, &rules), Decision::Granted(_)));
    assert!(matches!(decide(&facts(), &rules), Decision::Denied(Denial::Forbidden { .. })));
}

#[test]
fn explanations_say_what_a_rule_waits_for() {
    let rules = [
        rule("bob's", &[Subject::identity("bob")], &["*"], VIEW),
        Rule {
            protocols: names(&["rdp"]),
            sources: vec!["10.0.0.0/8".parse().unwrap()],
            attended: Some(true),
            hours: Some(Hours {
                zone: TimeZone::get("Asia/Tokyo").unwrap(),
                days: vec![Weekday::Monday],
                from: 60,
                to: 120,
            }),
            ..open("narrow", VIEW)
        },
        open("wide", VIEW),
    ];
    let considered = explain(&facts(), &rules);
    assert_eq!(considered.iter().map(|one| &*one.rule.name).collect::<Vec<_>>(), ["narrow", "wide"]);
    assert_eq!(
        considered[0].unless,
        [
            "only over rdp, and this is vnc",
            "only from 10.0.0.0/8, and this is 192.0.2.7",
            "only in attended sessions",
            "only Mon 01:00-02:00 Asia/Tokyo, where it is Thu 09:00",
        ]
    );
    assert!(considered[1].unless.is_empty());
}
