use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use super::*;
use crate::{Embedded, Method};

const ISSUER: &str = "https://id.example";
pub(crate) const NOW: i64 = 4_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

fn address() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

/// An identity provider with a key of each kind.
pub(crate) struct Provider {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Provider {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self {
            ed: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("testdata/rsa.pk8")).unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        let rsa = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        json!({ "keys": [
            { "kid": "ed", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": b64(self.ed.public_key()) },
            { "kid": "ec", "kty": "EC", "crv": "P-256", "use": "sig", "x": b64(&point[1..33]), "y": b64(&point[33..]) },
            { "kid": "rsa", "kty": "RSA", "alg": "RS256", "n": b64(&rsa.n), "e": b64(&rsa.e) },
            { "kid": "hmac", "kty": "oct", "alg": "HS256", "k": b64("secret") },
            { "kid": "other", "kty": "RSA", "use": "enc", "n": b64(&rsa.n), "e": "AQAB" },
        ]})
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let bytes = message.as_bytes();
        let random = SystemRandom::new();
        let signature = match header["alg"].as_str().unwrap() {
            "ES256" => self.ec.sign(&random, bytes).unwrap().as_ref().to_vec(),
            "RS256" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            "HS256" => {
                // The classic confusion: the public key as the secret of an HMAC.
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.ed.public_key().as_ref());
                ring::hmac::sign(&key, bytes).as_ref().to_vec()
            }
            "none" => Vec::new(),
            _ => self.ed.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", b64(signature))
    }
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "passerelle", "sub": "1234", "jti": "one",
        "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        "preferred_username": "alice",
        "realm_access": { "roles": ["helpdesk", "/staff"] },
        "amr": ["pwd", "otp"],
    })
}

/// The claims, with some of them replaced, or removed where `null`.
pub(crate) fn but(changes: Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}

pub(crate) fn settings() -> IssuerSettings {
    IssuerSettings {
        name: ISSUER.to_owned(),
        audience: "passerelle".to_owned(),
        algorithms: vec![SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256],
        longest_life: Duration::from_secs(600),
        leeway: Duration::from_secs(30),
        claims: ClaimNames {
            id: "jti".to_owned(),
            technician: "preferred_username".to_owned(),
            groups: Some("realm_access.roles".to_owned()),
            target: Some("target".to_owned()),
            permissions: Some("permissions".to_owned()),
            second_factor: Some(("amr".to_owned(), vec!["otp".to_owned(), "mfa".to_owned()])),
        },
    }
}

pub(crate) fn fixed(provider: &Provider) -> Keys {
    Keys::Fixed(KeySet::from_json(provider.jwks().to_string().as_bytes()).unwrap())
}

async fn issuers(settings: IssuerSettings, keys: Keys) -> Issuers {
    let store = Arc::new(Embedded::in_memory().unwrap());
    store.since(Timestamp::from_millis(0)).await.unwrap();
    let never = crate::Backoff {
        free: u32::MAX,
        first: Duration::ZERO,
        longest: Duration::ZERO,
        forget: Duration::ZERO,
    };
    let lockout = LockoutPolicy { address: never, identity: never, global: never };
    Issuers::new([Issuer::new(settings, keys)], store, lockout)
}

async fn code(issuers: &Issuers, token: &str) -> &'static str {
    match issuers.redeem(token, address(), now()).await {
        Ok(_) => "accepted",
        Err(refusal) => {
            let signature = token.rsplit('.').next().filter(|signature| signature.len() > 8);
            assert!(signature.is_none_or(|signature| !refusal.to_string().contains(signature)));
            refusal.code()
        }
    }
}

