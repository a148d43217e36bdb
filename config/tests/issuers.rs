//! Identity providers in the configuration.

use passerelle_config::{Config, SigningAlgorithm, SystemResolver};

const START: &str = "listen: { vnc: '127.0.0.1:5900' }\nissuers:\n  - issuer: https://id.example\n    audience: passerelle\n    algorithms: [EdDSA]\n";

/// What is said about an issuer with these keys besides.
fn errors(more: &str) -> std::io::Result<String> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("jwks.json"), r#"{"keys": []}"#)?;
    std::fs::write(directory.path().join("none.json"), "{}")?;
    let path = directory.path().join("passerelle.yaml");
    let parsed = Config::parse(&format!("{START}{more}"), &path.to_string_lossy(), &SystemResolver);
    Ok(parsed.map_or_else(|errors| errors.to_string(), |_| String::new()))
}

#[test]
fn an_issuer_has_defaults() {
    let text = format!("{START}    jwks_url: https://id.example/jwks\n");
    let loaded = Config::parse(&text, "passerelle.yaml", &SystemResolver).unwrap();
    let issuer = &loaded.config.issuers[0];
    assert_eq!(issuer.algorithms, [SigningAlgorithm::EdDsa]);
    assert_eq!((issuer.longest_life.get().as_secs(), issuer.leeway.get().as_secs()), (600, 30));
    assert_eq!(issuer.claims.technician, "preferred_username");
    assert!(issuer.claims.second_factor.is_none());
}

#[test]
fn keys_come_from_one_place() {
    assert_eq!(errors("    jwks_file: jwks.json\n").unwrap(), "");
    for (more, said) in [
        ("", "issuers[0]: needs `jwks_url` or `jwks_file`"),
        ("    jwks_url: https://x/y\n    jwks_file: jwks.json\n", "keep one of the two"),
        ("    jwks_file: jwks.json\n    ca_file: jwks.json\n", "has no PEM certificate"),
        ("    jwks_file: none.json\n", "has no JSON Web Key Set in it"),
        ("    jwks_file: gone.json\n", "cannot be read"),
        ("    jwks_url: http://x/y\n", "is no URL of the form `https://host/path`"),
        ("    jwks_url: https://user@x/y\n", "is no URL of the form"),
        ("    jwks_url: https://x/y\n    longest_life: 8d\n", "issuers[0].longest_life: must be from"),
        (
            "    jwks_url: https://x/y\n  - { issuer: x, audience: x, jwks_file: jwks.json, algorithms: [HS256] }\n",
            "`HS256` is not known here",
        ),
        (
            "    jwks_url: https://x/y\n  - issuer: https://id.example\n    audience: x\n    algorithms: [ES256]\n    jwks_file: jwks.json\n",
            "is there twice",
        ),
    ] {
        let errors = errors(more).unwrap();
        assert!(errors.contains(said), "{more}: {errors}");
    }
}
