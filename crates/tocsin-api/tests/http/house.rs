//! A server on a free port, made of real stores in a folder of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tempfile::TempDir;
use tocsin_api::live::{ChangePage, Cursor, History, Hub, Live, LiveParts, RecordPage};
use tocsin_api::routes::metrics::describe;
use tocsin_api::{AlertsVersion, ApiConfig, ApiParts, AppState, Listener, Stop, Stopping, router, stop};
use tocsin_core::batch::{Reason, TenantId};
use tocsin_core::time::Timestamp;
use tocsin_decode::framing::{JsonCutter, cut_lines};
use tocsin_pipeline::commit::StoreError;
use tocsin_pipeline::intake::{Answer, Arrival, BodyShape, Inbox, Receipt, Rejection, Submission, intake};
use tocsin_pipeline::ledger::Ledger;
use tocsin_pipeline::meter::Measurements;
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};
use tocsin_pipeline::readiness::Readiness;
use tocsin_pipeline::reload::{self, Last, Wishes, reloads};
use tocsin_pipeline::rules::{ActiveRules, ReadyRules, RuleSetId};
use tocsin_pipeline::tenants::Tenants;
use tocsin_store::{Database, KeyWatch, NewKey, Reader, Scope, Writer};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::Client;

/// The secret of all houses.
pub const SECRET: &[u8] = b"a secret of no less than 32 bytes, for tests";

/// A running server.
pub struct House {
    /// Where it listens.
    pub address: SocketAddr,
    /// A key that may send, one that may read, one for bouncers; all of tenant `acme`.
    pub ingest: String,
    /// See [`House::ingest`].
    pub read: String,
    /// See [`House::ingest`].
    pub bouncer: String,
    /// When alerts changed.
    pub version: AlertsVersion,
    /// What became of records.
    pub ledger: Ledger,
    /// Whether it says it can work.
    pub readiness: Readiness,
    /// Everything handed in.
    pub taken: Arc<Mutex<Vec<Submission>>>,
    /// The next answers, before the ingest stage makes up its own.
    pub answers: Arc<Mutex<Vec<Answer>>>,
    /// What the next reloads come to.
    pub reloaded: Arc<Mutex<Vec<reload::Answer>>>,
    /// Its state.
    pub state: AppState,
    /// Its store.
    pub writer: Writer,
    /// Ends it.
    pub stop: Stop,
    serving: JoinHandle<std::io::Result<()>>,
    runtime: Runtime,
    folder: TempDir,
}

impl House {
    /// A house with everything as it comes.
    pub fn open() -> House {
        House::with(|_| {})
    }

    /// A house with some things changed.
    pub fn with(change: impl FnOnce(&mut ApiConfig)) -> House {
        let mut config = ApiConfig::default();
        config.auth.secret = SECRET.to_vec();
        change(&mut config);
        let folder = tempfile::tempdir().unwrap();
        let [ingest, read, bouncer, _] = keys_in(folder.path());
        let (stop, stopping) = stop();
        let keys = KeyWatch::open(folder.path()).unwrap();
        let tenants = Tenants::of(keys.ring().tenants().iter().cloned());
        let (intake, inbox) = intake();
        let (reloads, wishes) = reloads();
        let (version, ledger, readiness) =
            (AlertsVersion::default(), Ledger::default(), Readiness::default());
        let limits = config.limits.clone();
        let live = live(&config, stopping.clone());
        let state = AppState::new(ApiParts {
            config,
            keys,
            tenants,
            store: Reader::open(folder.path()).unwrap(),
            alerts_version: version.clone(),
            rules: ActiveRules::new(Arc::new(rules())),
            reloads,
            measurements: Measurements::default(),
            live: Arc::new(live),
            intake,
            ledger: ledger.clone(),
            readiness: readiness.clone(),
            metrics: Some(recorder()),
            stopping: stopping.clone(),
        });
        let taken = Arc::<Mutex<Vec<Submission>>>::default();
        let answers = Arc::<Mutex<Vec<Answer>>>::default();
        let stage = Stage { taken: taken.clone(), answers: answers.clone(), remembered: HashMap::new() };
        std::thread::spawn(move || stage.run(&inbox));
        let reloaded = Arc::<Mutex<Vec<reload::Answer>>>::default();
        let answering = reloaded.clone();
        std::thread::spawn(move || reload_as_told(&wishes, &answering));

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr();
        let serving = runtime.spawn(listener.serve(router(state.clone()), limits, stopping));
        let writer = Writer::open(folder.path(), "").unwrap();
        House {
            address,
            ingest,
            read,
            bouncer,
            version,
            ledger,
            readiness,
            taken,
            answers,
            reloaded,
            state,
            writer,
            stop,
            serving,
            runtime,
            folder,
        }
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// A token of a user of tenant `acme` with these roles.
    pub fn token(&self, roles: &[&str]) -> String {
        token_of("acme", roles)
    }

    /// The number of tenant `acme`.
    pub fn acme(&self) -> TenantId {
        self.state.tenants.id("acme").unwrap()
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the server, which was told to, has ended.
    pub fn close(self) {
        let ended = self.runtime.block_on(async { timeout(Duration::from_secs(20), self.serving).await });
        ended.expect("the server ends").unwrap().unwrap();
    }
}

/// A token of a user of a tenant with these roles.
pub fn token_of(tenant: &str, roles: &[&str]) -> String {
    let claims = json!({ "sub": "ann", "tenant_id": tenant, "exp": 4_000_000_000u64, "roles": roles });
    signed(&claims, SECRET)
}

/// A token with these claims.
pub fn signed(claims: &Value, secret: &[u8]) -> String {
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// New keys: of tenant `acme` for each scope, and one of tenant `other`.
fn keys_in(folder: &Path) -> [String; 4] {
    let mut database = Database::open(folder).unwrap();
    let all =
        [("acme", Scope::Ingest), ("acme", Scope::Read), ("acme", Scope::Bouncer), ("other", Scope::Read)];
    all.map(|(tenant, scope)| {
        let new = NewKey { tenant, scope, name: "test", created: Timestamp(0) };
        database.create_key(&new).unwrap().key
    })
}

/// Streams on which nothing ever happens.
fn live(config: &ApiConfig, stopping: Stopping) -> Live {
    Live::new(LiveParts {
        hub: Hub::new(0),
        history: Arc::new(NoHistory),
        config: config.stream.clone(),
        resume_key: [7; 32],
        stopping,
    })
}

/// The recorder of this process: all houses share it.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let handle = PrometheusBuilder::new().install_recorder().unwrap();
        describe();
        handle
    };
    RECORDER.get_or_init(install).clone()
}

/// Two rules, one of which feeds the other.
const RULES: &str = "
title: Failure
name: failure
level: low
logsource: {category: authentication}
detection: {a: {event.outcome: failure}, condition: a}
---
title: Many failures
id: 11111111-2222-4333-8444-555555555555
level: high
correlation: {type: event_count, rules: [failure], group-by: [source.ip], timespan: 5m, condition: {gte: 5}}
";

/// The rules of every house.
fn rules() -> ReadyRules {
    let file = RuleFile { path: "rules/some.yml".into(), text: RULES.to_string() };
    let loaded = load(&[file], LoadOptions { gate: true, seed: 7, ..LoadOptions::default() });
    ReadyRules::new(RuleSetId([0xAB; 16]), &loaded, "start")
}

/// Answers wishes as it was told to; without an answer left, whoever asks is told that it goes down.
fn reload_as_told(wishes: &Wishes, answers: &Mutex<Vec<reload::Answer>>) {
    while let Some(waiting) = wishes.receive(Duration::from_secs(1)) {
        for wish in waiting {
            let Some(answer) = answers.lock().unwrap().pop() else { continue };
            wishes.note(Last { at: Timestamp(0), by: wish.by, answer: answer.clone() });
            wish.answer.send(answer).unwrap_or_default();
        }
    }
}

struct NoHistory;

impl History for NoHistory {
    fn records(&self, _: TenantId, _: u64, until: u64, _: usize) -> Result<RecordPage, StoreError> {
        Ok(RecordPage { covered: until, ..RecordPage::default() })
    }

