//! Sections with forms of their own.

use super::*;

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
fn telemetry_needs_a_build_with_it() {
    let listen = "listen: { vnc: '127.0.0.1:0' }\n";
    let text = format!(
        "{listen}telemetry: {{ otlp: 'http://10.0.0.1:4318', headers: [{{ name: x-api-key, value: 'env:OTHER' }}] }}"
    );
    if cfg!(feature = "otel") {
        let Loaded { config, warnings, .. } = accepted(&text);
        let telemetry = config.telemetry.unwrap();
        assert_eq!(
            (&*telemetry.otlp, telemetry.headers[0].value.expose()),
            ("http://10.0.0.1:4318", "hunter2")
        );
        assert!(!format!("{telemetry:?}").contains("hunter2"));
        assert_eq!(warnings[0].key, "telemetry.otlp");
    } else {
        let without = "p.yaml:2:12: telemetry: this passerelle was built without it; build it with `--features otel`, or remove the section";
        assert_eq!(errors(&text), [without]);
    }
    let wrong = errors(&format!(
        "{listen}telemetry: {{ otlp: 'localhost:4318', headers: [{{ name: 'x y', value: key }}] }}"
    ));
    for (key, said) in [
        ("telemetry.otlp", "`localhost:4318` is no URL of the form `http://host:port`"),
        ("telemetry.headers[0].name", "`x y` is no name of a header field"),
        ("telemetry.headers[0].value", "a secret is not written here but referred to"),
    ] {
        assert!(wrong.iter().any(|line| line.contains(key) && line.contains(said)), "{key}: {wrong:?}");
    }
}

#[test]
fn whoever_says_where_a_connection_comes_from_is_named() {
    let text = "listen: { vnc: '127.0.0.1:0', https: '127.0.0.1:0', proxy_protocol: { vnc: [10.0.0.0/8, '::1'] } }\n\
                tls: { self_signed: true }\n\
                api: { trusted_proxies: [192.0.2.7], forwarded_header: forwarded }";
    let Loaded { config, warnings, .. } = accepted(text);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.listen.proxy_protocol.vnc.len(), 2);
    assert!(config.listen.proxy_protocol.https.is_empty());
    assert_eq!(config.api.forwarded_header, ForwardedHeader::Forwarded);

    let doubtful = accepted(
        "listen: { vnc: '127.0.0.1:0', proxy_protocol: { rdp: [10.0.0.1] } }\n\
         api: { trusted_proxies: [10.0.0.1] }",
    );
    let keys: Vec<_> = doubtful.warnings.into_iter().map(|warning| warning.key).collect();
    assert_eq!(keys, ["listen.proxy_protocol.rdp", "api.trusted_proxies"]);
    let doubtful = accepted("listen: { vnc: '127.0.0.1:0' }\napi: { forwarded_header: x_forwarded_for }");
    assert_eq!(doubtful.warnings[0].key, "api.forwarded_header");

    assert_eq!(
        errors(
            "listen: { vnc: '127.0.0.1:0', proxy_protocol: { vnc: [10.0.0.1/8, '::/0'], metrics: [] } }\n\
             api: { trusted_proxies: [0.0.0.0/0], forwarded_header: via }"
        ),
        [
            "p.yaml:1:55: listen.proxy_protocol.vnc[0]: `10.0.0.1/8` has an address within the network; write `10.0.0.0/8` for the network, or the address without `/`",
            "p.yaml:1:67: listen.proxy_protocol.vnc[1]: lets everybody say that they come from anywhere; write the addresses of your proxies",
            "p.yaml:1:76: listen.proxy_protocol.metrics: unknown key",
            "p.yaml:2:26: api.trusted_proxies[0]: lets everybody say that they come from anywhere; write the addresses of your proxies",
            "p.yaml:2:56: api.forwarded_header: `via` is not known here; write one of `x_forwarded_for`, `forwarded`",
        ]
    );
}
