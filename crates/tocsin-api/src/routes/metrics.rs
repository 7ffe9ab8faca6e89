//! `/metrics` for Prometheus. What became of records is read from the ledger as it is asked for, so
//! that the two never differ. No metric names a tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::error::Problem;
use crate::state::AppState;
use crate::stop::Stopping;

/// How often what was measured is folded together between two questions.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What is measured now.
///
/// # Errors
/// 404 where the server has no metrics.
pub async fn get(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    let handle = state.metrics.as_ref().ok_or_else(Problem::not_found)?;
    tell_ledger(&state);
    handle.run_upkeep();
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()))
}

/// Folds measurements together until the server stops, asked for or not: without it they pile up.
pub async fn upkeep(handle: PrometheusHandle, mut stopping: Stopping) {
    let mut beat = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        tokio::select! {
            _ = beat.tick() => handle.run_upkeep(),
            () = stopping.begun() => return,
        }
    }
}

/// Says what the metrics mean. Call once, after the recorder was installed.
pub fn describe() {
    describe_counter!("tocsin_events_received_total", "Records that came");
    describe_counter!("tocsin_events_rejected_total", "Records turned away, by reason");
    describe_counter!("tocsin_events_quarantined_total", "Accepted records that could not be read");
    describe_counter!("tocsin_batch_events_total", "Events the engine has taken in");
    describe_histogram!("tocsin_batch_duration_seconds", "Time from a batch's arrival to its commit");
    describe_histogram!("tocsin_detection_latency_seconds", "Time from an event's arrival to its alert");
    describe_counter!("tocsin_rule_matches_total", "Events a rule has matched, by rule");
    describe_counter!("tocsin_rule_evaluations_total", "Times a rule's condition was worked out, by rule");
    describe_counter!("tocsin_rule_failures_total", "Events a rule failed on, by rule");
    describe_counter!("tocsin_memo_hits_total", "Values and combinations that were known already");
    describe_counter!("tocsin_memo_misses_total", "Values and combinations that had to be judged");
    describe_gauge!("tocsin_state_bytes", "Bytes of state the engine keeps");
    describe_counter!("tocsin_state_evicted_total", "Keys dropped because state was full");
    describe_counter!("tocsin_state_sketched_total", "Events only estimated because state was full");
    describe_gauge!("tocsin_rules_loaded", "Rules that are active");
    describe_histogram!("tocsin_rule_swap_seconds", "Time events waited while other rules became active");
    describe_counter!("tocsin_rule_reloads_total", "Reloads of rules that were tried, by result");
    describe_gauge!("tocsin_rule_reload_timestamp_seconds", "When rules were last reloaded, since 1970");
    describe_gauge!("tocsin_rule_reload_seconds", "How long that took, reading and compiling included");
    describe_gauge!("tocsin_sse_connections", "Live streams that are open");
    describe_gauge!("tocsin_http_connections", "Connections that are open");
    describe_counter!("tocsin_http_connections_refused_total", "Connections closed unread, by reason");
    describe_counter!("tocsin_http_connections_cut_total", "Connections of slow peers cut, by reason");
    describe_counter!("tocsin_http_unauthorized_total", "Requests without a good credential");
    describe_counter!("tocsin_http_bodies_refused_total", "Bodies not taken, by status");
    describe_counter!("tocsin_submissions_turned_away_total", "Submissions that must come back, by reason");
}

/// The ledgers of all tenants together.
fn tell_ledger(state: &AppState) {
    let (mut received, mut quarantined) = (0, 0);
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    for (tenant, _) in state.keys.ring().tenants() {
        let view = state.ledger.view(*tenant);
        received += view.received;
        quarantined += view.quarantined;
        for (reason, count) in view.rejected {
            *rejected.entry(reason).or_default() += count;
        }
    }
    counter!("tocsin_events_received_total").absolute(received);
    counter!("tocsin_events_quarantined_total").absolute(quarantined);
    for (reason, count) in rejected {
        counter!("tocsin_events_rejected_total", "reason" => reason).absolute(count);
    }
}