#[tokio::test]
async fn what_the_token_says_becomes_an_identity() {
    let provider = Provider::new();
    let issuers = issuers(settings(), fixed(&provider)).await;
    for (index, (alg, kid)) in [("EdDSA", "ed"), ("ES256", "ec"), ("RS256", "rsa")].into_iter().enumerate() {
        let header = json!({ "alg": alg, "kid": kid, "typ": "at+jwt", "x5t": "abc" });
        let claims = but(json!({ "jti": index.to_string(), "aud": ["other", "passerelle"] }));
        let token = provider.sign(&header, &claims);
        assert!(is_jwt(&token));
        let identity = issuers.redeem(&token, address(), now()).await.unwrap();
        assert_eq!((identity.technician.as_str(), identity.method), ("alice", Method::Jwt));
        assert_eq!(identity.groups, ["helpdesk", "staff"]);
        assert!(identity.second_factor && identity.target.is_none() && identity.permissions.is_none());
    }
    let claims = but(json!({
        "jti": "limited", "target": "front-desk", "permissions": "view pointer", "amr": "pwd",
        "realm_access": null,
    }));
    // Without a key id the only key of the algorithm is meant.
    let token = provider.sign(&json!({ "alg": "EdDSA" }), &claims);
    let identity = issuers.redeem(&token, address(), now()).await.unwrap();
    assert_eq!(identity.target.as_deref(), Some("front-desk"));
    assert_eq!(identity.permissions.unwrap().iter().count(), 2);
    assert!(!identity.second_factor && identity.groups.is_empty());
}

#[tokio::test]
async fn a_token_is_good_once() {
    let provider = Provider::new();
    let issuers = issuers(settings(), fixed(&provider)).await;
    let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims());
    let attempts = (0..20).map(|_| {
        let (issuers, token) = (issuers.clone(), token.clone());
        tokio::spawn(async move { code(&issuers, &token).await })
    });
    let mut accepted = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            "accepted" => accepted += 1,
            other => assert_eq!(other, "used_token"),
        }
    }
    assert_eq!(accepted, 1);
    // The same id signed anew is the same token.
    let again = provider.sign(&json!({ "alg": "ES256", "kid": "ec" }), &claims());
    assert_eq!(code(&issuers, &again).await, "used_token");
}

#[tokio::test]
async fn headers_cannot_choose_how_a_token_is_checked() {
    let provider = Provider::new();
    let all = issuers(settings(), fixed(&provider)).await;
    for (header, expected) in [
        (json!({ "alg": "none", "kid": "ed" }), "token_algorithm"),
        (json!({ "alg": "None", "kid": "ed" }), "token_algorithm"),
        (json!({ "alg": "HS256", "kid": "ed" }), "token_algorithm"),
        (json!({ "alg": "HS256", "kid": "hmac" }), "token_algorithm"),
        (json!({ "alg": "PS256", "kid": "rsa" }), "token_algorithm"),
        (json!({ "alg": "eddsa", "kid": "ed" }), "token_algorithm"),
        (json!({ "alg": "EdDSA", "kid": "rsa" }), "token_key"),
        (json!({ "alg": "RS256", "kid": "ed" }), "token_key"),
        (json!({ "alg": "RS256", "kid": "other" }), "token_key"),
        (json!({ "alg": "EdDSA", "kid": "../../etc/passwd" }), "token_key"),
        (json!({ "alg": "EdDSA", "kid": "ed' OR '1'='1" }), "token_key"),
        (json!({ "alg": "EdDSA", "kid": "" }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "x".repeat(300) }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "crit": ["exp"] }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "b64": false }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "zip": "DEF" }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "jku": "https://evil.example/jwks" }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "x5u": "https://evil.example/x" }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "x5c": ["AAAA"] }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "jwk": { "kty": "OKP" } }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": "ed", "typ": "dpop+jwt" }), "token_header"),
        (json!({ "alg": "EdDSA", "kid": 7 }), "token_header"),
    ] {
        let token = provider.sign(&header, &claims());
        assert_eq!(code(&all, &token).await, expected, "{header}");
    }
    let narrow = IssuerSettings { algorithms: vec![SigningAlgorithm::Rs256], ..settings() };
    let narrow = issuers(narrow, fixed(&provider)).await;
    let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims());
    assert_eq!(code(&narrow, &token).await, "token_algorithm");
}

