//! Webhooks in the configuration.

use passerelle_config::{Config, Loaded, SystemResolver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A webhook with these keys besides its name.
fn text(keys: &str) -> String {
    format!("listen: {{ vnc: '127.0.0.1:5900' }}\nwebhooks:\n  - name: siem\n    {keys}\n")
}

fn errors(keys: &str) -> String {
    let parsed = Config::parse(&text(keys), "p.yaml", &SystemResolver);
    parsed.map_or_else(|errors| errors.to_string(), |_| String::new())
}

#[test]
fn a_webhook_has_defaults() {
    let keys = format!("url: https://a.example/in\n    events: ['*']\n    secret: insecure-inline:{SECRET}");
    let Loaded { config, .. } = Config::parse(&text(&keys), "p.yaml", &SystemResolver).unwrap();
    let webhook = &config.webhooks[0];
    assert_eq!((webhook.timeout.get().as_secs(), webhook.retry_for.get().as_secs()), (10, 86_400));
    assert_eq!(webhook.signing_key().unwrap().len(), 24);
    assert!(webhook.wants("session.started") && !webhook.allow_plain_http);
    let shown = format!("{webhook:?}{}", serde_json::to_string(webhook).unwrap());
    assert!(!shown.contains("MfKQ") && !shown.contains("/in"), "{shown}");
}

#[test]
fn mistakes_are_named() {
    let with = |url: &str, more: &str| {
        errors(&format!(
            "url: {url}\n    events: [session.*]\n    secret: insecure-inline:{SECRET}\n    {more}"
        ))
    };
    assert_eq!(with("http://localhost:8080/x", ""), "");
    assert_eq!(with("http://a.example/", "allow_plain_http: true"), "");
    for (url, more, said) in [
        ("http://a.example/", "", "p.yaml:4:10: webhooks[0].url: everybody on the way could read"),
        ("https://me:hunter2@a.example/", "", "webhooks[0].url: this is no URL"),
        ("http://localhost/", "ca_file: /etc/hostname", "webhooks[0].ca_file: says nothing"),
        ("https://a.example/", "timeout: 5m", "webhooks[0].timeout: must be from 1s to 1m"),
        ("https://a.example/", "retry_for: 31d", "webhooks[0].retry_for: must be from"),
        ("https://a.example/\n  - name: siem", "", "webhooks[1].name: the name `siem` is already taken"),
    ] {
        let errors = with(url, more);
        assert!(errors.contains(said), "{url} {more}: {errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    for secret in ["whsec_", "hunter2", "whsec_c2hvcnQ=", &SECRET[6..], &format!("{SECRET}!")] {
        let errors =
            errors(&format!("url: https://a/\n    events: ['*']\n    secret: insecure-inline:{secret}"));
        assert!(errors.contains("p.yaml:6:13: webhooks[0].secret: this is not `whsec_`"), "{errors}");
        assert!(secret == "whsec_" || !errors.contains(secret), "{errors}");
    }
    let errors =
        errors("url: https://a/\n    events: [session, 'x.*.y', login.refused]\n    secret: env:NOT_SET");
    assert!(errors.contains("webhooks[0].events[0]: `session` means no events"), "{errors}");
    assert!(errors.contains("webhooks[0].events[1]") && !errors.contains("events[2]"), "{errors}");
}
