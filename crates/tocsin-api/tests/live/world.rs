//! A small world: a history in memory, a hub that publishes it, and clients that check every byte.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tocsin_alert::role::{MinRole, Role, Roles};
use tocsin_api::auth::Identity;
use tocsin_api::live::stream::StreamBody;
use tocsin_api::live::{ChangePage, Cursor, History, Hub, Live, LiveParts, Publisher, RecordPage, Refused};
use tocsin_api::{Stop, StreamConfig, stop};
use tocsin_core::batch::{RawBatch, RecordSpan, TenantId};
use tocsin_core::offset::OffsetRange;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{Change, ChangeKind, Publish, PublishedStep, StoreError};
use tocsin_testkit::sse::{Lint, Message};
use tokio::time::timeout;

pub const US: TenantId = TenantId(1);
pub const THEM: TenantId = TenantId(2);

/// Longer than anything here takes: what does not come by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Batches a page of the history holds: few, so that catching up takes many.
const PAGE_BATCHES: usize = 3;

/// Bytes between two batches, as a frame's head takes them.
const HEAD_BYTES: u64 = 16;

/// What was committed.
#[derive(Default)]
pub struct Memory {
    batches: Mutex<Vec<Arc<RawBatch>>>,
    changes: Mutex<Vec<Change>>,
    pub kept_from: Mutex<u64>,
    pub dropped: Mutex<Cursor>,
}

pub struct World {
    pub live: Arc<Live>,
    pub hub: Arc<Hub>,
    pub memory: Arc<Memory>,
    pub publisher: Publisher,
    pub stop: Stop,
    position: u64,
}

/// Something to be shown: an event with a role it asks for, or an alert.
#[derive(Clone)]
pub enum Shown {
    Event(Value),
    Alert(ChangeKind, &'static str, Value),
}

impl History for Memory {
    fn records(&self, tenant: TenantId, after: u64, until: u64, _: usize) -> Result<RecordPage, StoreError> {
        let batches = self.batches.lock().unwrap();
        let mut page = RecordPage {
            covered: until,
            kept_from: *self.kept_from.lock().unwrap(),
            ..RecordPage::default()
        };
        for raw in batches.iter() {
            if raw.offsets.to <= after || raw.offsets.from > until || raw.offsets.from < page.kept_from {
                continue;
            }
            if page.batches.len() == PAGE_BATCHES {
                page.covered = raw.offsets.from - 1;
                break;
            }
            if raw.tenant == tenant {
                page.batches.push(copy(raw));
            }
        }
        Ok(page)
    }

    fn changes(
        &self,
        tenant: TenantId,
        after: Cursor,
        until: Cursor,
        limit: usize,
    ) -> Result<ChangePage, StoreError> {
        let changes = self.changes.lock().unwrap();
        let dropped = *self.dropped.lock().unwrap();
        let of_tenant = changes.iter().filter(|change| change.tenant == tenant);
        let between = of_tenant.filter(|change| Cursor::change(change) > after.max(dropped));
        let between = between.filter(|change| Cursor::change(change) <= until);
        Ok(ChangePage { changes: between.take(limit).cloned().collect(), dropped })
    }
}

fn copy(raw: &RawBatch) -> RawBatch {
    RawBatch {
        tenant: raw.tenant,
        offsets: raw.offsets,
        ingest: raw.ingest,
        bytes: raw.bytes.clone(),
        records: raw.records.clone(),
        ..RawBatch::default()
    }
}

impl World {
    pub fn new() -> World {
        World::with(StreamConfig::default())
    }

    pub fn with(config: StreamConfig) -> World {
        let memory = Arc::new(Memory::default());
        let hub = Hub::new(0);
        let (stop, stopping) = stop();
        let history = Arc::clone(&memory) as Arc<dyn History>;
        let parts = LiveParts { hub: Arc::clone(&hub), history, config, resume_key: [7; 32], stopping };
        let publisher = hub.publisher();
        World { live: Arc::new(Live::new(parts)), hub, memory, publisher, stop, position: 0 }
    }

    /// The same data folder after a restart: another hub, nobody connected.
    pub fn restarted(&self) -> World {
        let hub = Hub::new(self.position);
        let (stop, stopping) = stop();
        let memory = Arc::clone(&self.memory);
        let history = Arc::clone(&memory) as Arc<dyn History>;
        let config = StreamConfig::default();
        let parts = LiveParts { hub: Arc::clone(&hub), history, config, resume_key: [7; 32], stopping };
        let publisher = hub.publisher();
        World { live: Arc::new(Live::new(parts)), hub, memory, publisher, stop, position: self.position }
    }

    /// Commits a step and publishes it.
    pub fn step(&mut self, tenant: TenantId, shown: &[Shown]) {
        let step = self.commit(tenant, shown);
        self.publisher.publish(&[step]);
    }

    /// Commits a step; it is for the caller to publish.
    pub fn commit(&mut self, tenant: TenantId, shown: &[Shown]) -> PublishedStep {
        let mut raw = RawBatch { tenant, ingest: Some(Timestamp(1_000)), ..RawBatch::default() };
        for event in shown.iter().filter_map(Shown::event) {
            let text = event.to_string();
            let start = raw.bytes.len() as u32;
            raw.bytes.extend_from_slice(text.as_bytes());
            raw.records.push(RecordSpan { start, len: text.len() as u32 });
        }
        let from = self.position + HEAD_BYTES;
        raw.offsets = OffsetRange { from, to: from + raw.bytes.len() as u64 };
        let last = raw.records.len().checked_sub(1).map(|last| raw.position(last as u32).offset());
        let position = last.unwrap_or(self.position);
        self.position = raw.offsets.to;
        let alerts = shown.iter().filter(|one| one.event().is_none());
        let changes: Vec<Change> =
            alerts.zip(1..).map(|(one, at)| one.change(tenant, position, at)).collect();
        self.memory.changes.lock().unwrap().extend(changes.iter().cloned());
        let raw = (!raw.records.is_empty()).then(|| Arc::new(raw));
        self.memory.batches.lock().unwrap().extend(raw.iter().cloned());
        PublishedStep { tenant, position, raw, changes }
    }