#[tokio::test]
async fn claims_are_held_to_the_rules() {
    let provider = Provider::new();
    let issuers = issuers(settings(), fixed(&provider)).await;
    for (changes, expected) in [
        (json!({ "iss": "https://evil.example" }), "token_issuer"),
        (json!({ "iss": null }), "token_claims"),
        (json!({ "aud": "another" }), "token_audience"),
        (json!({ "aud": [] }), "token_audience"),
        (json!({ "aud": null }), "token_claims"),
        (json!({ "jti": null }), "token_claims"),
        (json!({ "jti": "" }), "token_claims"),
        (json!({ "jti": "x".repeat(257) }), "token_claims"),
        (json!({ "exp": null }), "token_claims"),
        (json!({ "nbf": null }), "token_claims"),
        (json!({ "iat": null }), "token_claims"),
        (json!({ "exp": "soon" }), "token_claims"),
        (json!({ "iat": "now" }), "token_claims"),
        (json!({ "iat": -1 }), "token_claims"),
        (json!({ "exp": 1e300 }), "token_claims"),
        (json!({ "exp": NOW - 30, "iat": NOW - 300, "nbf": NOW - 300 }), "expired_token"),
        (json!({ "nbf": NOW + 31 }), "early_token"),
        (json!({ "iat": NOW + 31 }), "early_token"),
        (json!({ "exp": NOW + 601 }), "token_life"),
        (json!({ "exp": NOW + 10, "iat": NOW + 20 }), "token_life"),
        (json!({ "preferred_username": null }), "token_claims"),
        (json!({ "preferred_username": "" }), "token_claims"),
        (json!({ "preferred_username": "al:ice" }), "token_claims"),
        (json!({ "preferred_username": ["alice"] }), "token_claims"),
        (json!({ "realm_access": { "roles": [1] } }), "token_claims"),
        (json!({ "target": 7 }), "token_claims"),
        (json!({ "permissions": ["view", "everything"] }), "token_claims"),
    ] {
        let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &but(changes.clone()));
        assert_eq!(code(&issuers, &token).await, expected, "{changes}");
    }
    // The edges that are still good.
    for (index, changes) in [
        json!({ "exp": NOW - 29, "iat": NOW - 300, "nbf": NOW - 300 }),
        json!({ "nbf": NOW + 30, "iat": NOW + 30, "exp": NOW + 630 }),
        json!({ "exp": NOW + 600 }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = but(changes);
        claims["jti"] = json!(format!("edge {index}"));
        let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims);
        assert_eq!(code(&issuers, &token).await, "accepted", "{claims}");
    }
}

#[tokio::test]
async fn what_was_not_signed_is_refused() {
    let provider = Provider::new();
    let issuers = issuers(settings(), fixed(&provider)).await;
    let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let forged = b64(but(json!({ "preferred_username": "root" })).to_string());
    for (token, expected) in [
        (format!("{}.{forged}.{}", parts[0], parts[2]), "token_signature"),
        (format!("{}.{}.{}", parts[0], parts[1], b64([0; 64])), "token_signature"),
        (format!("{}.{}.", parts[0], parts[1]), "token_signature"),
        (format!("{}.{}", parts[0], parts[1]), "malformed_token"),
        (format!("{token}.x"), "malformed_token"),
        (format!("{}.!.{}", parts[0], parts[2]), "malformed_token"),
        (String::new(), "malformed_token"),
        ("..".to_owned(), "malformed_token"),
        ("x".repeat(LONGEST + 1), "malformed_token"),
    ] {
        assert_eq!(code(&issuers, &token).await, expected, "{token}");
    }
    assert_eq!(code(&issuers, &token).await, "accepted", "none of these used it up");
}

#[tokio::test]
async fn a_store_that_forgot_takes_no_token_from_before() {
    let provider = Provider::new();
    let store = Arc::new(Embedded::in_memory().unwrap());
    store.since(now()).await.unwrap();
    let lockout = LockoutPolicy::default();
    let issuers = Issuers::new([Issuer::new(settings(), fixed(&provider))], store, lockout);
    for (issued, expected) in
        [(NOW - 10, "expired_token"), (NOW + 29, "expired_token"), (NOW + 30, "accepted")]
    {
        let changes = json!({ "jti": issued.to_string(), "iat": issued, "nbf": NOW, "exp": NOW + 300 });
        let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &but(changes));
        assert_eq!(code(&issuers, &token).await, expected, "{issued}");
    }
}

