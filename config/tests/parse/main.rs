//! Whole files: the example, wrong ones and what is said about them, random ones.

mod mistakes;
mod sections;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use passerelle_config::{
    Config, FileError, ForwardedHeader, FragmentFile, Loaded, Permission, Protocol, RdpSecurity, Resolver,
    Scope, Store, TargetSelector, ViewerSecurity, schema,
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

const EXAMPLE: &str = include_str!("../../example.yaml");

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
        errors[0].ends_with("there are more than 400000 values, counting what aliases stand for"),
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
