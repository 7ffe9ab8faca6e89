//! Coming back: without a gap, without a repeat, in order; and what happens where that cannot be.

use std::sync::{Arc, Mutex};

use tocsin_alert::role::{Role, Roles};
use tocsin_api::auth::Identity;
use tocsin_api::live::{Cursor, Live};
use tocsin_core::batch::TenantId;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::world::{
    Client, Shown, THEM, US, World, alert, alert_for, ann, brief, caller, event, event_for, vic,
};

#[tokio::test]
async fn nothing_is_lost_or_repeated_over_a_pause() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    world.step(US, &[event(1), alert(1)]);
    assert_eq!(client.told(2).await, ["event 1", "alert 1"]);
    let id = client.id();
    drop(client);
    for step in 2..100_usize {
        world.step(
            if step.is_multiple_of(2) { US } else { THEM },
            &[event(step), event(1_000 + step), alert(step)],
        );
    }
    let mut back = world.resume(&ann(), Some(&id));
    let expect: Vec<String> = (2..100)
        .step_by(2)
        .flat_map(|step| {
            [format!("event {step}"), format!("event {}", 1_000 + step), format!("alert {step}")]
        })
        .collect();
    assert_eq!(back.told(expect.len()).await, expect);
    world.step(US, &[event(0)]);
    assert_eq!(back.told(1).await, ["event 0"]);
}

#[tokio::test]
async fn more_changes_than_are_read_at_once_come_in_order_with_the_events() {
    let mut world = World::new();
    let id = world.follow(&ann()).greeted().await.id();
    let mut expect = Vec::new();
    for step in 0..6 {
        let alerts = 100 * step..100 * step + 50;
        let parts: Vec<Shown> = [event(step)].into_iter().chain(alerts.clone().map(alert)).collect();
        world.step(US, &parts);
        expect.push(format!("event {step}"));
        expect.extend(alerts.map(|number| format!("alert {number}")));
    }
    let mut back = world.resume(&ann(), Some(&id));
    assert_eq!(back.told(expect.len()).await, expect);
}

#[tokio::test]
async fn every_id_of_a_stream_leads_to_what_stood_behind_it() {
    let mut world = World::new();
    let mut client = world.follow(&ann()).greeted().await;
    let mut ids = vec![client.id()];
    for step in 0..5 {
        world.step(US, &[event(step), event(10 + step), alert(step), alert(10 + step)]);
    }
    let mut all = Vec::new();
    for _ in 0..20 {
        let message = client.next().await.unwrap();
        ids.push(message.last_event_id.clone());
        all.push(brief(&message));
    }
    drop(client);
    for (seen, id) in ids.iter().enumerate().take(20) {
        let mut back = world.resume(&ann(), Some(id));
        assert_eq!(back.told(20 - seen).await, all[seen..], "after {seen}");
    }
}

#[tokio::test]
async fn the_first_place_told_to_who_comes_back_is_their_own() {
    let mut world = World::new();
    let id = world.follow(&ann()).greeted().await.id();
    world.step(US, &[event(1)]);
    // Cut off right after the greeting: the next try must still get the event.
    let cut = world.resume(&ann(), Some(&id)).greeted().await;
    assert_eq!(cut.id(), id);
    let mut back = world.resume(&ann(), Some(&cut.id()));
    assert_eq!(back.told(1).await, ["event 1"]);
}

#[tokio::test]
async fn an_id_that_is_not_of_this_stream_is_told_and_leads_nowhere() {
    let mut world = World::new();
    let mut other = World::new();
    let early = world.follow(&ann()).greeted().await.id();
    let theirs = world.follow(&caller(THEM, "ann", Roles::only(Role::Analyst))).greeted().await.id();
    let vics = world.follow(&vic()).greeted().await.id();
    world.step(US, &[event(1), alert(1)]);
    for step in 0..9 {
        other.step(US, &[event(step), event(step)]);
    }
    let future = other.follow(&ann()).greeted().await.id();
    let forged = format!("0.0.{}", "0".repeat(16));
    for id in [&theirs, &vics, &future, &forged, "", "nonsense", &early[..early.len() - 1]] {
        let mut client = world.resume(&ann(), Some(id));
        assert_eq!(client.told(1).await, ["gap unknown_id null"], "{id}");
        world.step(US, &[event(2)]);
        assert_eq!(client.told(1).await, ["event 2"], "{id}");
    }
}

