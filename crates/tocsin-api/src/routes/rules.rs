//! `GET /api/v1/rules`: the rules that are active. `POST /api/v1/rules/reload`: the files are read
//! again. All tenants have the same rules.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tocsin_alert::role::Role;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::plan::PlannedRule;
use tocsin_pipeline::intake::Busy;
use tocsin_pipeline::reload::{Answer, Last, Refused, Reloaded};
use tocsin_pipeline::rules::ReadyRule;
use tocsin_sigma::ast::{Diagnostic, Place, Severity};

use crate::auth::User;
use crate::error::Problem;
use crate::routes::status::{cost_of_all, share_of_cost};
use crate::state::AppState;

/// All rules, those that only feed others first, and the last reload that was tried.
pub async fn list(State(state): State<AppState>, User(caller): User) -> Json<Value> {
    let (active, measured) = (state.rules.now(), state.measurements.last());
    let cost = cost_of_all(&active);
    let numbered = active.plan.rules.iter().zip(&active.rules).zip(0..);
    let rules: Vec<Value> = numbered
        .map(|((planned, ready), index)| {
            let mut told = shown(planned, ready);
            told["cost"] = share_of_cost(ready, cost).into();
            let held = measured.of_rule(&active, caller.tenant, RuleIdx(index));
            told["state"] = json!({ "keys": held.keys, "bytes": held.bytes });
            told
        })
        .collect();
    let last = state.reloads.last().map(last_reload);
    Json(json!({ "rule_set": active.id.to_string(), "items": rules, "last_reload": last }))
}

/// Reads the rule files again; answers when the new rules are active.
///
/// # Errors
/// 403 for whoever is no admin, 422 with what is wrong where, 503 when it cannot be done now.
pub async fn reload(State(state): State<AppState>, User(caller): User) -> Result<Json<Value>, Problem> {
    if caller.roles.highest() < Role::Admin {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this takes the role admin"));
    }
    let stopping = || Problem::unavailable("the server is going down; try again");
    let answer = state.reloads.ask(&caller.subject).map_err(|busy| match busy {
        Busy::Overloaded => Problem::too_busy("too many reloads are waiting; try again"),
        Busy::Stopping => stopping(),
    })?;
    match answer.await.map_err(|_| stopping())? {
        Ok(reloaded) => Ok(Json(done(&reloaded))),
        Err(Refused::Unavailable(reason)) => Err(Problem::unavailable(reason)),
        Err(Refused::Invalid(diagnostics)) => {
            let told = "the rules are invalid; those before stay active";
            let errors = diagnostics.iter().map(diagnostic).collect();
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, told).with_errors(errors))
        }
    }
}

fn shown(planned: &PlannedRule, ready: &ReadyRule) -> Value {
    let (meta, disabled) = (&planned.meta, ready.disabled());
    json!({
        "id": meta.id,
        "title": meta.title,
        "level": meta.level.as_str(),
        "type": meta.kind,
        "tags": meta.tags,
        "enabled": disabled.is_none(),
        "disabled": disabled.map(|reason| reason.to_string()),
        "raises_alerts": meta.alerts,
        "file": ready.file.display().to_string(),
        "hash": meta.hash,
        "logic_hash": meta.logic_hash,
        "matches": ready.matches(),
        "alerts": ready.alerts(),
        "last_match": ready.last_match().map(|at| at.to_string()),
        "evaluated": ready.evaluated(),
        "failures": ready.failures(),
    })
}

fn done(reloaded: &Reloaded) -> Value {
    let Reloaded { id, is_same, difference, diagnostics } = reloaded;
    json!({
        "result": if *is_same { "unchanged" } else { "activated" },
        "rule_set": id.to_string(),
        "loaded": difference.loaded,
        "unchanged": difference.unchanged,
        "edited": difference.edited,
        "added": difference.added,
        "removed": difference.removed,
        "diagnostics": diagnostics.iter().map(diagnostic).collect::<Vec<Value>>(),
    })
}

fn last_reload(last: Last) -> Value {
    let mut told = match &last.answer as &Answer {
        Ok(reloaded) => done(reloaded),
        Err(Refused::Invalid(diagnostics)) => {
            let diagnostics: Vec<Value> = diagnostics.iter().map(diagnostic).collect();
            json!({ "result": "refused", "diagnostics": diagnostics })
        }
        Err(Refused::Unavailable(reason)) => json!({ "result": "failed", "reason": reason }),
    };
    told["at"] = last.at.to_string().into();
    told["by"] = last.by.into();
    told
}

/// A diagnostic with its place, where it has one.
fn diagnostic(found: &Diagnostic) -> Value {
    let mut told = json!({ "file": found.file.display().to_string() });
    if found.place != Place::default() {
        told["line"] = found.place.line.into();
        told["column"] = found.place.column.into();
    }
    told["severity"] = Severity::as_str(found.severity).into();
    told["code"] = found.code.into();
    told["reason"] = found.reason.clone().into();
    if let Some(hint) = &found.hint {
        told["hint"] = hint.clone().into();
    }
    told
}
