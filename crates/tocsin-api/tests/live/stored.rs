//! History from a real data folder: a journal of many small segments, and a database.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tocsin_alert::role::MinRole;
use tocsin_api::live::{Hub, Live, LiveParts, Publisher, Stored};
use tocsin_api::{Stop, StreamConfig, stop};
use tocsin_core::batch::{RawBatch, RecordSpan, TenantId};
use tocsin_core::offset::OffsetRange;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{Change, ChangeKind, CommitGroup, Publish, PublishedStep, Store};
use tocsin_pipeline::journal::{Journal, NewFrame};
use tocsin_pipeline::tenants::Tenants;
use tocsin_store::{Reader, Writer, journal};

use crate::world::{Client, ann, brief};

/// Small segments: a stretch goes over many of them.
const SEGMENT_BYTES: u64 = 9 << 10;

struct Folder {
    folder: TempDir,
    journal: journal::Writer,
    store: Writer,
    tenants: Tenants,
    publisher: Publisher,
    live: Arc<Live>,
    _stop: Stop,
    us: TenantId,
    them: TenantId,
}

impl Folder {
    fn new() -> Folder {
        let folder = TempDir::new().unwrap();
        let options = journal::Options {
            segment_bytes: SEGMENT_BYTES,
            journal_bytes_max: 64 * SEGMENT_BYTES,
            not_before: 0,
        };
        let (journal, _) = journal::Writer::open(&folder.path().join("journal"), options).unwrap();
        let mut store = Writer::open(folder.path(), "rules").unwrap();
        let [us, them] = ["us", "them"].map(|name| store.ensure_tenant(name).unwrap().id);
        let tenants = Tenants::of([(us, "us".to_string()), (them, "them".to_string())]);
        let hub = Hub::new(0);
        let (stop, stopping) = stop();
        let reader = Reader::open(folder.path()).unwrap();
        let history = Arc::new(Stored::new(&folder.path().join("journal"), reader, tenants.clone()));
        let publisher = hub.publisher();
        let parts =
            LiveParts { hub, history, config: StreamConfig::default(), resume_key: [7; 32], stopping };
        let live = Arc::new(Live::new(parts));
        Folder { folder, journal, store, tenants, publisher, live, _stop: stop, us, them }
    }

    /// Journals, commits and publishes a step of so many events, and an alert with every third.
    fn step(&mut self, tenant: TenantId, number: usize, events: usize) {
        let mut raw = RawBatch { tenant, ingest: Some(Timestamp(1_000)), ..RawBatch::default() };
        for event in 0..events {
            let text = json!({ "n": 10 * number + event, "text": "x".repeat(50) }).to_string();
            raw.records.push(RecordSpan { start: raw.bytes.len() as u32, len: text.len() as u32 });
            raw.bytes.extend_from_slice(text.as_bytes());
        }
        let name = self.tenants.name(tenant).unwrap();
        let frame = NewFrame::Events { tenant: &name, source: "test", raw: &raw, requests: &[] };
        let at = self.journal.append(frame).unwrap();
        self.journal.sync().unwrap();
        raw.offsets = OffsetRange { from: at.records_at, to: at.end };
        let position = raw.position(events as u32 - 1).offset();
        let changes =
            if number.is_multiple_of(3) { vec![change(tenant, position, number)] } else { Vec::new() };
        let group = CommitGroup { end: at.end, changes: changes.clone(), ..CommitGroup::default() };
        self.store.commit(&group).unwrap();
        self.publisher.publish(&[PublishedStep { tenant, position, raw: Some(Arc::new(raw)), changes }]);
    }

    fn tick(&mut self) {
        let at = self.journal.append(NewFrame::Tick(Timestamp(1_000))).unwrap();
        self.journal.sync().unwrap();
        self.store.commit(&CommitGroup { end: at.end, ..CommitGroup::default() }).unwrap();
    }

    /// What a server started on this folder now has for streams.
    fn restarted(&self) -> (Arc<Live>, Stop) {
        let reader = Reader::open(self.folder.path()).unwrap();
        let hub = Hub::new(reader.committed().unwrap());
        let (stop, stopping) = stop();
        let history =
            Arc::new(Stored::new(&self.folder.path().join("journal"), reader, self.tenants.clone()));
        let parts =
            LiveParts { hub, history, config: StreamConfig::default(), resume_key: [7; 32], stopping };
        (Arc::new(Live::new(parts)), stop)
    }

    fn follow(&self, live: &Arc<Live>, id: Option<&str>) -> Client {
        let mut caller = ann();
        caller.tenant = self.us;
        Client::of(live.open(&caller, id).unwrap())
    }

