//! The page at `/`: a live view of alerts and events for people, made of a few files that are part
//! of the binary. No framework, nothing from elsewhere, no script or style inside the markup.
//!
//! The files are the same for everybody and hold no data: what they show comes from the API, with
//! the token of whoever signed in.

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file with its path and media type. Scripts import each other by these paths.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("index.html")),
    ("/alerts.js", SCRIPT, include_str!("alerts.js")),
    ("/api.js", SCRIPT, include_str!("api.js")),
    ("/app.js", SCRIPT, include_str!("app.js")),
    ("/detail.js", SCRIPT, include_str!("detail.js")),
    ("/dom.js", SCRIPT, include_str!("dom.js")),
    ("/events.js", SCRIPT, include_str!("events.js")),
    ("/gist.js", SCRIPT, include_str!("gist.js")),
    ("/model.js", SCRIPT, include_str!("model.js")),
    ("/sse.js", SCRIPT, include_str!("sse.js")),
    ("/stream.js", SCRIPT, include_str!("stream.js")),
    ("/style.css", STYLE, include_str!("style.css")),
    ("/watch.js", SCRIPT, include_str!("watch.js")),
    ("/words.js", SCRIPT, include_str!("words.js")),
];

/// What a browser is told beside the content. Even if a hostile record found a way into the markup,
/// no script of its own could run and nothing could be sent elsewhere.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"),
    // A new binary brings new files, which must fit each other.
    ("cache-control", "no-cache"),
];

/// The routes of the page. They need no credential and no state.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, (path, media_type, text)| {
        router.route(path, get(move || async move { file(media_type, text) }))
    })
}

fn file(media_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