#[tokio::test]
async fn what_is_no_longer_kept_is_told_and_what_is_kept_is_given() {
    let mut world = World::new();
    let id = world.follow(&ann()).greeted().await.id();
    world.step(US, &[event(1), alert(1)]);
    *world.memory.kept_from.lock().unwrap() = world.hub.current().position + 1;
    world.step(US, &[event(2), alert(2)]);
    let mut back = world.resume(&ann(), Some(&id));
    assert_eq!(back.told(4).await, ["gap too_old null", "alert 1", "event 2", "alert 2"]);
    *world.memory.dropped.lock().unwrap() = Cursor { position: world.hub.current().position, ordinal: 1 };
    let mut back = world.resume(&ann(), Some(&id));
    assert_eq!(back.told(2).await, ["gap too_old null", "event 2"]);
    let mut again = world.resume(&ann(), Some(&back.id()));
    world.step(US, &[event(3)]);
    assert_eq!(again.told(1).await, ["gap too_old null"]);
}

#[tokio::test]
async fn a_restart_is_a_pause_like_any_other() {
    let mut before = World::new();
    let mut client = before.follow(&ann()).greeted().await;
    before.step(US, &[event(1)]);
    assert_eq!(client.told(1).await, ["event 1"]);
    before.step(US, &[event(2)]);
    let mut after = before.restarted();
    let mut back = after.resume(&ann(), Some(&client.id()));
    assert_eq!(back.told(1).await, ["event 2"]);
    after.step(US, &[alert(3)]);
    assert_eq!(back.told(1).await, ["alert 3"]);
}

#[tokio::test]
async fn changes_of_several_tenants_at_one_position_reach_each_of_them_once() {
    let mut world = World::new();
    let them = caller(THEM, "eve", Roles::only(Role::Analyst));
    let ids = [world.follow(&ann()).greeted().await.id(), world.follow(&them).greeted().await.id()];
    let mut live = [world.follow(&ann()).greeted().await, world.follow(&them).greeted().await];
    world.tick(&[(US, alert(1)), (THEM, alert(2)), (US, alert(3)), (THEM, alert(4))]);
    let expect = [["alert 1", "alert 3"], ["alert 2", "alert 4"]];
    for ((client, caller), (id, expect)) in live.iter_mut().zip([ann(), them]).zip(ids.iter().zip(expect)) {
        assert_eq!(client.told(2).await, expect);
        let mut back = world.resume(&caller, Some(id));
        assert_eq!(back.told(2).await, expect);
        let mut rest = world.resume(&caller, Some(&client.id()));
        world.step(caller.tenant, &[event(5)]);
        assert_eq!(rest.told(1).await, ["event 5"]);
    }
}

/// A generator of numbers; the test is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

const CLIENTS: usize = 20;
const DISCONNECTS: usize = 1_000;
const STEPS: usize = 2_000;

/// Steps the publisher may be ahead of the slowest client: no queue overflows then.
const AHEAD: usize = 20;

/// One step of the authoritative list: what is shown to whom.
struct Told {
    is_tick: bool,
    parts: Vec<(TenantId, Shown)>,
}

impl Told {
    fn of(dice: &mut Dice, next: &mut usize) -> Told {
        let is_tick = dice.below(4) == 0;
        let tenant = |dice: &mut Dice| if dice.below(3) == 0 { THEM } else { US };
        let owner = tenant(dice);
        let mut part = |_| {
            *next += 1;
            let shown = match dice.below(if is_tick { 2 } else { 8 }) {
                0 => alert(*next),
                1 => alert_for("analyst", *next),
                2 => event_for("analyst", *next),
                _ => event(*next),
            };
            (if is_tick { tenant(dice) } else { owner }, shown)
        };
        let mut parts: Vec<(TenantId, Shown)> = (0..5).map(&mut part).collect();
        // Events stand before changes within a step.
        parts.sort_by_key(|(_, part)| matches!(part, Shown::Alert(..)));
        Told { is_tick, parts }
    }

