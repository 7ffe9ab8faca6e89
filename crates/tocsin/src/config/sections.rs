//! The sections of the configuration: every key with its default and its bounds, one line each.
//! The page `docs/config.md` and the example `config/tocsin.yaml` say the same in words; a test
//! holds all three together.

use std::path::PathBuf;
use std::time::Duration;

use tocsin_alert::role::{Role, View};
use tocsin_api::{ApiConfig, HttpLimits, StreamConfig};
use tocsin_core::engine::EngineConfig;
use tocsin_core::time::Span;
use tocsin_decode::registry::FORMATS;
use tocsin_pipeline::intake::WAITING_BYTES_MAX;
use tocsin_sigma::ast::Severity;
use tocsin_store::DEFAULT_TENANT;
use tracing::Level;

use crate::cli::LocalArgs;

use super::auth::auth;
use super::kinds::{Bytes, TenantName};
use super::plan::{DetectPlan, HttpSourcePlan, LogFormat, LogPlan, RunPlan, StorePlan};
use super::section::Section;
use super::settings::Settings;

/// Tenants a configuration may name. One with more is refused.
const TENANTS_MAX: usize = 1_024;

/// Rule paths a configuration may name. One with more is refused; a folder is one path.
const RULE_PATHS_MAX: usize = 1_024;

/// Connections or streams that may be asked for: beyond what one process can have open.
const CONNECTIONS_ASKED_MAX: usize = 1_000_000;

/// Frames that may be asked to wait for one subscriber: each holds its memory.
const QUEUE_ASKED_MAX: usize = 65_536;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Where the server keeps its data unless told otherwise.
pub const DATA_DEFAULT: &str = "./tocsin-data";

/// Reads every section.
pub fn run_plan(settings: &mut Settings) -> RunPlan {
    let mut top = settings.section("");
    let listen = top.value("listen", std::net::SocketAddr::from(([127, 0, 0, 1], 8080)));
    let data = top.value("data", PathBuf::from(DATA_DEFAULT));
    let tenants = tenants(&mut top);
    let auth = auth(&mut settings.section("auth"));
    let body_bytes_max = ingest(&mut settings.section("ingest"));
    let http = http(&mut settings.section("sources.http"));
    let (rules, rules_watch) = rules(settings);
    let local = local(&mut settings.section(""));
    let detect = detect(&mut settings.section("detect"));
    let log_view = log_view(&mut settings.section("alerts"));
    let store = store(&mut settings.section("store"));
    let (stream, keepalive) = stream(&mut settings.section("stream"));
    let limits = limits(&mut settings.section("limits"), body_bytes_max, &stream);
    let log = log(&mut settings.section("log"));
    let api = ApiConfig { limits, auth, stream };
    RunPlan {
        listen,
        data,
        tenants,
        rules,
        rules_watch,
        local,
        api,
        http,
        detect,
        log_view,
        store,
        keepalive,
        log,
    }
}

fn local(from: &mut Section<'_>) -> LocalArgs {
    LocalArgs { placeholders: from.optional("placeholders"), logsources: from.optional("logsources") }
}

/// Paths of rules, which may also stand directly under `rules`, and whether they are watched.
fn rules(settings: &mut Settings) -> (Vec<PathBuf>, bool) {
    let watch = settings.section("rules").value("watch", true);
    let is_direct = settings.stands_for_list("rules", "rules.paths");
    let paths = settings.section("rules").list("paths", Vec::new(), RULE_PATHS_MAX);
    let direct =
        settings.has_values("rules").then(|| settings.section("").list("rules", Vec::new(), RULE_PATHS_MAX));
    let direct = direct.filter(|_| is_direct);
    (direct.unwrap_or(paths), watch)
}

fn tenants(from: &mut Section<'_>) -> Vec<String> {
    let default = vec![TenantName(DEFAULT_TENANT.to_owned())];
    let names: Vec<String> =
        from.list("tenants", default, TENANTS_MAX).into_iter().map(|TenantName(name)| name).collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            from.refuse("tenants", &format!("`{name}` is named twice"), "name each tenant once");
        }
    }
    names
}

fn ingest(from: &mut Section<'_>) -> usize {
    let default = Bytes(HttpLimits::default().body_bytes_max as u64);
    // A body above what may wait in all would never get in.
    let Bytes(most) = from.within("body_bytes_max", default, Bytes(KIB)..=Bytes(WAITING_BYTES_MAX as u64));
    usize::try_from(most).unwrap_or(WAITING_BYTES_MAX)
}

fn http(from: &mut Section<'_>) -> HttpSourcePlan {
    let mut formats = vec![("auto", None)];
    formats.extend(FORMATS.iter().map(|format| (format.name, Some(format.name))));
    HttpSourcePlan {
        format: from.choice("format", &formats, None),
        backfill: from.value("backfill", false),
        as_of: from.optional("as_of"),
    }
}

