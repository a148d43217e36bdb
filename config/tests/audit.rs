//! Exports of the audit log in the configuration.

use passerelle_config::{Config, Loaded, SyslogTransport, SystemResolver};

fn load(audit: &str) -> Result<Loaded, String> {
    let text = format!("listen: {{ vnc: '127.0.0.1:5900' }}\naudit:\n  {audit}\n");
    Config::parse(&text, "p.yaml", &SystemResolver).map_err(|errors| errors.to_string())
}

#[test]
fn exports_have_defaults() {
    let Loaded { config, warnings, .. } =
        load("syslog: { address: 'log.example:6514' }\n  anchor: { file: /srv/anchors }").unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let syslog = config.audit.syslog.unwrap();
    assert_eq!((syslog.transport, syslog.facility.name()), (SyslogTransport::Tls, "authpriv"));
    assert!(syslog.wants("session.started"));
    let anchor = config.audit.anchor.unwrap();
    assert_eq!((anchor.every.get().as_secs(), anchor.syslog), (60, false));
    let none = load("{}").unwrap().config.audit;
    assert!(none.syslog.is_none() && none.anchor.is_none());
}

#[test]
fn mistakes_are_named() {
    for (audit, said) in [
        ("syslog: { transport: tls }", "audit.syslog: the key `address` is missing"),
        ("syslog: { address: 'a:1', facility: local8 }", "audit.syslog.facility"),
        (
            "syslog: { address: 'a:1', events: [session] }",
            "audit.syslog.events[0]: `session` means no events",
        ),
        (
            "syslog: { address: 'a:1', transport: tcp, ca_file: /etc/hostname }",
            "audit.syslog.ca_file: says nothing about a connection without TLS",
        ),
        ("anchor: { every: 1m }", "p.yaml:3:11: audit.anchor: this does not say where checkpoints go"),
        ("anchor: { syslog: true }", "audit.anchor.syslog: there is no syslog server; add `audit.syslog`"),
        ("anchor: { file: /a, every: 2d }", "audit.anchor.every: must be from 1s to 1d"),
        ("syslogs: {}", "audit.syslogs"),
    ] {
        let errors = load(audit).map(|_| ()).unwrap_err();
        assert!(errors.contains(said), "{audit}: {errors}");
    }
    let warned = |address: &str| {
        load(&format!("syslog: {{ address: '{address}', transport: tcp }}")).unwrap().warnings.len()
    };
    assert_eq!((warned("log.example:514"), warned("127.0.0.1:514"), warned("localhost:514")), (1, 0, 0));
}
