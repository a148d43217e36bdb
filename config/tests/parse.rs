//! Whole files: the example, wrong ones and what is said about them, random ones.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use passerelle_config::{
    Config, FileError, FragmentFile, Loaded, Permission, Protocol, RdpSecurity, Resolver, Scope, Store,
    TargetSelector, ViewerSecurity, schema,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

/// An outside world made of two tables.
#[derive(Default)]
struct World {
    variables: HashMap<&'static str, &'static str>,
    files: HashMap<PathBuf, &'static str>,
}

impl World {
    fn usual() -> Self {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        Self {
            variables: HashMap::from([
                ("FRONT_DESK_PASSWORD", "vncpass1"),
                ("BUILD_SERVER_PASSWORD", "labpass1"),
                ("ACCOUNTING_PASSWORD", "rdppass1"),
                ("HASH", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA"),
                ("EMPTY", ""),
                ("OTHER", "hunter2"),
            ]),
            files: HashMap::from([
                ("/etc/tls.crt".into(), certificate),
                ("conf/tls.crt".into(), certificate),
                ("conf/tls.key".into(), "key material\n"),
                ("/etc/none.crt".into(), "nothing"),
            ]),
        }
    }
}

impl Resolver for World {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(ToString::to_string)
    }

    fn secret_file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        if path == Path::new("/etc/exposed") {
            return Err(FileError::Exposed { mode: 0o644 });
        }
        self.file(path).map(Zeroizing::new)
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let contents =
            self.files.get(path).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))?;
        Ok(contents.as_bytes().to_vec())
    }

    fn fragments(&self, _: &Path) -> std::io::Result<Vec<FragmentFile>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn accepted(text: &str) -> Loaded {
    Config::parse(text, "conf/passerelle.yaml", &World::usual()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(text: &str) -> Vec<String> {
    match Config::parse(text, "p.yaml", &World::usual()) {
        Ok(loaded) => panic!("accepted:\n{text}\n{:?}", loaded.config),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    accepted(text).warnings.iter().map(ToString::to_string).collect()
}

const EXAMPLE: &str = include_str!("../example.yaml");

#[test]
fn the_example_is_accepted() {
    let Loaded { config, warnings, .. } = accepted(EXAMPLE);
    assert_eq!(config.users.len(), 2);
    assert_eq!(
        config.target("front-desk").unwrap().credentials.password.as_ref().unwrap().expose(),
        "vncpass1"
    );
    assert!(config.rules[0].permissions.allows(Permission::ClipboardToTarget));
    assert_eq!(config.rules[0].targets, [TargetSelector::Tag("office".into())]);
    assert!(config.target("front-desk").unwrap().tags.contains(&"office".into()));
    assert!(!config.target("build-server").unwrap().tags.contains(&"office".into()));
    assert!(config.user("alice").unwrap().groups.contains(&config.rules[0].groups[0]));
    let keys: Vec<&str> = warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(keys, ["vnc.security[2]", "vnc.security[3]"]);
}

/// The example says that what it shows is what holds when a key is left out.
#[test]
fn the_example_shows_the_defaults() {
    let example = serde_json::to_value(accepted(EXAMPLE).config).unwrap();
    let smallest = serde_json::to_value(accepted("listen: { vnc: 0.0.0.0:5900 }").config).unwrap();
    for section in ["data_dir", "store", "rdp", "tickets", "recording", "limits", "lockout", "log", "control"]
    {
        assert_eq!(example[section], smallest[section], "{section}");
    }
}

#[test]
fn the_store_is_a_word_or_a_url_or_a_section() {
    const REST: &str = "listen: { vnc: 0.0.0.0:5900 }\npepper: insecure-inline:";
    let pepper = "0123456789abcdef".repeat(4);
    let store = |store: &str| accepted(&format!("store: {store}\n{REST}{pepper}")).config.store;
    assert_eq!(store("embedded"), Store::Embedded);
    let Store::Redis(redis) = store("redis://localhost") else { panic!("not Redis") };
    assert_eq!((redis.url.to_string().as_str(), redis.password), ("redis://localhost:6379/0", None));
    let Store::Redis(redis) = store(
        "{ url: 'rediss-sentinel://a,b/shared', username: node, password: 'insecure-inline:hunter2', replicas: 1 }",
    ) else {
        panic!("not Redis")
    };
    assert_eq!(redis.url.to_string(), "rediss-sentinel://a:26379,b:26379/shared/0");
    assert_eq!((redis.username.as_deref(), redis.replicas), (Some("node"), 1));
    assert_eq!(redis.password.unwrap().expose(), "hunter2");
}

#[test]
fn a_shared_store_needs_a_shared_pepper() {
    let rest = "listen: { vnc: 0.0.0.0:5900 }";
    for (text, key, message) in [
        ("store: redis://localhost", "store", "pepper: file:"),
        ("store: { url: redis://localhost }", "store", "pepper: file:"),
        ("store: redis://localhost\npepper: insecure-inline:abc", "pepper", "64 hexadecimal digits"),
        ("store: redis://u:hunter2@localhost", "store", "password"),
        ("store: { url: 'redis://localhost', ca_file: /x }", "store.ca_file", ""),
        ("store: sqlite", "store", "`embedded`"),
        ("store: 7", "store", ""),
    ] {
        let errors = errors(&format!("{text}\n{rest}")).join("\n");
        assert!(errors.contains(&format!(": {key}: ")) && errors.contains(message), "{text}: {errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}

/// A key that the example leaves out is one that nobody finds.
#[test]
fn the_example_names_every_key() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                for (name, value) in object {
                    if let ("properties", Some(properties)) = (name.as_str(), value.as_object()) {
                        found.extend(properties.keys().cloned());
                    }
                    keys(value, found);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(&schema(), &mut found);
    assert!(found.len() > 40, "{found:?}");
    for key in found {
        assert!(EXAMPLE.contains(&key), "the example says nothing about `{key}`");
    }
}

#[test]
fn the_api_has_its_sections() {
    let hash = format!("sha256:{}", "0a".repeat(32));
    let text = format!(
        "listen: {{ vnc: '127.0.0.1:0', https: '127.0.0.1:0', metrics: '127.0.0.1:0' }}\n\
         tls: {{ self_signed: true }}\n\
         users: [{{ name: alice, groups: [seniors] }}]\n\
         api: {{ token_life: 15m, requests_per_minute: 7 }}\n\
         roles: {{ supervisor: [seniors] }}\n\
         service_accounts: [{{ name: portal, token_hash: {hash}, scopes: [tickets:write], expires: 2027-01-31T00:00:00Z }}]"
    );
    let Loaded { config, warnings, .. } = accepted(&text);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!((config.api.requests_per_minute, config.roles.supervisor[0].as_str()), (7, "seniors"));
    let account = &config.service_accounts[0];
    assert_eq!(
        (account.scopes.as_slice(), account.token_hash.to_string()),
        ([Scope::TicketsWrite].as_slice(), hash)
    );
    assert_eq!(account.expires.unwrap().as_millis(), 1_801_353_600_000);

    let errors = errors(
        "listen: { vnc: '127.0.0.1:0', https: '127.0.0.1:0' }\n\
         service_accounts: [{ name: portal, token_hash: psa_thetokenitself, scopes: [tickets:wrte] }]",
    );
    assert!(errors[0].contains("listen.https: the API needs a certificate"), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("did you mean `tickets:write`?")), "{errors:?}");
    assert!(!errors.iter().any(|error| error.contains("thetokenitself")), "{errors:?}");
    let open = warnings_of_open_metrics();
    assert_eq!(open, ["listen.metrics", "roles.auditor[0]"]);
}

fn warnings_of_open_metrics() -> Vec<String> {
    let text = "listen: { vnc: '127.0.0.1:0', metrics: '0.0.0.0:9090' }\nroles: { auditor: [nobody] }";
    accepted(text).warnings.into_iter().map(|warning| warning.key).collect()
}

#[test]
fn the_smallest_file_has_sensible_values() {
    let Loaded { config, warnings, .. } = accepted("listen: { vnc: '[::1]:0' }");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.viewer_security(), [ViewerSecurity::Ard, ViewerSecurity::VncAuth]);
    assert_eq!(config.control_socket(), Path::new("/var/lib/passerelle/control.sock"));
    assert_eq!(config.recordings_dir(), Path::new("/var/lib/passerelle/recordings"));
}

#[test]
fn relative_paths_start_at_the_file() {
    let text = "listen: { vnc: [127.0.0.1:0, '[::1]:0'] }\ndata_dir: state\ntls: { certificate: tls.crt, key: 'file:tls.key' }";
    let config = accepted(text).config;
    assert_eq!(config.data_dir, Path::new("conf/state"));
    assert_eq!(config.listen.vnc.as_ref().unwrap().0.len(), 2);
    assert_eq!(config.viewer_security()[0], ViewerSecurity::X509Plain);
    let Some(passerelle_config::Tls::Files { certificate, key }) = config.tls else {
        panic!("{:?}", config.tls)
    };
    assert_eq!(certificate.path, Path::new("conf/tls.crt"));
    assert_eq!(key.expose(), "key material");
}

#[test]
fn rdp_has_its_own_section() {
    let text = "
listen: { rdp: ['[::]:3389'] }
tls: { self_signed: true }
rdp: { security: [tls], auto_reconnect: true, public_address: 'gateway.example:3390' }
users: [{ name: alice }]
targets:
  - { name: plain, protocol: rdp, address: 'a:3389' }
  - { name: full, protocol: rdp, address: 'a:3389', credentials: { username: u, password: 'env:OTHER', domain: D } }
  - { name: strict, protocol: rdp, address: 'a:3389', security: [tls] }
  - { name: old, protocol: vnc, address: 'a:5900' }
rules: [{ name: r, users: [alice], targets: ['*'], permissions: [view, drives, other_channels] }]
";
    let Loaded { config, warnings, .. } = accepted(text);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.listen.rdp.as_ref().unwrap().0, ["[::]:3389".parse().unwrap()]);
    assert_eq!(config.listen.vnc, None);
    assert_eq!(config.rdp.security, [RdpSecurity::Tls]);
    assert!(config.rdp.auto_reconnect);
    assert_eq!(config.rdp.public_address.as_ref().unwrap().to_string(), "gateway.example:3390");
    let security: Vec<_> = config.targets.iter().map(|target| target.rdp_security()).collect();
    let (nla, tls) = (RdpSecurity::Nla, RdpSecurity::Tls);
    assert_eq!(security[..3], [vec![tls], vec![nla, tls], vec![tls]]);
    assert_eq!(config.targets[1].credentials.domain.as_deref(), Some("D"));
    let protocols = [Protocol::Rdp, Protocol::Rdp, Protocol::Rdp, Protocol::Vnc];
    assert!(config.targets.iter().map(|target| target.protocol).eq(protocols));
    assert_eq!(protocols.map(Protocol::name), ["rdp", "rdp", "rdp", "vnc"]);
    assert!(config.rules[0].permissions.allows(Permission::OtherChannels));
}

/// What the configuration can grant is what sessions can be granted.
#[test]
fn the_example_explains_every_permission() {
    for permission in Permission::ALL {
        let entry = format!("#   {}  ", permission.name());
        assert!(EXAMPLE.contains(&entry), "the example does not explain `{permission}`");
        let text = format!(
            "listen: {{ vnc: 127.0.0.1:0 }}\nusers: [{{ name: u }}]\n\
             rules: [{{ name: r, users: [u], targets: ['*'], permissions: [{permission}] }}]"
        );
        assert!(accepted(&text).config.rules[0].permissions.allows(*permission));
    }
}

#[test]
fn aliases_stand_for_values() {
    let text =
        "listen: { vnc: 127.0.0.1:0 }\nusers: [{ name: a, groups: &g [x, y] }, { name: b, groups: *g }]";
    assert_eq!(accepted(text).config.users[1].groups, ["x", "y"]);
}

#[test]
fn a_printed_configuration_has_no_secret_in_it() {
    let config = accepted(EXAMPLE).config;
    for text in [format!("{config:?}"), serde_json::to_string(&config).unwrap()] {
        assert!(["vncpass1", "labpass1", "rdppass1"].iter().all(|secret| !text.contains(secret)));
        assert!(text.contains("[redacted]"));
    }
}

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
            format!("{listen}recording: {{ min_free: 1 GB }}"),
            "p.yaml:2:24: recording.min_free: `1 GB` is not an amount of data; write for example `512B`, `64KiB`, `1MiB` or `2GiB`",
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

/// An alias of an alias of an alias…: few bytes, billions of values.
#[test]
fn aliases_cannot_blow_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{below}]\n");
    }
    let errors = errors(&text);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].ends_with("there are more than 100000 values, counting what aliases stand for"),
        "{errors:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let errors = Config::load(Path::new("/nonexistent/p.yaml")).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nonexistent/p.yaml: the file cannot be read: No such file or directory (os error 2)"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p.yaml");
    std::fs::write(&path, b"a: b\nc: \xff").unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().ends_with("the file is not UTF-8 text (line 2)"));
}

#[test]
fn errors_are_data_too() {
    let errors = Config::parse("lisen: 1", "p.yaml", &World::default()).unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json["errors"][1]["key"], "lisen");
    assert_eq!(json["errors"][1]["line"], 1);
    assert_eq!(json["errors"][1]["message"], "unknown key; did you mean `listen`?");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = Config::parse(&text, "p.yaml", &World::default());
    }

    /// Close to real files, so that it gets further than the syntax.
    #[test]
    fn no_change_of_the_example_makes_it_panic(
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..40, "[\\[\\]{}:,&*!\"'a-z0-9 \n#-]{0,8}"), 1..6)
    ) {
        let mut characters: Vec<char> = EXAMPLE.chars().collect();
        for (place, length, with) in cuts {
            let start = place.index(characters.len());
            let end = (start + length).min(characters.len());
            characters.splice(start..end, with.chars());
        }
        let text: String = characters.into_iter().collect();
        let _ = Config::parse(&text, "p.yaml", &World::usual());
    }
}