fn detect(from: &mut Section<'_>) -> DetectPlan {
    let default = EngineConfig::default();
    let day = Span::seconds(86_400);
    let lateness = from.within("lateness", default.lateness, Span(0)..=Span::seconds(3_600));
    let grace = from.within("grace", default.grace, Span(0)..=day);
    let idle = from.within("idle", default.idle, Span::seconds(1)..=day);
    let Bytes(state_bytes_max) = from.within(
        "state_bytes_max",
        Bytes(default.state_bytes_max as u64),
        Bytes(8 * MIB)..=Bytes(1_024 * GIB),
    );
    DetectPlan { lateness, grace, idle, state_bytes_max }
}

fn log_view(from: &mut Section<'_>) -> View {
    from.choice("log_view", &[("viewer", View::Masked), ("analyst", View::Plain)], View::Plain)
}

fn store(from: &mut Section<'_>) -> StorePlan {
    let Bytes(segment) = from.within("journal_segment_bytes", Bytes(64 * MIB), Bytes(64 * KIB)..=Bytes(GIB));
    let Bytes(journal) =
        from.within("journal_bytes_max", Bytes(10 * GIB), Bytes(128 * KIB)..=Bytes(16_384 * GIB));
    let Bytes(checkpoint) =
        from.within("checkpoint_bytes", Bytes(256 * MIB), Bytes(64 * KIB)..=Bytes(1_024 * GIB));
    let checkpoint_interval = from.within("checkpoint_interval", 60 * SECOND, SECOND..=DAY);
    if journal < 2 * segment {
        // Room is made segment by segment, and the newest one is never given up.
        let reason = "this is less than two segments: the journal could never make room";
        from.refuse("journal_bytes_max", reason, "raise it, or lower store.journal_segment_bytes");
    } else if checkpoint > journal / 2 {
        let reason = "the journal may be full before a checkpoint lets it make room";
        let hint = "lower store.checkpoint_bytes to half of store.journal_bytes_max";
        let key = if from.is_set("checkpoint_bytes") { "checkpoint_bytes" } else { "journal_bytes_max" };
        from.tell(Severity::Warning, "late_checkpoint", key, reason, hint);
    }
    StorePlan {
        journal_segment_bytes: segment,
        journal_bytes_max: journal,
        checkpoint_bytes: checkpoint,
        checkpoint_interval,
    }
}

fn stream(from: &mut Section<'_>) -> (StreamConfig, Duration) {
    let default = StreamConfig::default();
    let connections = 1..=CONNECTIONS_ASKED_MAX;
    let roles = [
        ("none", None),
        ("analyst", Some(Role::Analyst)),
        ("responder", Some(Role::Responder)),
        ("admin", Some(Role::Admin)),
    ];
    let config = StreamConfig {
        max_per_user: from.within("max_per_user", default.max_per_user, connections.clone()),
        max_per_tenant: from.within("max_per_tenant", default.max_per_tenant, connections.clone()),
        max_total: from.within("max_total", default.max_total, connections),
        heartbeat: from.within("heartbeat", default.heartbeat, SECOND..=HOUR),
        queue: from.within("queue", default.queue, 1..=QUEUE_ASKED_MAX),
        retry_ms: from.within("retry_ms", default.retry_ms, 100..=600_000),
        unmask_from: from.choice("unmask_from", &roles, default.unmask_from),
        token_in_url: from.value("token_in_url", default.token_in_url),
    };
    (config, from.within("keepalive", 15 * SECOND, SECOND..=HOUR))
}

fn limits(from: &mut Section<'_>, body_bytes_max: usize, stream: &StreamConfig) -> HttpLimits {
    let default = HttpLimits::default();
    let connections = 1..=CONNECTIONS_ASKED_MAX;
    let patience = 100 * MILLISECOND..=HOUR;
    let limits = HttpLimits {
        body_bytes_max,
        connections_max: from.within("connections_max", default.connections_max, connections.clone()),
        connections_per_peer_max: from.within(
            "connections_per_address_max",
            default.connections_per_peer_max,
            connections,
        ),
        head_patience: from.within("header_timeout", default.head_patience, patience.clone()),
        idle_patience: from.within("idle_timeout", default.idle_patience, patience.clone()),
        stall_patience: from.within("stall_timeout", default.stall_patience, patience.clone()),
        body_grace: from.within("body_grace", default.body_grace, patience.clone()),
        body_patience: from.within("body_timeout", default.body_patience, patience.clone()),
        stop_patience: from.within("stop_timeout", default.stop_patience, patience),
    };
    if stream.max_total >= limits.connections_max {
        let reason = "streams may take every connection, and nothing else gets in then";
        let hint = "raise it above stream.max_total, or lower that";
        from.tell(Severity::Warning, "streams_take_all", "connections_max", reason, hint);
    }
    limits
}

fn log(from: &mut Section<'_>) -> LogPlan {
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogPlan {
        level: from.choice("level", &levels, Level::INFO),
        format: from.choice("format", &formats, LogFormat::Text),
    }
}
