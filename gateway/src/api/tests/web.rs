//! The web application, as browsers ask for it.

use super::*;

/// What the page names as its script.
fn script(page: &Answer) -> String {
    let rest = page.text.split("src=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_is_at_every_address_of_the_application_and_may_load_only_its_own_files() {
    let site = Site::open().await;
    let addresses =
        ["/", "/recordings", "/recordings/01arz3ndektsv4rrffq69g5fav", "/sessions", "/sessions/01arz3"];
    for address in addresses {
        let page = site.call(Method::GET, address, None, None).await;
        assert_eq!(page.status, StatusCode::OK, "{address}");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["cache-control"], "no-cache");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        let script = site.call(Method::GET, &script(&page), None, None).await;
        assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(script.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(script.headers["x-content-type-options"], "nosniff");
        // Workers have the policy that their own script came with.
        assert_eq!(script.headers["content-security-policy"], policy);
    }
}

#[tokio::test]
async fn what_a_browser_has_it_need_not_fetch_again() {
    let site = Site::open().await;
    let page = site.call(Method::GET, "/", None, None).await;
    let asked = |tag: &str| {
        let mut again = request(Method::GET, "/", None, None);
        again.headers_mut().insert("if-none-match", tag.parse().unwrap());
        site.send(again)
    };
    let tag = page.headers["etag"].to_str().unwrap();
    for known in [tag.to_owned(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let same = asked(&known).await;
        assert_eq!((same.status, same.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(same.headers["etag"], tag);
    }
    assert_eq!(asked("\"other\"").await.status, StatusCode::OK);
    let head = site.call(Method::HEAD, "/", None, None).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.headers["etag"], tag);
}

#[tokio::test]
async fn a_browser_that_takes_zstd_gets_less() {
    let site = Site::open().await;
    let page = site.call(Method::GET, "/", None, None).await;
    let path = script(&page);
    let plain = site.call(Method::GET, &path, None, None).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    let mut asked = request(Method::GET, &path, None, None);
    asked.headers_mut().insert("accept-encoding", "gzip, zstd".parse().unwrap());
    asked.extensions_mut().insert(ConnectInfo(Peer::network("192.0.2.7".parse().unwrap(), None)));
    let packed = site.router.clone().oneshot(asked).await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "zstd");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
    assert_ne!(packed.headers()["etag"], plain.headers["etag"]);
    let packed = to_bytes(packed.into_body(), 1 << 20).await.unwrap();
    assert!(packed.len() * 2 < plain.text.len());
    assert_eq!(zstd::decode_all(&packed[..]).unwrap(), plain.text.as_bytes());
}

#[tokio::test]
async fn there_is_nothing_else() {
    let site = Site::open().await;
    for path in ["/assets/index.html", "/assets/..%2findex.html", "/assets/none.js", "/index.html", "/other"]
    {
        let answer = site.call(Method::GET, path, None, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let posted = site.call(Method::POST, "/", None, None).await;
    assert_eq!(
        (posted.status, &posted.headers["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().unwrap())
    );
}
