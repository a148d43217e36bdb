//! What is said about wrong and doubtful files.

use super::*;

/// `---` between text and the expected lines; one case a pair.
#[test]
fn every_mistake_is_said_at_once_with_its_place() {
    let text = r#"
listen:
  vnc: 5900
targets:
  - name: front-desk
    protocol: rpd
    adress: 10.0.0.5:5900
    credentials: { pasword: hunter2 }
  - name: front-desk
    protocol: vnc
    address: 10.0.0.5
    tls: { verify: pin }
rules:
  - name: everyone
    targets: [front-dusk]
    permissions: [view, keybord]
limits: { idle: 30, per_target: 0 }
"#;
    assert_eq!(
        errors(text),
        [
            "p.yaml:3:8: listen.vnc: `5900` is not an address to listen on; write an IP address and a port, for example `0.0.0.0:5900` or `[::]:5900`",
            "p.yaml:5:5: targets[0]: the key `address` is missing",
            "p.yaml:6:15: targets[0].protocol: `rpd` is not known here; did you mean `rdp`?",
            "p.yaml:7:5: targets[0].adress: unknown key; did you mean `address`?",
            "p.yaml:8:20: targets[0].credentials.pasword: unknown key; did you mean `password`?",
            "p.yaml:9:11: targets[1].name: the name `front-desk` is already taken in line 5",
            "p.yaml:11:14: targets[1].address: `10.0.0.5` has no port; write it as `host:port`, for example `10.0.0.5:5900`",
            "p.yaml:12:10: targets[1].tls: has `verify: pin` but no `fingerprint`; add the SHA-256 fingerprint of the target's certificate",
            "p.yaml:14:5: rules[0]: the rule names nobody; add `groups` or `users`",
            "p.yaml:15:15: rules[0].targets[0]: there is no target `front-dusk`; did you mean `front-desk`?",
            "p.yaml:16:25: rules[0].permissions[1]: `keybord` is not known here; did you mean `keyboard`?",
            "p.yaml:17:17: limits.idle: `30` has no unit; write for example `60s`, `30m` or `8h`",
            "p.yaml:17:33: limits.per_target: must be from 1 to 1000000, not 0",
        ]
    );
}

