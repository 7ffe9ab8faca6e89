//! `GET /alerts`: the most recent alerts that have a source address, in four fields. The answer is
//! kept, ready to send, until a commit changes alerts.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tocsin_alert::Alert;
use tocsin_alert::role::Roles;
use tocsin_core::batch::TenantId;
use tocsin_store::{AlertFilter, Among, source_ip};

use super::query::Parameters;
use crate::auth::{Identity, Reader};
use crate::error::Problem;
use crate::limits::{ANSWER_CACHED_BYTES_MAX, ANSWERS_CACHED_MAX};
use crate::state::AppState;

/// The list's parameters.
const PARAMETERS: [&str; 3] = ["type", "limit", "cursor"];

/// Alerts on a page when nothing is asked for.
const RECENT_ALERTS_DEFAULT: usize = 10;

/// Answers made at the same time, by tenant: who comes second finds what the first one made.
const MAKERS: usize = 16;

/// Answers the request, from memory if nothing has changed.
///
/// # Errors
/// See [`Problem`].
pub async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked { tenant: caller.tenant, roles: &caller.roles, query: uri.query().unwrap_or_default() };
    if let Some(ready) = state.answers.get(&asked, state.alerts_version.now()) {
        return Ok(ready.response());
    }
    let _turn = state.answers.makers[caller.tenant.0 as usize % MAKERS].lock().await;
    let version = state.alerts_version.now();
    if let Some(ready) = state.answers.get(&asked, version) {
        return Ok(ready.response());
    }
    let answer = make(&state, &caller, &uri).await?;
    state.answers.put(&asked, version, &answer);
    Ok(answer.response())
}

async fn make(state: &AppState, caller: &Identity, uri: &Uri) -> Result<Answer, Problem> {
    let parameters = Parameters::of(uri, &PARAMETERS)?;
    let page = parameters.page(RECENT_ALERTS_DEFAULT)?;
    let types = parameters.all("type");
    let filter = AlertFilter { types, among: Among::StandingWithSource, ..AlertFilter::default() };
    let found = state.list(caller, filter, page).await?;
    let mut list: Value = found.alerts.iter().map(|kept| entry(&kept.stored.alert)).collect();
    caller.roles.view().apply(&mut list);
    let link = parameters.next_link("/alerts", found.next.as_ref());
    Ok(Answer { body: list.to_string().into(), link })
}

/// An alert in the four fields of this list.
fn entry(alert: &Alert) -> Value {
    let own = alert.detections.iter().find(|claim| claim.rule_id == alert.rule.id);
    let summary = own.and_then(|claim| claim.details["summary"].as_str());
    json!({
        "type": alert.kind,
        "timestamp": alert.timestamp,
        "client_ip": source_ip(alert),
        "details": summary.unwrap_or(&alert.message),
    })
}

/// An answer, ready to send.
#[derive(Clone, Debug)]
struct Answer {
    body: Bytes,
    link: Option<HeaderValue>,
}

impl Answer {
    fn response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(link) = self.link {
            headers.insert(LINK, link);
        }
        response
    }
}

/// Who asks for what: all that an answer depends on.
#[derive(Hash)]
struct Asked<'a> {
    tenant: TenantId,
    roles: &'a Roles,
    query: &'a str,
}

/// Answers by the hash of what was asked, at most [`ANSWERS_CACHED_MAX`] and none longer than
/// [`ANSWER_CACHED_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct AnswerCache {
    hasher: RandomState,
    known: Mutex<HashMap<u64, Known>>,
    makers: [tokio::sync::Mutex<()>; MAKERS],
}

#[derive(Debug)]
struct Known {
    tenant: TenantId,
    roles: Roles,
    query: Box<str>,
    version: u64,
    answer: Answer,
}

impl AnswerCache {
    fn get(&self, asked: &Asked<'_>, version: u64) -> Option<Answer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(&self.hasher.hash_one(asked)).filter(|entry| entry.version == version)?;
        let same =
            entry.tenant == asked.tenant && entry.roles == *asked.roles && *entry.query == *asked.query;
        same.then(|| entry.answer.clone())
    }

    fn put(&self, asked: &Asked<'_>, version: u64, answer: &Answer) {
        if answer.body.len() + asked.query.len() > ANSWER_CACHED_BYTES_MAX {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ANSWERS_CACHED_MAX {
            known.clear();
        }
        let entry = Known {
            tenant: asked.tenant,
            roles: asked.roles.clone(),
            query: asked.query.into(),
            version,
            answer: answer.clone(),
        };
        known.insert(self.hasher.hash_one(asked), entry);
    }
}