    /// Commits and publishes what time alone has brought about: changes of several tenants at one
    /// position.
    pub fn tick(&mut self, shown: &[(TenantId, Shown)]) {
        self.position += HEAD_BYTES;
        let position = self.position;
        let changes = shown.iter().zip(1..).map(|((tenant, one), at)| one.change(*tenant, position, at));
        let changes: Vec<Change> = changes.collect();
        self.memory.changes.lock().unwrap().extend(changes.iter().cloned());
        let step = |tenant| {
            let changes = changes.iter().filter(|change| change.tenant == tenant).cloned().collect();
            PublishedStep { tenant, position, raw: None, changes }
        };
        self.publisher.publish(&[step(US), step(THEM)]);
    }

    pub fn follow(&self, caller: &Identity) -> Client {
        self.resume(caller, None)
    }

    pub fn resume(&self, caller: &Identity, id: Option<&str>) -> Client {
        self.try_resume(caller, id).unwrap()
    }

    pub fn try_resume(&self, caller: &Identity, id: Option<&str>) -> Result<Client, Refused> {
        self.live.open(caller, id).map(Client::of)
    }
}

impl Shown {
    fn event(&self) -> Option<&Value> {
        match self {
            Shown::Event(event) => Some(event),
            Shown::Alert(..) => None,
        }
    }

    fn change(&self, tenant: TenantId, position: u64, ordinal: u32) -> Change {
        let Shown::Alert(kind, min_role, body) = self else { panic!("an event is no change") };
        let mut needed = MinRole::default();
        if !min_role.is_empty() {
            needed.add(min_role);
        }
        let alert_id = body["alert_id"].as_str().unwrap_or_default().to_string();
        let body = Arc::from(body.to_string());
        Change {
            position,
            ordinal,
            tenant,
            kind: *kind,
            alert_id,
            min_role: needed,
            at: Timestamp(1_000),
            body,
        }
    }
}

/// An event that is known again by its number.
pub fn event(number: usize) -> Shown {
    Shown::Event(json!({ "n": number, "source_ip": "10.1.2.3" }))
}

/// An event that asks for a role.
pub fn event_for(role: &str, number: usize) -> Shown {
    Shown::Event(json!({ "n": number, "min_role": role }))
}

/// An alert that is known again by its number.
pub fn alert(number: usize) -> Shown {
    alert_for("", number)
}

/// An alert that asks for a role.
pub fn alert_for(role: &'static str, number: usize) -> Shown {
    let body = json!({ "alert_id": format!("a{number}"), "n": number, "key": { "source.ip": "10.1.2.3" } });
    Shown::Alert(ChangeKind::Raised, role, body)
}

/// Somebody of a tenant.
pub fn caller(tenant: TenantId, subject: &str, roles: Roles) -> Identity {
    Identity { tenant, subject: subject.into(), roles, source: subject.into(), expires: None }
}

/// An analyst of ours.
pub fn ann() -> Identity {
    caller(US, "ann", Roles::only(Role::Analyst))
}

/// A viewer of ours.
pub fn vic() -> Identity {
    caller(US, "vic", Roles::only(Role::Viewer))
}

/// Reads a stream; what deviates from the standard fails the test.
pub struct Client {
    pub body: StreamBody,
    pub lint: Lint,
    waiting: VecDeque<Message>,
}

impl Client {
    pub fn of(body: StreamBody) -> Client {
        Client { body, lint: Lint::default(), waiting: VecDeque::new() }
    }

    /// The next event; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<Message> {
        let more = async { while self.waiting.is_empty() && self.read().await {} };
        assert!(timeout(PATIENCE, more).await.is_ok(), "nothing came behind {}", self.id());
        self.waiting.pop_front()
    }

    /// Reads one chunk; whether there was one.
    pub async fn read(&mut self) -> bool {
        let Some(frame) = self.body.frame().await else {
            self.lint.finish().unwrap();
            return false;
        };
        let chunk = frame.unwrap().into_data().unwrap();
        self.waiting.extend(self.lint.feed(&chunk).unwrap());
        true
    }

    /// Reads the first bytes: from then on the client follows.
    pub async fn greeted(mut self) -> Client {
        assert!(self.read().await);
        self
    }

    /// So many events, as `kind number`; a gap as `gap reason missed`.
    pub async fn told(&mut self, events: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..events {
            told.push(brief(&self.next().await.unwrap()));
        }
        told
    }

    pub fn id(&self) -> String {
        self.lint.last_event_id().to_string()
    }
}

/// An event in a few words.
pub fn brief(message: &Message) -> String {
    let data: Value = serde_json::from_str(&message.data).unwrap();
    let kind = message.kind.strip_prefix("security_").unwrap_or(&message.kind);
    match kind {
        "gap" => format!("gap {} {}", data["reason"].as_str().unwrap(), data["missed"]),
        _ => format!("{kind} {}", data["n"]),
    }
}