/// RFC 8037 appendix A.4.
#[test]
fn signatures_of_others_are_understood() {
    provider::install();
    let key = jsonwebtoken::DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = key.unwrap();
    let eddsa = jsonwebtoken::Algorithm::EdDSA;
    assert!(jsonwebtoken::crypto::verify(signature, message, &key, eddsa).unwrap());
    assert!(!jsonwebtoken::crypto::verify(signature, b"x", &key, eddsa).unwrap());
    assert!(jsonwebtoken::crypto::verify(signature, message, &key, jsonwebtoken::Algorithm::HS256).is_err());
}

#[test]
fn key_sets_that_cannot_be_used_are_refused() {
    let key = |bits: usize| json!({ "kty": "RSA", "n": b64(vec![0xff; bits / 8]), "e": "AQAB" });
    for (set, usable) in [
        (json!({ "keys": [key(2048)] }), true),
        (json!({ "keys": [key(1024)] }), false),
        (json!({ "keys": [key(16384)] }), false),
        (json!({ "keys": [] }), false),
        (json!({ "keys": vec![key(2048); 65] }), false),
        (json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA" }] }), false),
        (json!({ "keys": [{ "kty": "EC", "crv": "P-384", "x": b64([1; 48]), "y": b64([1; 48]) }] }), false),
        (json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }), false),
        (json!([]), false),
    ] {
        assert_eq!(KeySet::from_json(set.to_string().as_bytes()).is_ok(), usable, "{set}");
    }
}

/// Answers with what it is told to, and counts.
#[derive(Default)]
struct Fetched {
    answer: Mutex<Option<String>>,
    asked: AtomicUsize,
}

#[async_trait]
impl FetchKeys for Fetched {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        assert_eq!(url, "https://id.example/jwks");
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer.lock().unwrap().clone();
        answer.map(String::into_bytes).ok_or_else(|| "it does not answer".to_owned())
    }
}

#[tokio::test]
async fn keys_are_asked_for_when_needed_and_not_more() {
    let provider = Provider::new();
    let fetched = Arc::new(Fetched::default());
    let keys = Keys::Url { url: "https://id.example/jwks".to_owned(), fetch: fetched.clone() };
    let issuers = issuers(settings(), keys).await;
    let mut next = 0;
    let mut token = |kid: &str, at: i64| {
        next += 1;
        let changes = json!({ "jti": next.to_string(), "iat": at, "nbf": at, "exp": at + 300 });
        provider.sign(&json!({ "alg": "EdDSA", "kid": kid }), &but(changes))
    };
    let only_rsa = json!({ "keys": [provider.jwks()["keys"][2].clone()] }).to_string();
    let day = 24 * 3600;
    for (after, kid, answer, expected, asked) in [
        (0, "ed", None, "token_keys_unavailable", 1),
        (29, "ed", Some(provider.jwks().to_string()), "token_keys_unavailable", 1),
        (30, "ed", Some(provider.jwks().to_string()), "accepted", 2),
        (31, "unknown", None, "token_key", 2),
        (61, "unknown", None, "token_key", 3),
        (62, "unknown", None, "token_key", 3),
        (62, "ed", None, "accepted", 3),
        (700, "ed", None, "accepted", 4),
        (day, "ed", None, "accepted", 5),
        (day + 31, "ed", None, "token_keys_unavailable", 6),
        (day + 62, "ed", Some(only_rsa), "token_key", 7),
    ] {
        *fetched.answer.lock().unwrap() = answer;
        let at = NOW + after;
        let outcome = issuers.redeem(&token(kid, at), address(), Timestamp::from_millis(at * 1000)).await;
        let found = outcome.map_or_else(|refusal| refusal.code(), |_| "accepted");
        assert_eq!((found, fetched.asked.load(Ordering::Relaxed)), (expected, asked), "after {after} s");
    }
}
