//! Heartbeats, and the ways a stream ends. The clock is the test's.

use std::time::{SystemTime, UNIX_EPOCH};

use tocsin_api::auth::Identity;
use tokio::time::Instant;

use crate::world::{THEM, US, World, ann, event};

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_says_every_thirty_seconds_that_it_lives() {
    let world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    let begun = Instant::now();
    for _ in 0..3 {
        assert!(client.read().await);
    }
    assert_eq!(begun.elapsed().as_secs(), 90);
    assert_eq!(client.lint.heartbeats().len(), 3);
    assert!(client.lint.heartbeats().iter().all(|seconds| seconds.abs_diff(unix_seconds()) < 60));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_moves_the_place_past_what_others_sent() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    let begun = client.id();
    world.step(THEM, &[event(1)]);
    assert!(client.read().await);
    assert_ne!(client.id(), begun);
    world.step(US, &[event(2)]);
    let mut back = world.resume(&ann(), Some(&client.id()));
    assert_eq!(back.told(1).await, ["event 2"]);
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_with_the_credential() {
    let mut world = World::new();
    let expires = Some(unix_seconds() + 50);
    let mut client = world.follow(&Identity { expires, ..ann() }).greeted().await;
    world.step(US, &[event(1)]);
    assert_eq!(client.told(1).await, ["event 1"]);
    let begun = Instant::now();
    assert_eq!(client.next().await, None);
    assert!((45..=50).contains(&begun.elapsed().as_secs()));
    world.step(US, &[event(2)]);
    let mut back = world.resume(&ann(), Some(&client.id()));
    assert_eq!(back.told(1).await, ["event 2"]);
}

#[tokio::test]
async fn a_server_that_goes_down_says_where_it_was() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    world.step(US, &[event(1)]);
    assert_eq!(client.told(1).await, ["event 1"]);
    world.stop.stop();
    assert_eq!(client.next().await, None);
    let mut after = world.restarted();
    after.step(US, &[event(2)]);
    let mut back = after.resume(&ann(), Some(&client.id()));
    assert_eq!(back.told(1).await, ["event 2"]);
}

#[tokio::test]
async fn what_was_queued_when_the_server_went_down_comes_after_it() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    world.step(US, &[event(1), event(2)]);
    world.stop.stop();
    while client.next().await.is_some() {}
    let mut after = world.restarted();
    after.step(US, &[event(3)]);
    let mut back = after.resume(&ann(), Some(&client.id()));
    assert_eq!(back.told(3).await, ["event 1", "event 2", "event 3"]);
}
