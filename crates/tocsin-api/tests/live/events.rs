//! What is on a stream: whose, in which order, masked how, withheld from whom.

use serde_json::{Value, json};
use tocsin_alert::role::{Role, Roles};
use tocsin_api::StreamConfig;
use tocsin_pipeline::commit::{ChangeKind, Publish};

use crate::world::{Shown, THEM, US, World, alert, alert_for, ann, caller, event, event_for, vic};

#[tokio::test]
async fn events_come_in_order_and_changes_after_them() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    let updated = Shown::Alert(ChangeKind::Updated, "", json!({ "alert_id": "a1", "n": 1 }));
    world.step(US, &[event(1), event(2), alert(1), updated]);
    world.step(US, &[event(3)]);
    assert_eq!(client.told(5).await, ["event 1", "event 2", "alert 1", "alert_updated 1", "event 3"]);
}

#[tokio::test]
async fn an_event_carries_its_id_severity_and_ingest_time() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    world.step(US, &[Shown::Event(json!({ "type": "brute_force" }))]);
    let message = client.next().await.unwrap();
    let data: Value = serde_json::from_str(&message.data).unwrap();
    let position = message.last_event_id.split('.').next().unwrap();
    assert_eq!(message.kind, "security_event");
    assert_eq!(data["event_id"], format!("0:{position}"));
    assert_eq!(data["severity"], "critical");
    assert_eq!(data["processed_at"], "1970-01-01T00:00:00.000001Z");
}

#[tokio::test]
async fn nobody_sees_another_tenant() {
    let mut world = World::new();
    let mut ours = world.follow(&ann()).greeted().await;
    let mut theirs = world.follow(&caller(THEM, "ann", Roles::only(Role::Admin))).greeted().await;
    world.step(THEM, &[event(1), alert(1)]);
    world.step(US, &[event(2)]);
    world.step(THEM, &[event(3)]);
    assert_eq!(ours.told(1).await, ["event 2"]);
    assert_eq!(theirs.told(3).await, ["event 1", "alert 1", "event 3"]);
}

#[tokio::test]
async fn what_asks_for_a_role_is_withheld_from_who_lacks_it() {
    let mut world = World::new();
    let nobody = caller(US, "nobody", Roles::default());
    let mut clients = Vec::new();
    for caller in [nobody, vic(), ann()] {
        clients.push(world.follow(&caller).greeted().await);
    }
    let hidden = Shown::Event(json!({ "n": 3, "event": { "min_role": "analyst" } }));
    world.step(US, &[event_for("viewer", 1), event_for("analyst", 2), hidden, event(4)]);
    world.step(US, &[alert_for("viewer", 5), alert_for("analyst", 6), alert(7)]);
    for (client, expect) in clients.iter_mut().zip([
        &["event 4", "alert 7"][..],
        &["event 1", "event 4", "alert 5", "alert 7"],
        &["event 1", "event 2", "event 3", "event 4", "alert 5", "alert 6", "alert 7"],
    ]) {
        assert_eq!(client.told(expect.len()).await, expect);
    }
}

/// Address and e-mail address of an event, and the address of an alert's key.
async fn seen_by(config: StreamConfig, role: Role) -> [String; 3] {
    let mut world = World::with(config);
    let mut client = world.follow(&caller(US, "somebody", Roles::only(role))).greeted().await;
    let sent = json!({ "source_ip": "10.0.1.2", "user_email": "alice@example.com" });
    world.step(US, &[Shown::Event(sent), alert(1)]);
    let first: Value = serde_json::from_str(&client.next().await.unwrap().data).unwrap();
    let second: Value = serde_json::from_str(&client.next().await.unwrap().data).unwrap();
    [&first["source_ip"], &first["user_email"], &second["key"]["source.ip"]]
        .map(|value| value.as_str().unwrap().to_string())
}

#[tokio::test]
async fn streams_are_masked_unless_the_config_and_the_role_say_otherwise() {
    let masked = ["10.0.xxx.xxx", "ali***@example.com", "10.1.xxx.xxx"];
    let plain = ["10.0.1.2", "alice@example.com", "10.1.2.3"];
    let unmasked = || StreamConfig { unmask_from: Some(Role::Analyst), ..StreamConfig::default() };
    assert_eq!(seen_by(StreamConfig::default(), Role::Admin).await, masked);
    assert_eq!(seen_by(unmasked(), Role::Viewer).await, masked);
    assert_eq!(seen_by(unmasked(), Role::Analyst).await, plain);
}

#[tokio::test]
async fn a_hostile_event_is_one_frame_and_comes_back_whole() {
    let unmasked = StreamConfig { unmask_from: Some(Role::Analyst), ..StreamConfig::default() };
    let mut world = World::with(unmasked);
    let mut client = world.follow(&ann()).greeted().await;
    let parts = [
        "\r",
        "\n",
        "\r\n",
        "\0",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{85}",
        "\n\ndata: x\n\nid: 9",
        "\u{7f}",
    ];
    let mut sent = Vec::new();
    for first in parts {
        for second in parts {
            sent.push(json!({ format!("{first}k{second}"): { second: [first, second, { first: second }] } }));
        }
    }
    for event in &sent {
        world.step(US, &[Shown::Event(event.clone())]);
    }
    for event in sent {
        let message = client.next().await.unwrap();
        let got: Value = serde_json::from_str(&message.data).unwrap();
        let (name, value) = event.as_object().unwrap().iter().next().unwrap();
        assert_eq!((message.kind.as_str(), &got[name]), ("security_event", value));
    }
}

#[tokio::test]
async fn only_a_tenant_with_an_open_stream_is_followed() {
    let world = World::new();
    let client = world.follow(&ann()).greeted().await;
    assert!(world.publisher.is_followed(US) && !world.publisher.is_followed(THEM));
    drop(client);
    assert!(!world.publisher.is_followed(US));
}
