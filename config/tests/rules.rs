//! Rules, and targets from a directory.

use std::fs;
use std::path::Path;

use passerelle_config::{Config, ConfigErrors, Effect, Loaded, Requirement, SystemResolver, WakeOnLan};
use tempfile::TempDir;

const BASE: &str = "listen: { vnc: 127.0.0.1:0 }\nusers: [{ name: u, groups: [g] }]\n\
                    targets: [{ name: t, protocol: vnc, address: 'a:1', tags: [x] }]\n";

fn parse(rule: &str) -> Result<Loaded, ConfigErrors> {
    Config::parse(&format!("{BASE}rules:\n- {rule}"), "p.yaml", &SystemResolver)
}

#[test]
fn rules_have_conditions_and_requirements() {
    let text = "{ name: r, users: ['*'], targets: [t], protocols: [vnc], sources: [10.0.0.0/8, '::1'], attended: false, \
         maintenance: true, hours: { time_zone: Asia/Tokyo, from: '22:00', to: '06:00' }, permissions: [view], \
         require: [recording, second_factor, reason, ticket_id, { ticket_id: 'A-[0-9]+' }, approval] }";
    let Loaded { config, warnings, .. } = parse(text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let rule = &config.rules[0];
    assert_eq!((rule.effect, rule.attended, rule.maintenance), (Effect::Allow, Some(false), true));
    assert_eq!(rule.hours.as_ref().unwrap().days.len(), 7);
    assert_eq!(rule.require[3], Requirement::TicketId(None));
    let Requirement::TicketId(Some(pattern)) = &rule.require[4] else { panic!("{rule:?}") };
    assert_eq!(pattern.as_str(), "A-[0-9]+");
    // What is printed is what was written.
    let json = serde_json::to_value(&config.rules).unwrap();
    assert_eq!(json[0]["require"][4], serde_json::json!({ "ticket_id": "A-[0-9]+" }));
    assert_eq!(serde_json::from_value::<Vec<passerelle_config::Rule>>(json).unwrap(), config.rules);
}

#[test]
fn mistakes_in_rules_have_their_sentences() {
    let mut wrong = Vec::new();
    for (rule, expected) in [
        ("{ name: r, users: [u], targets: [t] }", "p.yaml:5:3: rules[0]: the key `permissions` is missing"),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], require: [{ ticketid: x }] }",
            "p.yaml:5:71: rules[0].require[0]: the key `ticket_id` is missing\n\
             p.yaml:5:73: rules[0].require[0].ticketid: unknown key; did you mean `ticket_id`?",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], require: [{ ticket_id: 'a)|(b' }] }",
            "p.yaml:5:84: rules[0].require[0].ticket_id: `a)|(b` is not a regular expression: found closing ')' without matching '('",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], require: [second-factor] }",
            "p.yaml:5:71: rules[0].require[0]: `second-factor` is not known here; did you mean `second_factor`?",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], sources: [10.1.0.0/8] }",
            "p.yaml:5:71: rules[0].sources[0]: `10.1.0.0/8` has an address within the network; write `10.0.0.0/8` for the network, or the address without `/`",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], sources: [] }",
            "p.yaml:5:70: rules[0].sources: is an empty list; it needs at least one element",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], hours: { from: 8, to: '25:00' } }",
            "p.yaml:5:68: rules[0].hours: the key `time_zone` is missing\n\
             p.yaml:5:76: rules[0].hours.from: `8` is not text to YAML; put it in quotes\n\
             p.yaml:5:83: rules[0].hours.to: `25:00` is not a time of day; write for example `08:00` or `17:30`, in quotes, up to `24:00`",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], hours: { time_zone: Berlin, from: '08:00', to: '08:00', days: [monday] } }",
            "p.yaml:5:68: rules[0].hours: ends when it begins; for whole days write `from: \"00:00\"` and `to: \"24:00\"`\n\
             p.yaml:5:81: rules[0].hours.time_zone: `Berlin` is not a time zone; write a name such as `Europe/Berlin`, `America/New_York` or `UTC`\n\
             p.yaml:5:124: rules[0].hours.days[0]: `monday` is not known here; write one of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`",
        ),
        (
            "{ name: r, users: [u], targets: [t], effect: deny, permissions: [], require: [reason], maintenance: true }",
            "p.yaml:5:67: rules[0].permissions: is an empty list; leave the key out to take away everything\n\
             p.yaml:5:80: rules[0].require: a rule with `effect: deny` requires nothing; put this into a rule of its own\n\
             p.yaml:5:103: rules[0].maintenance: a rule with `effect: deny` lets nobody in; remove this",
        ),
    ] {
        let found = parse(rule).map(drop).unwrap_err().to_string();
        if found != expected {
            wrong.push(format!("{rule}\n got {found}\n wanted {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn doubtful_rules_are_warned_about() {
    for (rule, expected) in [
        (
            "{ name: r, users: [u], targets: [t], permissions: [] }",
            "p.yaml:5:53: rules[0].permissions: the rule grants nothing",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], require: [consent] }",
            "p.yaml:5:71: rules[0].require[0]: the gateway cannot ask for consent yet, so it lets nobody in to whom this rule applies",
        ),
        (
            "{ name: r, users: [u], targets: [t], permissions: [view], attended: true }",
            "p.yaml:5:3: rules[0].attended: the rule never applies: no session is attended yet",
        ),
        (
            "{ name: r, users: ['*'], targets: ['*'], effect: deny }",
            "p.yaml:5:3: rules[0]: the rule keeps everybody out of everything, so the others do nothing",
        ),
    ] {
        let warnings = parse(rule).unwrap().warnings;
        assert_eq!(warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
    let quiet = "{ name: r, users: ['*'], targets: ['*'], permissions: [], require: [reason] }";
    assert!(parse(quiet).unwrap().warnings.is_empty());
}

#[test]
fn targets_have_what_people_want_to_know() {
    let target = |more: &str| {
        let text = format!(
            "listen: {{ vnc: 127.0.0.1:0 }}\ntargets:\n- {{ name: t, protocol: vnc, address: 'a:1', {more} }}"
        );
        Config::parse(&text, "p.yaml", &SystemResolver)
    };
    let config =
        target("description: Till 3, maintenance: true, wake_on_lan: 00-11-22-AA-BB-CC").unwrap().config;
    let known = &config.targets[0];
    assert_eq!((known.description.as_deref(), known.maintenance), (Some("Till 3"), true));
    let wake = known.wake_on_lan.clone().unwrap();
    let shown = |wake: &WakeOnLan| format!("{} {} {}", wake.mac, wake.address, wake.wait);
    assert_eq!(shown(&wake), "00:11:22:aa:bb:cc 255.255.255.255:9 1m");
    let section = "{ mac: '00:11:22:aa:bb:cc', address: '10.0.0.255:7', wait: 90s }";
    let config = target(&format!("wake_on_lan: {section}")).unwrap().config;
    assert_eq!(
        shown(config.targets[0].wake_on_lan.as_ref().unwrap()),
        "00:11:22:aa:bb:cc 10.0.0.255:7 1m30s"
    );
    let errors = target(&format!("wake_on_lan: {}", section.replace("90s", "6m"))).unwrap_err().to_string();
    assert!(errors.contains("targets[0].wake_on_lan.wait: must be from 1s to 5m, not 6m"), "{errors}");
    assert!(target("wake_on_lan: { address: '10.0.0.255:7' }").is_err(), "whom to wake is not said");
    let errors = target("wake_on_lan: 'aa:bb', description: ''").unwrap_err().to_string();
    assert_eq!(
        errors,
        "p.yaml:3:58: targets[0].wake_on_lan: `aa:bb` is not a MAC address; write six bytes, as in `00:11:22:aa:bb:cc`\n\
         p.yaml:3:80: targets[0].description: must be a single line of 1 to 200 characters"
    );
}

/// A configuration whose targets are in `targets.d`, with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("temporary files can be written");
    fs::create_dir(directory.path().join("targets.d")).expect("temporary files can be written");
    for (name, text) in files {
        fs::write(directory.path().join("targets.d").join(name), text)
            .expect("temporary files can be written");
    }
    let rule = "{ name: r, users: [u], targets: [more, 'tag:till'], permissions: [view] }";
    fs::write(directory.path().join("p.yaml"), format!("{BASE}targets_dir: targets.d\nrules: [{rule}]"))
        .expect("temporary files can be written");
    directory
}

fn load(directory: &Path) -> Result<Loaded, Vec<String>> {
    let prefix = format!("{}/", directory.display());
    Config::load(&directory.join("p.yaml"))
        .map_err(|errors| errors.to_string().lines().map(|line| line.replace(&prefix, "")).collect())
}

#[test]
fn targets_come_from_files_too() {
    let directory = directory(&[
        ("b.yaml", "- { name: more, protocol: vnc, address: 'b:1', tags: [till] }\n"),
        (
            "a.yaml",
            "- name: first\n  protocol: vnc\n  address: a:1\n- name: second\n  protocol: vnc\n  address: a:2\n",
        ),
        ("none.yaml", "[]"),
        (
            "secret.yaml",
            "- { name: s, protocol: vnc, address: 'c:1', credentials: { password: 'file:s.password' } }",
        ),
        ("s.password", "hunter2"),
        ("README.md", "- nonsense"),
        (".a.yaml.swp", "nonsense"),
    ]);
    use std::os::unix::fs::PermissionsExt as _;
    let secret = directory.path().join("targets.d/s.password");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    let Loaded { config, warnings, fragments } = load(directory.path()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let names: Vec<_> = config.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["t", "first", "second", "more", "s"]);
    assert_eq!(config.target("s").unwrap().credentials.password.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(fragments.len(), 4);
}

#[test]
fn mistakes_in_files_are_said_with_their_file() {
    let directory = directory(&[
        (
            "a.yaml",
            "- { name: t, protocol: vnc, address: 'b:1' }\n- { name: more, protocol: vnc, address: 'b:1', security: [nla] }",
        ),
        ("b.yaml", "- name: more\n  protocol: vnc\n  adress: b:1\n"),
        ("c.yaml", "targets: []"),
    ]);
    assert_eq!(
        load(directory.path()).unwrap_err(),
        [
            "targets.d/a.yaml:1:11: [0].name: the name `t` is already taken in line 3 of the configuration file",
            "targets.d/a.yaml:2:59: [1].security[0]: `nla` is not for `protocol: vnc`, which has `x509_plain`, `x509_vnc`, `x509_none`, `ard`, `vnc_auth` and `none`",
            "targets.d/b.yaml:1:3: [0]: the key `address` is missing",
            &format!(
                "targets.d/b.yaml:1:9: [0].name: the name `more` is already taken in line 2 of {}/targets.d/a.yaml",
                directory.path().display()
            )
            .replace(&format!("{}/", directory.path().display()), ""),
            "targets.d/b.yaml:3:3: [0].adress: unknown key; did you mean `address`?",
            "targets.d/c.yaml:1:1: must be a list, not a section with keys",
        ]
    );
    // What a file that cannot be read holds is not known, so nothing is said about rules that name it.
    fs::write(directory.path().join("targets.d/a.yaml"), "- {").unwrap();
    for name in ["b.yaml", "c.yaml"] {
        fs::write(directory.path().join("targets.d").join(name), "[]").unwrap();
    }
    let errors = load(directory.path()).unwrap_err();
    assert!(
        errors.len() == 1 && errors[0].starts_with("targets.d/a.yaml:2:1: this is not YAML"),
        "{errors:?}"
    );
    fs::remove_dir_all(directory.path().join("targets.d")).unwrap();
    let errors = load(directory.path()).unwrap_err();
    assert!(
        errors[0].ends_with("targets.d` cannot be read: No such file or directory (os error 2)"),
        "{errors:?}"
    );
}