    /// The segments, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("journal")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let mut segments: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
        segments.sort();
        segments
    }

    /// Publishes a story while a client reads it: its events, each with the id before it.
    async fn story(&mut self) -> Vec<(String, String)> {
        let live = Arc::clone(&self.live);
        let mut client = self.follow(&live, None).greeted().await;
        let mut story = Vec::new();
        for number in 0..24 {
            let tenant = if number % 4 == 1 { self.them } else { self.us };
            self.step(tenant, number, 1 + number % 3);
            if number.is_multiple_of(5) {
                self.tick();
            }
            let told = 1 + number % 3 + usize::from(number.is_multiple_of(3));
            for _ in 0..if tenant == self.us { told } else { 0 } {
                let before = client.id();
                // A chunk may hold several events: the id before each is that of the one before it.
                let message = client.next().await.unwrap();
                let before = story.last().map_or(before, |(_, id): &(String, String)| id.clone());
                story.push((brief(&message), message.last_event_id));
                if story.len() == 1 {
                    story.insert(0, ("begin".to_string(), before));
                }
            }
        }
        story
    }
}

fn change(tenant: TenantId, position: u64, number: usize) -> Change {
    Change {
        position,
        ordinal: 1,
        tenant,
        kind: ChangeKind::Raised,
        alert_id: format!("a{number}"),
        min_role: MinRole::default(),
        at: Timestamp(1_000),
        body: json!({ "alert_id": format!("a{number}"), "n": number }).to_string().into(),
    }
}

#[tokio::test]
async fn every_place_of_a_data_folder_can_be_gone_on_from() {
    let mut folder = Folder::new();
    let story = folder.story().await;
    assert!(folder.segments().len() > 3, "{:?}", folder.segments());
    let (restarted, _stop) = folder.restarted();
    for live in [&folder.live, &restarted] {
        // Backwards first, so that nothing is known yet of where frames begin.
        for (index, (_, id)) in story.iter().enumerate().rev() {
            let rest: Vec<&str> = story[index + 1..].iter().map(|(told, _)| told.as_str()).collect();
            let mut back = folder.follow(live, Some(id));
            assert_eq!(back.told(rest.len()).await, rest, "after {index}");
        }
    }
}

/// Everything up to this event.
async fn told_until(client: &mut Client, last: &str) -> Vec<String> {
    let mut told = client.told(1).await;
    while told.last().is_none_or(|told| told != last) {
        told.extend(client.told(1).await);
    }
    told
}

#[tokio::test]
async fn a_damaged_stretch_is_told_and_the_rest_is_given() {
    let mut folder = Folder::new();
    let story = folder.story().await;
    let segment = &folder.segments()[1];
    let mut damaged = fs::read(segment).unwrap();
    // Behind the header, in every frame.
    damaged[8 << 10..].iter_mut().step_by(40).for_each(|byte| *byte ^= 0xff);
    fs::write(segment, damaged).unwrap();
    let mut back = folder.follow(&folder.live, Some(&story[0].1));
    let told = told_until(&mut back, &story.last().unwrap().0).await;
    let (gaps, kept): (Vec<String>, Vec<String>) = told.into_iter().partition(|told| told.starts_with("gap"));
    assert_eq!(gaps, ["gap too_old null"]);
    let lost: Vec<&str> = story[1..]
        .iter()
        .map(|(told, _)| told.as_str())
        .filter(|told| !kept.iter().any(|one| one == told))
        .collect();
    assert!(!lost.is_empty() && lost.iter().all(|told| told.starts_with("event")), "{lost:?}");
}

#[tokio::test]
async fn a_folder_without_its_oldest_segments_says_so() {
    let mut folder = Folder::new();
    let story = folder.story().await;
    for segment in &folder.segments()[..2] {
        fs::remove_file(segment).unwrap();
    }
    let (restarted, _stop) = folder.restarted();
    let mut back = folder.follow(&restarted, Some(&story[0].1));
    let alerts = story.iter().filter(|(told, _)| told.starts_with("alert")).count();
    let told = told_until(&mut back, &story.last().unwrap().0).await;
    assert_eq!(told[0], "gap too_old null");
    assert_eq!(told.iter().filter(|told| told.starts_with("alert")).count(), alerts);
    assert!(told.len() < story.len());
    let last = &story.last().unwrap().1;
    folder.step(folder.us, 70, 1);
    let (again, _stop) = folder.restarted();
    assert_eq!(folder.follow(&again, Some(last)).told(1).await, ["event 700"]);
}
