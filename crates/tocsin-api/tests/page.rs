//! The page: every file it names is served, with what keeps a browser from running anything else.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use tocsin_api::page;
use tower::ServiceExt;

/// Bytes of a file of the page, at most.
const FILE_BYTES_MAX: usize = 256 * 1024;

async fn get(path: &str) -> (StatusCode, HeaderMap, String) {
    let routes: Router = page::routes();
    let request = Request::get(path).body(Body::empty()).expect("the path is a valid one");
    let (parts, body) = routes.oneshot(request).await.expect("a route does not fail").into_parts();
    let bytes = to_bytes(body, FILE_BYTES_MAX).await.expect("the file is in memory");
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).expect("the file is text"))
}

/// What stands between a beginning and the next quote, everywhere in a text.
fn quoted(text: &str, beginning: &str) -> Vec<String> {
    text.split(beginning).skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_string())).collect()
}

/// The page and every file it and its scripts name.
async fn files() -> Vec<(String, HeaderMap, String)> {
    let mut files: Vec<(String, HeaderMap, String)> = Vec::new();
    let mut wanted = vec!["/".to_string()];
    while let Some(path) = wanted.pop() {
        if files.iter().any(|(known, ..)| *known == path) {
            continue;
        }
        let (status, headers, text) = get(&path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        wanted.extend(quoted(&text, "src=\"").into_iter().filter(|name| name.starts_with('/')));
        wanted.extend(quoted(&text, "href=\"").into_iter().filter(|name| name.starts_with('/')));
        wanted.extend(quoted(&text, "from \"./").iter().map(|name| format!("/{name}")));
        files.push((path, headers, text));
    }
    files
}

#[tokio::test]
async fn every_file_the_page_names_is_served_under_the_policy() {
    let files = files().await;
    assert!(files.len() > 10, "{}", files.len());
    for (path, headers, _) in &files {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = header("content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|held| held == directive), "{path}: {directive} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        let ending = path.rsplit('.').next().unwrap_or_default();
        let expect = match ending {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(header("content-type"), expect, "{path}");
    }
}

#[tokio::test]
async fn nothing_is_inline_or_from_elsewhere_and_no_text_becomes_markup() {
    let sinks = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "srcdoc",
        "javascript:",
        "localStorage",
        "document.cookie",
        "DOMParser",
        "createContextualFragment",
    ];
    for (path, _, text) in files().await {
        for sink in sinks {
            assert!(!text.contains(sink), "{path}: {sink}");
        }
        let foreign = text.split("://").count() - 1 - text.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(foreign, 0, "{path} names another origin");
        if path == "/" {
            for inline in [" style=", " onclick=", " onload=", "<style"] {
                assert!(!text.contains(inline), "{inline}");
            }
            assert!(text.split("<script").skip(1).all(|script| script.contains("></script>")));
        }
    }
}

#[tokio::test]
async fn there_is_nothing_else() {
    for path in ["/page/mod.rs", "/mod.rs", "/nothing.js", "/..%2fmod.rs"] {
        assert_eq!(get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
