//! People whom an identity provider vouches for.

use data_encoding::BASE64URL_NOPAD;
use passerelle_auth::Entry;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::ambient;

const ISSUER: &str = "https://id.example";

/// An identity provider, and the site that trusts it.
struct Vouched {
    site: Site,
    key: Ed25519KeyPair,
    _keys: TempDir,
    /// How many tokens were made.
    made: std::cell::Cell<u32>,
}

impl Vouched {
    async fn open() -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let x = BASE64URL_NOPAD.encode(key.public_key().as_ref());
        let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "use": "sig", "x": x }] });
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("jwks.json");
        std::fs::write(&file, set.to_string()).unwrap();
        let site = Site::open_with(&format!(
            "issuers:\n- issuer: {ISSUER}\n  audience: passerelle\n  jwks_file: {}\n  algorithms: [EdDSA]\n  \
             claims: {{ target: only, permissions: most, second_factor: {{ claim: amr, values: [otp] }} }}\n",
            file.display()
        ))
        .await;
        Self { site, key, _keys: keys, made: std::cell::Cell::new(0) }
    }

    /// What a token of carol's says, with these things besides or instead.
    fn claims(&self, more: &Value) -> Value {
        self.made.set(self.made.get() + 1);
        let now = ambient::now().as_millis() / 1000;
        let mut claims = json!({
            "iss": ISSUER, "aud": "passerelle", "jti": self.made.get().to_string(),
            "iat": now, "nbf": now, "exp": now + 120,
            "preferred_username": "carol", "groups": ["helpdesk"],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        claims
    }

    fn token(&self, more: &Value) -> String {
        let text = encoded(&json!({ "alg": "EdDSA", "kid": "k", "typ": "JWT" }), &self.claims(more));
        let signature = self.key.sign(text.as_bytes());
        format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    async fn log_in(&self, token: &str) -> Answer {
        self.site.call(Method::POST, "/api/v1/login", None, Some(json!({ "token": token }))).await
    }

    /// The gateway's own token for somebody with these claims.
    async fn exchanged(&self, more: &Value) -> String {
        let answer = self.log_in(&self.token(more)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Who gets in with a ticket, as the listeners would see them.
    async fn entry(&self, ticket: &Answer) -> Entry {
        assert_eq!(ticket.status, StatusCode::CREATED, "{}", ticket.text);
        let ticket = ticket.json();
        let secret = Secret::new(ticket["ticket"].as_str().unwrap().to_owned());
        let login = ticket["username"].as_str().unwrap();
        let here = "192.0.2.7".parse().unwrap();
        self.site.gateway.policy().logins().redeem(login, &secret, here, false, ambient::now()).await.unwrap()
    }
}

fn encoded(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

fn wanted(technician: &str, target: &str) -> Value {
    json!({ "technician": technician, "target": target })
}

#[tokio::test]
async fn a_token_is_exchanged_or_good_for_one_call() {
    let vouched = Vouched::open().await;
    let token = vouched.token(&json!({}));
    let first = vouched.site.get("/api/v1/me", &token).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let me = first.json();
    assert_eq!(
        (&me["name"], &me["kind"], &me["roles"], &me["second_factor"]),
        (&json!("carol"), &json!("user"), &json!([]), &json!(false))
    );
    assert_eq!(vouched.site.get("/api/v1/me", &token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(vouched.log_in(&token).await.status, StatusCode::UNAUTHORIZED);

    let token = vouched.token(&json!({ "groups": ["chiefs"], "amr": ["pwd", "otp"] }));
    // Where nobody has to be known it is not used up.
    assert_eq!(vouched.site.get("/readyz", &token).await.status, StatusCode::OK);
    let exchanged = vouched.log_in(&token).await;
    assert_eq!(exchanged.status, StatusCode::OK, "{}", exchanged.text);
    assert!(exchanged.json()["scopes"].as_array().unwrap().contains(&json!("approvals:write")));
    let own = exchanged.json()["token"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let me = vouched.site.get("/api/v1/me", &own).await.json();
        assert_eq!((&me["roles"], &me["second_factor"]), (&json!(["supervisor"]), &json!(true)));
    }
    assert_eq!(vouched.site.post("/api/v1/logout", &own, json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(vouched.site.get("/api/v1/me", &own).await.status, StatusCode::UNAUTHORIZED);
    let accepted = vouched.site.audit_of(AuditKind::LoginAccepted).await;
    assert_eq!(accepted.len(), 2);
    assert!(accepted.iter().all(|event| event.detail["method"] == "jwt"));
}

/// Every attack is refused alike, and the audit log knows which it was.
#[tokio::test]
async fn tokens_that_are_not_right_are_refused() {
    let vouched = Vouched::open().await;
    let now = ambient::now().as_millis() / 1000;
    let mac = |text: String| {
        // The public key, taken for a secret one.
        let key = hmac::Key::new(hmac::HMAC_SHA256, vouched.key.public_key().as_ref());
        format!("{text}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, text.as_bytes()).as_ref()))
    };
    let claims = || vouched.claims(&json!({}));
    let signed = |header: &Value| {
        let text = encoded(header, &claims());
        format!("{text}.{}", BASE64URL_NOPAD.encode(vouched.key.sign(text.as_bytes()).as_ref()))
    };
    let right = vouched.token(&json!({}));
    let (head, signature) = right.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let swapped =
        BASE64URL_NOPAD.encode(vouched.claims(&json!({ "groups": ["admins"] })).to_string().as_bytes());
    let used = vouched.token(&json!({}));
    assert_eq!(vouched.site.get("/api/v1/me", &used).await.status, StatusCode::OK);
    let attacks = [
        ("used_token", used),
        ("token_audience", vouched.token(&json!({ "aud": "another" }))),
        ("expired_token", vouched.token(&json!({ "iat": now - 400, "nbf": now - 400, "exp": now - 300 }))),
        ("early_token", vouched.token(&json!({ "nbf": now + 400, "iat": now + 400, "exp": now + 500 }))),
        ("token_algorithm", encoded(&json!({ "alg": "none" }), &claims()) + "."),
        ("token_algorithm", mac(encoded(&json!({ "alg": "HS256", "kid": "k" }), &claims()))),
        ("token_issuer", vouched.token(&json!({ "iss": "https://evil.example" }))),
        ("token_signature", format!("{header}.{swapped}.{signature}")),
        ("token_header", signed(&json!({ "alg": "EdDSA", "kid": "k", "crit": ["b64"], "b64": false }))),
        ("token_key", signed(&json!({ "alg": "EdDSA", "kid": "../../../dev/null" }))),
        ("token_claims", vouched.token(&json!({ "jti": null }))),
        ("token_claims", vouched.token(&json!({ "preferred_username": "service portal" }))),
        ("token_claims", vouched.token(&json!({ "preferred_username": "uid 0" }))),
    ];
    let mut said = std::collections::BTreeSet::new();
    for (number, (code, token)) in attacks.iter().enumerate() {
        // Half of them as a bearer, half in exchange.
        let answer = match number % 2 {
            0 => vouched.site.get("/api/v1/me", token).await,
            _ => vouched.log_in(token).await,
        };
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{code}: {}", answer.text);
        said.insert(answer.text);
        let refused = vouched.site.audit_of(AuditKind::LoginRefused).await;
        assert_eq!(refused.last().unwrap().detail["code"], *code, "{number}");
        // What an address gets wrong locks it after a while.
        let keys = [
            passerelle_auth::AttemptKey::address("192.0.2.7".parse().unwrap()),
            passerelle_auth::AttemptKey::Global,
        ];
        for key in keys {
            vouched.site.gateway.store.clear_lockout(&key).await.unwrap();
        }
    }
    assert_eq!(said.len(), 1, "the answer tells what is wrong: {said:?}");
    assert_eq!(vouched.site.get("/api/v1/me", &right).await.status, StatusCode::OK, "it was not touched");
}

#[tokio::test]
async fn wrong_tokens_lock_their_address() {
    let vouched = Vouched::open().await;
    let wrong = encoded(&json!({ "alg": "none" }), &vouched.claims(&json!({}))) + ".";
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(vouched.log_in(&wrong).await.status.as_u16());
        if statuses.last() == Some(&429) {
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let locked = vouched.site.get("/api/v1/me", &vouched.token(&json!({}))).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS, "{}", locked.text);
    assert!(locked.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn tickets_are_what_the_token_says() {
    let vouched = Vouched::open().await;
    let site = &vouched.site;
    let carol = vouched.exchanged(&json!({ "amr": ["otp"] })).await;
    assert_eq!(site.get("/api/v1/targets", &carol).await.json()["items"].as_array().unwrap().len(), 3);
    // Nobody of this name is configured; the groups are the token's, and so is the second factor.
    let entry = vouched.entry(&site.post("/api/v1/tickets", &carol, wanted("carol", "safe")).await).await;
    assert_eq!(
        (entry.identity.groups.as_slice(), entry.identity.second_factor),
        (&["helpdesk".to_owned()][..], true)
    );
    let weaker = vouched.exchanged(&json!({})).await;
    assert_eq!(
        site.post("/api/v1/tickets", &weaker, wanted("carol", "safe")).await.status,
        StatusCode::FORBIDDEN
    );
    let guest = vouched.exchanged(&json!({ "groups": ["guests"] })).await;
    assert_eq!(
        site.post("/api/v1/tickets", &guest, wanted("carol", "desk")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(site.get("/api/v1/targets", &guest).await.json()["items"], json!([]));
    // For others only as an administrator, and only for those who are configured.
    assert_eq!(
        site.post("/api/v1/tickets", &carol, wanted("alice", "desk")).await.status,
        StatusCode::FORBIDDEN
    );
    let admin = vouched.exchanged(&json!({ "preferred_username": "root", "groups": ["admins"] })).await;
    let entry = vouched.entry(&site.post("/api/v1/tickets", &admin, wanted("alice", "desk")).await).await;
    assert_eq!(entry.identity.groups, ["helpdesk"]);
    let unknown = site.post("/api/v1/tickets", &admin, wanted("carol", "desk")).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unknown.text);

    let narrow = vouched.exchanged(&json!({ "only": "desk", "most": ["view"] })).await;
    let answer = site.post("/api/v1/tickets", &narrow, wanted("carol", "desk")).await;
    assert_eq!(answer.json()["permissions"], json!(["view"]));
    assert_eq!(vouched.entry(&answer).await.identity.permissions.unwrap().iter().count(), 1);
    let more = json!({ "technician": "carol", "target": "desk", "permissions": ["view", "pointer"] });
    assert_eq!(site.post("/api/v1/tickets", &narrow, more).await.json()["permissions"], json!(["view"]));
    let elsewhere = site.post("/api/v1/tickets", &narrow, wanted("carol", "safe")).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{}", elsewhere.text);
    assert_eq!(site.get("/api/v1/targets", &narrow).await.json()["items"][0]["name"], "desk");
    assert_eq!(site.get("/api/v1/targets/safe", &narrow).await.status, StatusCode::NOT_FOUND);
}

/// A token for connecting does not do what its bearer's role could.
#[tokio::test]
async fn limited_tokens_give_no_role() {
    let vouched = Vouched::open().await;
    for limit in [json!({ "only": "desk" }), json!({ "most": "view" })] {
        let mut claims = limit.clone();
        claims["groups"] = json!(["admins"]);
        let token = vouched.exchanged(&claims).await;
        let me = vouched.site.get("/api/v1/me", &token).await.json();
        assert_eq!(me["roles"], json!([]), "{limit}");
        assert_eq!(vouched.site.get("/api/v1/audit", &token).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn people_from_elsewhere_ask_for_approvals_and_give_them() {
    let vouched = Vouched::open().await;
    let site = &vouched.site;
    let carol = vouched.exchanged(&json!({})).await;
    let wish = json!({ "technician": "carol", "target": "vault", "reason": "x" });
    let asked = site.post("/api/v1/approvals", &carol, wish).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.text);
    let approve = format!("/api/v1/approvals/{}/approve", asked.json()["id"].as_str().unwrap());
    // The same person with more rights is no second one, and neither is somebody who writes the name otherwise.
    for name in ["carol", "Carol"] {
        let token = vouched.token(&json!({ "preferred_username": name, "groups": ["chiefs"] }));
        assert_eq!(site.post(&approve, &token, json!({})).await.status, StatusCode::FORBIDDEN);
    }
    let dora = vouched.token(&json!({ "preferred_username": "dora", "groups": ["chiefs"] }));
    assert_eq!(site.post(&approve, &dora, json!({})).await.status, StatusCode::OK);
    assert_eq!(site.post(&approve, &dora, json!({})).await.status, StatusCode::UNAUTHORIZED);
    let with = json!({ "technician": "carol", "target": "vault", "approval": asked.json()["id"] });
    let entry = vouched.entry(&site.post("/api/v1/tickets", &carol, with).await).await;
    assert_eq!(entry.context().approved_by.as_deref(), Some("dora"));
}

#[tokio::test]
async fn a_login_ends_with_its_issuer() {
    let vouched = Vouched::open().await;
    let token = vouched.exchanged(&json!({})).await;
    let Vouched { site, .. } = vouched;
    assert_eq!(site.get("/api/v1/me", &token).await.status, StatusCode::OK);
    let mut site = site;
    site.config.issuers.clear();
    let site = site.restart().await;
    assert_eq!(site.get("/api/v1/me", &token).await.status, StatusCode::UNAUTHORIZED);
}
