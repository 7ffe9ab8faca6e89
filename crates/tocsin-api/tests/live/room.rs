//! How many streams may be open, and what the answer looks like.

use axum::body::Body;
use axum::http::{Request, Response, Version};
use http_body_util::BodyExt;
use serde_json::Value;
use tocsin_api::live::respond;
use tocsin_testkit::sse::lint_head;

use crate::world::{US, World, ann, event, vic};

/// The answer to a request of ann's with these headers.
fn answer(world: &World, path: &str, headers: &[(&str, &str)], version: Version) -> Response<Body> {
    let mut request = Request::builder().uri(path).version(version);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    respond(&world.live, &ann(), &parts)
}

fn headers_of(response: &Response<Body>) -> Vec<(String, String)> {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_string())
    };
    response.headers().iter().map(text).collect()
}

#[tokio::test]
async fn the_head_is_that_of_an_event_stream() {
    let world = World::new();
    let response = answer(&world, "/events/security", &[], Version::HTTP_11);
    assert_eq!(lint_head(response.status().as_u16(), &headers_of(&response)), Ok(()));
    let response = answer(&world, "/events/security", &[], Version::HTTP_2);
    assert!(!response.headers().contains_key("connection"));
}

#[tokio::test]
async fn the_sixth_stream_of_a_user_is_refused_and_a_closed_one_makes_room() {
    let world = World::new();
    let mut open: Vec<_> = (0..5).map(|_| world.follow(&ann())).collect();
    let refused = answer(&world, "/events/security", &[], Version::HTTP_11);
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&problem["status"], &problem["detail"]),
        (&429.into(), &"Max 5 SSE connections per user".into())
    );
    assert!(world.try_resume(&vic(), None).is_ok());
    open.pop();
    assert!(world.try_resume(&ann(), None).is_ok());
}

#[tokio::test]
async fn a_slot_comes_back_however_the_stream_ends() {
    let mut world = World::new();
    for step in 0..20 {
        world.step(US, &[event(step)]);
    }
    let first = world.follow(&ann()).greeted().await.id();
    for chunks in 0..4 {
        for _ in 0..5 {
            // Unread, greeted, in the middle of catching up, live.
            let mut client = world.resume(&ann(), Some(&first));
            world.step(US, &[event(99)]);
            for _ in 0..chunks.min(1) {
                assert!(client.read().await);
            }
        }
    }
    world.stop.stop();
    let mut ended = world.follow(&ann());
    while ended.next().await.is_some() {}
    drop(ended);
    let open: Vec<_> = (0..5).map(|_| world.try_resume(&ann(), None)).collect();
    assert!(open.iter().all(Result::is_ok));
}

#[tokio::test]
async fn the_id_may_come_in_the_header_or_in_the_query() {
    let mut world = World::new();
    let id = world.follow(&ann()).greeted().await.id();
    world.step(US, &[event(1)]);
    let query = format!("/events/security?last_event_id={id}");
    let both = [("last-event-id", id.as_str())];
    for (path, headers) in [
        ("/events/security", &both[..]),
        (query.as_str(), &[]),
        ("/events/security?last_event_id=0.0.0", &both),
        (query.as_str(), &[("last-event-id", "")]),
    ] {
        let mut body = answer(&world, path, headers, Version::HTTP_11).into_body();
        let mut text = String::new();
        while !text.contains("event: ") {
            let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(text.contains("event: security_event\n"), "{path} {headers:?}: {text}");
    }
}
