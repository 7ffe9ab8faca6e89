//! Falling behind: exact counts, and no alert lost.

use tocsin_api::StreamConfig;

use crate::world::{Shown, US, World, alert, ann, event, event_for, vic};

fn world(queue: usize) -> World {
    World::with(StreamConfig { queue, ..StreamConfig::default() })
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_how_much_was_missed_and_gets_every_alert() {
    let mut world = world(4);
    let mut client = world.follow(&ann()).greeted().await;
    for step in 0..10 {
        world.step(US, &[event(2 * step), event(2 * step + 1), alert(step)]);
    }
    let mut expect = vec!["event 0", "event 1", "alert 0", "event 2", "gap overflow 17"];
    let alerts: Vec<String> = (1..10).map(|number| format!("alert {number}")).collect();
    expect.extend(alerts.iter().map(String::as_str));
    assert_eq!(client.told(expect.len()).await, expect);
    world.step(US, &[event(99)]);
    assert_eq!(client.told(1).await, ["event 99"]);
}

#[tokio::test]
async fn a_step_larger_than_the_queue_is_a_gap_for_everyone() {
    let mut world = world(256);
    let mut client = world.follow(&ann()).greeted().await;
    let mut step: Vec<Shown> = (0..1_000).map(event).collect();
    step.push(alert(1));
    world.step(US, &step);
    let told = client.told(258).await;
    assert_eq!(told[..2], ["event 0", "event 1"]);
    assert_eq!(told[255..], ["event 255", "gap overflow 744", "alert 1"]);
}

#[tokio::test]
async fn the_count_leaves_out_what_the_caller_may_not_see() {
    let mut world = world(2);
    let mut viewer = world.follow(&vic()).greeted().await;
    let mut analyst = world.follow(&ann()).greeted().await;
    let hidden = |number| event_for("analyst", number);
    world.step(US, &[event(0), event(1), hidden(2), event(3)]);
    world.step(US, &[hidden(4), hidden(5), event(6)]);
    assert_eq!(viewer.told(3).await, ["event 0", "event 1", "gap overflow 2"]);
    assert_eq!(analyst.told(3).await, ["event 0", "event 1", "gap overflow 5"]);
}

#[tokio::test]
async fn alerts_alone_are_caught_up_without_a_gap() {
    let mut world = world(2);
    let mut client = world.follow(&ann()).greeted().await;
    world.step(US, &(0..200).map(alert).collect::<Vec<_>>());
    let expect: Vec<String> = (0..200).map(|number| format!("alert {number}")).collect();
    assert_eq!(client.told(200).await, expect);
}

#[tokio::test]
async fn a_large_event_is_sent_and_the_bytes_that_wait_are_bounded() {
    let mut world = world(256);
    let mut client = world.follow(&ann()).greeted().await;
    let large = |number: usize| Shown::Event(serde_json::json!({ "n": number, "text": "x".repeat(3 << 20) }));
    for number in 0..4 {
        world.step(US, &[large(number)]);
    }
    assert_eq!(client.told(2).await, ["event 0", "gap overflow 3"]);
    world.step(US, &[large(5)]);
    assert_eq!(client.told(1).await, ["event 5"]);
}

#[tokio::test]
async fn falling_behind_again_is_told_again() {
    let mut world = world(1);
    let mut client = world.follow(&ann()).greeted().await;
    for round in 0..3 {
        world.step(US, &[event(3 * round), event(3 * round + 1), event(3 * round + 2)]);
        assert_eq!(client.told(2).await, [format!("event {}", 3 * round), "gap overflow 2".to_string()]);
    }
}