    fn publish(&self, world: &mut World) {
        if self.is_tick {
            world.tick(&self.parts);
        } else {
            let shown: Vec<Shown> = self.parts.iter().map(|(_, part)| part.clone()).collect();
            world.step(self.parts[0].0, &shown);
        }
    }

    /// What somebody must see of it.
    fn visible(&self, caller: &Identity) -> Vec<String> {
        let is_analyst = caller.roles.highest() >= Role::Analyst;
        let told = |part: &Shown| match part {
            Shown::Event(event) => {
                (event.get("min_role").is_none() || is_analyst).then(|| format!("event {}", event["n"]))
            }
            Shown::Alert(_, role, body) => {
                (role.is_empty() || is_analyst).then(|| format!("alert {}", body["n"]))
            }
        };
        let theirs = self.parts.iter().filter(|(tenant, _)| *tenant == caller.tenant);
        theirs.filter_map(|(_, part)| told(part)).collect()
    }
}

/// How far each client has come, in steps.
struct Progress {
    steps: Mutex<Vec<usize>>,
    moved: Notify,
}

impl Progress {
    fn slowest(&self) -> usize {
        self.steps.lock().unwrap().iter().copied().min().unwrap_or(0)
    }
}

/// One client that is cut off and comes back all the time.
struct Restless {
    live: Arc<Live>,
    progress: Arc<Progress>,
    number: usize,
    caller: Identity,
    /// What it must see, and in which step.
    expect: Vec<(usize, String)>,
    seen: Vec<String>,
    id: String,
}

impl Restless {
    /// Reads on until it is cut off; the rest of what was sent by then is lost on the way.
    async fn session(&mut self, events: usize) {
        let mut client = Client::of(self.live.open(&self.caller, Some(&self.id)).unwrap());
        for _ in 0..events.min(self.expect.len() - self.seen.len()) {
            let message = client.next().await.unwrap();
            self.seen.push(brief(&message));
            self.id = message.last_event_id;
            let at = self.expect.get(self.seen.len()).map_or(STEPS, |(step, _)| *step);
            self.progress.steps.lock().unwrap()[self.number] = at;
            self.progress.moved.notify_one();
        }
    }

    async fn run(mut self) {
        let mut dice = Dice(self.number as u64);
        let sessions = DISCONNECTS / CLIENTS;
        let mean = self.expect.len() / sessions;
        for _ in 0..sessions {
            self.session(dice.below(2 * mean as u64) as usize).await;
        }
        self.session(usize::MAX).await;
        let expect: Vec<String> = self.expect.into_iter().map(|(_, told)| told).collect();
        assert_eq!(self.seen, expect, "client {}", self.number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_disconnects_lose_repeat_and_reorder_nothing() {
    let mut world = World::new();
    let (mut dice, mut next) = (Dice(1), 0);
    let story: Vec<Told> = (0..STEPS).map(|_| Told::of(&mut dice, &mut next)).collect();
    let progress = Arc::new(Progress { steps: Mutex::new(vec![0; CLIENTS]), moved: Notify::new() });
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let role = if number.is_multiple_of(2) { Role::Viewer } else { Role::Analyst };
        let tenant = if number.is_multiple_of(3) { THEM } else { US };
        let caller = caller(tenant, &format!("user {number}"), Roles::only(role));
        let told = |(step, told): (usize, &Told)| {
            told.visible(&caller).into_iter().map(move |told| (step, told)).collect::<Vec<_>>()
        };
        let expect = story.iter().enumerate().flat_map(told).collect();
        let id = world.follow(&caller).greeted().await.id();
        let (live, progress) = (Arc::clone(&world.live), Arc::clone(&progress));
        clients.spawn(Restless { live, progress, number, caller, expect, seen: Vec::new(), id }.run());
    }
    for (step, told) in story.iter().enumerate() {
        while progress.slowest() + AHEAD < step {
            tokio::select! {
                () = progress.moved.notified() => {}
                Some(failed) = clients.join_next() => failed.unwrap(),
            }
        }
        told.publish(&mut world);
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}
