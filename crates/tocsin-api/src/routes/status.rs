//! `GET /api/v1/status`: how the server is, in one answer: what is in the way, what became of records,
//! how far time and state are, what rules cost and which of them find nothing.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tocsin_core::batch::TenantId;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::rule::RuleMeta;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::meter::Measured;
use tocsin_pipeline::rules::{ReadyRule, ReadyRules};

use crate::auth::User;
use crate::limits::STATUS_ROWS_MAX;
use crate::routes::health::problems;
use crate::state::AppState;

/// The status now.
pub async fn get(State(state): State<AppState>, User(caller): User) -> Json<Value> {
    let problems = problems(&state);
    let measured = state.measurements.last();
    let active = state.rules.now();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": problems.is_empty(),
        "problems": problems,
        "ledger": state.ledger.view(caller.tenant),
        "measured_at": measured.at.map(|at| at.to_string()),
        "watermark": watermark(measured.watermark(caller.tenant)),
        "state": state_of(&measured, caller.tenant),
        "engine": engine(&measured),
        "memo": memo(&measured),
        "rules": rules(&active, &measured, caller.tenant),
    }))
}

/// What a rule has cost of all that rules have cost, from 0 to 1.
pub fn share_of_cost(rule: &ReadyRule, all: u64) -> f64 {
    if all == 0 { 0.0 } else { rule.evaluated() as f64 / all as f64 }
}

/// What all rules have cost.
pub fn cost_of_all(active: &ReadyRules) -> u64 {
    active.rules.iter().map(ReadyRule::evaluated).sum()
}

/// Up to when no event is waited for any more, and how long ago that was; `null` of a tenant from whom
/// nothing came.
fn watermark(at: Option<Timestamp>) -> Value {
    let Some(at) = at else { return Value::Null };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let lag = (now.as_nanos() as i128 - i128::from(at.0)).max(0) as f64 / 1e9;
    json!({ "at": at.to_string(), "lag_seconds": (lag * 1e3).round() / 1e3 })
}

/// The state of the caller's rules, and how much it may become.
fn state_of(measured: &Measured, tenant: TenantId) -> Value {
    let usage = measured.of_tenant(tenant);
    json!({
        "bytes": usage.bytes,
        "bytes_max": measured.state_bytes_max,
        "keys": usage.keys,
        "keys_dropped": usage.evicted,
        "events_estimated": usage.sketched,
    })
}

/// What an event has cost on average, in nanoseconds.
fn engine(measured: &Measured) -> Value {
    let each = |time: Duration| (time.as_nanos() / u128::from(measured.events.max(1))) as u64;
    json!({
        "events": measured.events,
        "match_ns": each(measured.matching),
        "correlate_ns": each(measured.correlating),
    })
}

/// How often values were known already; fields of which most were looked at first.
fn memo(measured: &Measured) -> Value {
    let mut fields: Vec<_> = measured.fields.iter().collect();
    fields.sort_by_key(|(name, field)| (Reverse(field.looked_at()), *name));
    let field = |(name, field): &(&String, &tocsin_core::matcher::FieldStats)| {
        json!({
            "field": name, "hits": field.hits, "misses": field.misses,
            "line_hits": field.line_hits, "line_misses": field.line_misses,
        })
    };
    let (hits, misses) = measured.memo();
    json!({
        "hits": hits,
        "misses": misses,
        "combinations": { "hits": measured.signature_hits, "misses": measured.signature_misses },
        "forgets": measured.forgets,
        "fields": fields.iter().take(STATUS_ROWS_MAX).map(field).collect::<Vec<Value>>(),
    })
}

/// The rules that stand out.
fn rules(active: &ReadyRules, measured: &Measured, tenant: TenantId) -> Value {
    let all: Vec<(RuleIdx, &ReadyRule, &RuleMeta)> = active
        .rules
        .iter()
        .zip(active.of_files())
        .zip(0..)
        .map(|((rule, meta), index)| (RuleIdx(index), rule, meta))
        .collect();
    let cost = cost_of_all(active);
    let mut slowest: Vec<_> = all.iter().filter(|(_, rule, _)| rule.evaluated() > 0).collect();
    slowest.sort_by_key(|(_, rule, meta)| (Reverse(rule.evaluated()), &meta.id));
    let slow = |(_, rule, meta): &&(RuleIdx, &ReadyRule, &RuleMeta)| {
        json!({
            "id": meta.id, "evaluated": rule.evaluated(), "cost": share_of_cost(rule, cost),
            "matches": rule.matches(),
        })
    };
    let held = |(index, _, meta): &(RuleIdx, &ReadyRule, &RuleMeta)| {
        let usage = measured.of_rule(active, tenant, *index);
        (usage.keys > 0).then(|| (usage.bytes, usage.keys, meta.id.clone()))
    };
    let mut largest: Vec<(u64, u64, String)> = all.iter().filter_map(held).collect();
    largest.sort_by(|a, b| (b.0, &a.2).cmp(&(a.0, &b.2)));
    let large = |(bytes, keys, id): &(u64, u64, String)| json!({ "id": id, "bytes": bytes, "keys": keys });
    let is_silent = |rule: &ReadyRule| rule.disabled().is_none() && rule.matches() + rule.alerts() == 0;
    let silent: Vec<&str> =
        all.iter().filter(|(_, rule, _)| is_silent(rule)).map(|(_, _, meta)| meta.id.as_str()).collect();
    let off = |(_, rule, meta): &(RuleIdx, &ReadyRule, &RuleMeta)| {
        Some(json!({ "id": meta.id, "reason": rule.disabled()?.to_string() }))
    };
    let mut filtered: Vec<_> = measured.suppressed.iter().collect();
    filtered.sort_by_key(|(names, kept)| (Reverse(**kept), *names));
    let kept_back = |((rule, filter), kept): &(&(String, String), &u64)| json!({ "id": rule, "filter": filter, "suppressed": kept });
    json!({
        "rule_set": active.id.to_string(),
        "loaded": all.len(),
        "disabled": all.iter().filter_map(off).collect::<Vec<Value>>(),
        "slowest": slowest.iter().take(STATUS_ROWS_MAX).map(slow).collect::<Vec<Value>>(),
        "largest": largest.iter().take(STATUS_ROWS_MAX).map(large).collect::<Vec<Value>>(),
        "filtered": filtered.iter().take(STATUS_ROWS_MAX).map(kept_back).collect::<Vec<Value>>(),
        "silent": { "count": silent.len(), "ids": silent.iter().take(STATUS_ROWS_MAX).collect::<Vec<_>>() },
    })
}