#[test]
fn each_mistake_has_its_sentence() {
    let listen = "listen: { vnc: 127.0.0.1:0 }\n";
    let rdp = "listen: { rdp: 127.0.0.1:0 }\ntls: { self_signed: true }\n";
    let target = "targets: [{ name: a, protocol: vnc, address: 'a:1', ";
    let host = "targets: [{ name: a, protocol: rdp, address: 'a:1', ";
    let mut wrong = Vec::new();
    for (text, expected) in [
        // YAML itself.
        (String::new(), "p.yaml: the file is empty"),
        (
            "a: [".to_owned(),
            "p.yaml:2:1: this is not YAML: while parsing a node, did not find expected node content",
        ),
        (format!("{listen}{listen}"), "p.yaml:2:1: the key `listen` is already in line 1"),
        (
            format!("{listen}---\n{listen}"),
            "p.yaml:2:1: a second document begins here; the configuration is one document",
        ),
        (format!("{listen}log: !x {{}}"), "p.yaml:2:6: tags (`!…`) are not used here; write the plain value"),
        ("1: 2".to_owned(), "p.yaml:1:1: a key must be text; put it in quotes"),
        ("a: &a [*a]".to_owned(), "p.yaml:1:8: this alias stands inside of what it refers to"),
        ("[".repeat(40), "p.yaml:1:17: the values are nested too deep"),
        ("- 1".to_owned(), "p.yaml:1:1: must be a section with keys, not a list"),
        // Shape.
        (format!("{listen}tickets:"), "p.yaml:2:8: tickets: has no value; write one, or remove the key"),
        (format!("{listen}users: alice"), "p.yaml:2:8: users: must be a list, not text"),
        (format!("{listen}limits: 5"), "p.yaml:2:9: limits: must be a section with keys, not a number"),
        (
            format!("{listen}users: [{{ name: 7 }}]"),
            "p.yaml:2:17: users[0].name: `7` is not text to YAML; put it in quotes",
        ),
        (
            format!("{listen}users: [{{ name: 'a:b' }}]"),
            "p.yaml:2:17: users[0].name: `a:b` is not a name; a name has 1 to 64 letters, digits and the signs `-_.@`",
        ),
        (
            format!("{listen}recording: {{ clipboard: yes }}"),
            "p.yaml:2:25: recording.clipboard: must be `true` or `false`, not text",
        ),
        (
            format!("{listen}recording: {{ policy: on }}"),
            "p.yaml:2:22: recording.policy: `on` is not known here; write one of `required`, `best_effort`, `off`",
        ),
        (
            format!("{listen}recording: {{ disk: {{ refuse: 1 GB }} }}"),
            "p.yaml:2:30: recording.disk.refuse: `1 GB` is not an amount of data; write for example `512B`, `64KiB`, `1MiB` or `2GiB`",
        ),
        (
            format!("{listen}recording: {{ disk: {{ refuse: 95% }} }}"),
            "p.yaml:2:30: recording.disk.refuse: `95%` is not a part of a disk; write for example `5%`, from 1% to 90%",
        ),
        (
            format!("{listen}recording: {{ disk: {{ warn: 5%, refuse: 10% }} }}"),
            "p.yaml:2:28: recording.disk.warn: is less than `recording.disk.refuse`, so nobody is warned",
        ),
        (
            format!("{listen}recording: {{ retention: 0s }}"),
            "p.yaml:2:25: recording.retention: must be from 1s to 36500d, not 0s",
        ),
        (
            format!("{listen}recording: {{ recipients: [AGE-SECRET-KEY-1X] }}"),
            "p.yaml:2:27: recording.recipients[0]: this is an age secret key; write the public key that begins with `age1`, and keep this one off the gateway",
        ),
        (
            format!("{listen}limits: {{ sessions: 1.5 }}"),
            "p.yaml:2:21: limits.sessions: must be a whole number, not a number",
        ),
        (
            format!("{listen}log: {{ level: loud }}"),
            "p.yaml:2:15: log.level: `loud` is not known here; write one of `error`, `warn`, `info`, `debug`, `trace`",
        ),
        (
            "listen: { vnc: [] }".to_owned(),
            "p.yaml:1:16: listen.vnc: is an empty list; it needs at least one element",
        ),
        ("log: {}".to_owned(), "p.yaml:1:1: the key `listen` is missing"),
        (
            format!("{listen}vnc: {{ security: [ard, ard] }}"),
            "p.yaml:2:24: vnc.security[1]: `ard` is listed twice",
        ),
        // Secrets and files.
        (
            format!("{listen}{target}credentials: {{ password: hunter2 }} }}]"),
            "p.yaml:2:78: targets[0].credentials.password: a secret is not written here but referred to: `env:NAME` or `file:/path` (or, for trials, `insecure-inline:VALUE`)",
        ),
        (
            format!("{listen}{target}credentials: {{ password: 'env:NONE' }} }}]"),
            "p.yaml:2:78: targets[0].credentials.password: the environment variable `NONE` is not set",
        ),
        (
            format!("{listen}{target}credentials: {{ password: 'env:EMPTY' }} }}]"),
            "p.yaml:2:78: targets[0].credentials.password: the environment variable `EMPTY` is empty",
        ),
        (
            format!("{listen}{target}credentials: {{ password: 'file:/etc/exposed' }} }}]"),
            "p.yaml:2:78: targets[0].credentials.password: the file `/etc/exposed` holds a secret but others than its owner may read it (mode 0644); run `chmod 600` on it",
        ),
        (
            format!("{listen}tls: {{ certificate: /etc/tls.crt, key: 'file:no.key' }}"),
            "p.yaml:2:40: tls.key: the file `no.key` cannot be read: entity not found",
        ),
        (
            format!("{listen}tls: {{ certificate: /etc/none.crt, key: 'env:OTHER' }}"),
            "p.yaml:2:21: tls.certificate: the file `/etc/none.crt` has no PEM certificate in it",
        ),
        (
            format!("{listen}tls: {{ certificate: 'file:/etc/tls.crt', key: 'env:OTHER' }}"),
            "p.yaml:2:21: tls.certificate: is a plain path; leave out `file:`, which is for secrets",
        ),
        (
            format!("{listen}users: [{{ name: a, password_hash: 'env:OTHER' }}]"),
            "p.yaml:2:35: users[0].password_hash: this is not an argon2id hash; make one with `passerelle hash-password`",
        ),
        // Meaning.
        (
            format!("{listen}tls: {{ self_signed: true, certificate: /etc/tls.crt }}"),
            "p.yaml:2:6: tls: has `self_signed: true` together with `certificate` or `key`; keep one of the two ways",
        ),
        (
            format!("{listen}tls: {{ certificate: /etc/tls.crt }}"),
            "p.yaml:2:6: tls: needs both `certificate` and `key`, or `self_signed: true`",
        ),
        (
            format!("{listen}vnc: {{ security: [x509_vnc] }}"),
            "p.yaml:2:19: vnc.security[0]: `x509_vnc` needs a certificate; add the section `tls`",
        ),
        (
            format!("{listen}{target}tls: {{ verify: tofu, server_name: b }} }}]"),
            "p.yaml:2:58: targets[0].tls: has a `server_name`, which only `verify: ca` uses",
        ),
        (
            format!("{listen}{target}tls: {{ verify: pin, fingerprint: '00:11' }} }}]"),
            "p.yaml:2:86: targets[0].tls.fingerprint: `00:11` is not a SHA-256 fingerprint; it has 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE` prints",
        ),
        (
            format!("{listen}{target}security: [x509_plain] }}]"),
            "p.yaml:2:64: targets[0].security[0]: `x509_plain` needs `credentials.username` and `credentials.password`",
        ),
        (
            format!(
                "{listen}{target}tags: [t] }}]\nrules: [{{ name: r, users: [bob], targets: ['tag:t'], permissions: [view] }}]"
            ),
            "p.yaml:3:28: rules[0].users[0]: there is no user `bob`",
        ),
        (
            format!(
                "{listen}users: [{{ name: u }}]\n{target}tags: [t] }}]\nrules: [{{ name: r, users: [u], targets: [t], permissions: [view] }}]"
            ),
            "p.yaml:4:42: rules[0].targets[0]: there is no target `t`; did you mean `tag:t`?",
        ),
        (
            format!(
                "{listen}users: [{{ name: u }}]\nrules: [{{ name: r, users: [u], targets: ['*'], permissions: [drive] }}]"
            ),
            "p.yaml:3:62: rules[0].permissions[0]: `drive` is not known here; did you mean `drives`?",
        ),
        // RDP.
        (
            "listen: {}".to_owned(),
            "p.yaml:1:9: listen: there is nothing to listen on; add `rdp`, `vnc` or both",
        ),
        (
            "listen: { rdp: 127.0.0.1:0 }".to_owned(),
            "p.yaml:1:16: listen.rdp: RDP viewers want to see a certificate; add the section `tls`",
        ),
        (
            "listen: { rdp: gateway:3389 }\ntls: { self_signed: true }".to_owned(),
            "p.yaml:1:16: listen.rdp: `gateway:3389` is not an address to listen on; write an IP address and a port, for example `0.0.0.0:5900` or `[::]:5900`",
        ),
        (
            format!("{rdp}rdp: {{ security: [] }}"),
            "p.yaml:3:18: rdp.security: is an empty list; it needs at least one element",
        ),
        (
            format!("{rdp}rdp: {{ security: [nla, nla] }}"),
            "p.yaml:3:24: rdp.security[1]: `nla` is listed twice",
        ),
        (
            format!("{rdp}rdp: {{ security: [rdp] }}"),
            "p.yaml:3:19: rdp.security[0]: `rdp` is not known here; write one of `nla`, `tls`",
        ),
        (
            format!("{rdp}rdp: {{ auto_reconnect: sometimes }}"),
            "p.yaml:3:24: rdp.auto_reconnect: must be `true` or `false`, not text",
        ),
        (
            format!("{rdp}rdp: {{ public_address: gateway.example }}"),
            "p.yaml:3:24: rdp.public_address: `gateway.example` has no port; write it as `host:port`, for example `10.0.0.5:5900`",
        ),
        (
            format!("{listen}{target}security: [nla] }}]"),
            "p.yaml:2:64: targets[0].security[0]: `nla` is not for `protocol: vnc`, which has `x509_plain`, `x509_vnc`, `x509_none`, `ard`, `vnc_auth` and `none`",
        ),
        (
            format!("{listen}{host}security: [tls, vnc_auth] }}]"),
            "p.yaml:2:69: targets[0].security[1]: `vnc_auth` is not for `protocol: rdp`, which has `nla` and `tls`",
        ),
        (
            format!("{listen}{host}security: [nla], credentials: {{ username: u }} }}]"),
            "p.yaml:2:64: targets[0].security[0]: `nla` needs `credentials.password`",
        ),
        (
            format!("{listen}{target}credentials: {{ username: u, domain: d }} }}]"),
            "p.yaml:2:89: targets[0].credentials.domain: VNC knows no domains; only a target with `protocol: rdp` has one",
        ),
        (
            format!("{listen}{host}credentials: {{ domain: d }} }}]"),
            "p.yaml:2:76: targets[0].credentials.domain: a domain needs the name of a user in it; add `credentials.username`",
        ),
        (
            format!("{listen}tickets: {{ life: 2d }}"),
            "p.yaml:2:18: tickets.life: must be from 1s to 1d, not 2d",
        ),
        (
            format!("{listen}lockout: {{ address: {{ longest: 1s }} }}"),
            "p.yaml:2:32: lockout.address.longest: must be from 2s to 1d, not 1s",
        ),
        (
            format!("{listen}limits: {{ clipboard: {{ to_target: 1GiB }} }}"),
            "p.yaml:2:35: limits.clipboard.to_target: must be at most 16MiB",
        ),
    ] {
        if errors(&text) != [expected] {
            wrong.push(format!("{text}\n     got {:?}\n  wanted {expected}", errors(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn doubtful_things_are_warned_about() {
    let listen = "listen: { vnc: 0.0.0.0:0 }\n";
    for (text, expected) in [
        (
            "vnc: { security: [vnc_auth] }",
            "conf/passerelle.yaml:2:19: vnc.security[0]: with `vnc_auth` nothing is encrypted; use it in networks that you trust",
        ),
        (
            "tls: { self_signed: true }\nrdp: { security: [tls] }",
            "conf/passerelle.yaml:3:6: rdp: no RDP viewer can connect; add `listen.rdp`",
        ),
        (
            "targets: [{ name: a, protocol: vnc, address: 'a:1', tls: { verify: insecure } }]",
            "conf/passerelle.yaml:2:68: targets[0].tls.verify: the target's certificate is not checked, so anyone on the way can read the session and the password; use `pin` or `tofu`",
        ),
        (
            "targets: [{ name: a, protocol: vnc, address: 'a:1', credentials: { password: 'insecure-inline:x' } }]",
            "conf/passerelle.yaml:2:78: targets[0].credentials.password: this secret stands in the file itself; whoever may read the file knows it",
        ),
        (
            "rules: [{ name: a, groups: [x], targets: ['*'], permissions: [view] }]",
            "conf/passerelle.yaml:2:29: rules[0].groups[0]: no user is in the group `x`",
        ),
        (
            "tickets: { life: 1h }",
            "conf/passerelle.yaml:2:18: tickets.life: is long for a ticket: what is written down or sniffed stays usable until then",
        ),
        (
            "limits: { session: 10m }",
            "conf/passerelle.yaml:2:9: limits.idle: is longer than `limits.session` (10m), which ends every session before",
        ),
    ] {
        assert_eq!(warnings(&format!("{listen}{text}")), [expected], "{text}");
    }
}