    fn changes(&self, _: TenantId, _: Cursor, _: Cursor, _: usize) -> Result<ChangePage, StoreError> {
        Ok(ChangePage::default())
    }
}

type Hash = [u8; 16];

/// Accepts what is a JSON object, as the real stage would, and remembers requests.
struct Stage {
    taken: Arc<Mutex<Vec<Submission>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
    /// The body's hash and the first answer, by the key's hash.
    remembered: HashMap<Hash, (Hash, Box<[u8]>)>,
}

impl Stage {
    fn run(mut self, inbox: &Inbox) {
        while let Ok(Arrival::Records(waiting)) = inbox.queue.recv() {
            inbox.taken(waiting.submission.body.len());
            let prepared = self.answers.lock().unwrap().pop();
            let answer = prepared.unwrap_or_else(|| self.answer(&waiting.submission));
            self.taken.lock().unwrap().push(waiting.submission);
            // A client that went away does not wait for its answer.
            waiting.answer.send(answer).unwrap_or_default();
        }
    }

    fn answer(&mut self, submission: &Submission) -> Answer {
        let receipt = receipt(submission);
        let Some(repeatable) = submission.repeatable else { return Answer::Taken(receipt) };
        match self.remembered.get(&repeatable.key) {
            Some((body, reply)) if *body == repeatable.body => Answer::Repeated(reply.clone()),
            Some(_) => Answer::Conflict,
            None => {
                self.remembered.insert(repeatable.key, (repeatable.body, receipt.to_json()));
                Answer::Taken(receipt)
            }
        }
    }
}

fn receipt(submission: &Submission) -> Receipt {
    let body = &submission.body;
    let mut spans = Vec::new();
    let rest = match submission.shape {
        BodyShape::One => 0,
        BodyShape::Lines => cut_lines(body, 0, &mut spans),
        BodyShape::Json => JsonCutter::default().cut(body, 0, &mut spans),
    };
    let mut records: Vec<&[u8]> =
        spans.iter().map(|span| &body[span.start as usize..(span.start + span.len) as usize]).collect();
    records.push(&body[rest..]);
    let mut receipt = Receipt::default();
    for (index, record) in records.iter().enumerate().filter(|(_, record)| !record.trim_ascii().is_empty()) {
        receipt.accepted += 1;
        if serde_json::from_slice::<serde_json::Map<String, Value>>(record).is_err() {
            let line = index as u32 + 1;
            receipt.refuse(Rejection { line, reason: Reason::MalformedJson, at: 0, field: None });
        }
    }
    receipt
}

/// A number that no other call has got.
pub fn fresh() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
