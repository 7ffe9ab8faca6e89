//! What the stages count for `/metrics`: per batch, never per event, and never by tenant. What became
//! of records stands in the ledger.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tocsin_core::detector::Usage;
use tocsin_core::time::Timestamp;

/// A decoder failed on a batch, which was turned away.
pub fn decoder_failed() {
    counter!("tocsin_decoder_failures_total").increment(1);
}

/// The matcher failed on a batch, which is quarantined.
pub fn matcher_failed() {
    counter!("tocsin_matcher_failures_total").increment(1);
}

/// A group of frames was made durable.
pub fn synced(bytes: usize, took: Duration) {
    counter!("tocsin_journal_bytes_total").increment(bytes as u64);
    histogram!("tocsin_journal_sync_seconds").record(took);
}

/// Events came too late for any window.
pub fn late(events: u64) {
    counter!("tocsin_events_late_total").increment(events);
}

/// A rule failed on an event, which is quarantined.
pub fn rule_failed(rule_id: &str) {
    counter!("tocsin_rule_failures_total", "rule" => rule_id.to_string()).increment(1);
}

/// What a rule found and cost since this was told last. Rules that never did either have no line.
pub fn rule(rule_id: &str, matches: u64, evaluations: u64) {
    if matches > 0 {
        counter!("tocsin_rule_matches_total", "rule" => rule_id.to_string()).increment(matches);
    }
    if evaluations > 0 {
        counter!("tocsin_rule_evaluations_total", "rule" => rule_id.to_string()).increment(evaluations);
    }
}

/// How often so far something was known already, and how often not.
pub fn memo((hits, misses): (u64, u64)) {
    counter!("tocsin_memo_hits_total").absolute(hits);
    counter!("tocsin_memo_misses_total").absolute(misses);
}

/// So many rules are active, and so long events waited for them, where others were before.
pub fn rules_changed(rules: usize, took: Option<Duration>) {
    gauge!("tocsin_rules_loaded").set(rules as f64);
    if let Some(took) = took {
        histogram!("tocsin_rule_swap_seconds").record(took);
    }
}

/// Rules were read again, or it was tried: what it came to, when, and how long it took.
pub fn reloaded(result: &'static str, at: Timestamp, took: Duration) {
    counter!("tocsin_rule_reloads_total", "result" => result).increment(1);
    gauge!("tocsin_rule_reload_timestamp_seconds").set(at.0 as f64 / 1e9);
    gauge!("tocsin_rule_reload_seconds").set(took.as_secs_f64());
}

/// The engine's state.
pub fn state(usage: Usage) {
    gauge!("tocsin_state_keys").set(usage.keys as f64);
    counter!("tocsin_state_evicted_total").absolute(usage.evicted);
    counter!("tocsin_state_sketched_total").absolute(usage.sketched);
    gauge!("tocsin_state_bytes").set(usage.bytes as f64);
}

/// A group was committed.
pub fn committed(events: u64, took: Duration) {
    counter!("tocsin_batch_events_total").increment(events);
    histogram!("tocsin_batch_duration_seconds").record(took);
}

/// An alert arose: time from taking in the event that raised it until it was stored.
pub fn raised(after: Duration) {
    counter!("tocsin_alerts_total").increment(1);
    histogram!("tocsin_detection_latency_seconds").record(after);
}
