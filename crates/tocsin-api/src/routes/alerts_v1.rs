//! `GET /api/v1/alerts` and `/{id}`: whole alerts, filtered, page by page, as they are or as OCSF.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::LINK;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tocsin_alert::ocsf;
use tocsin_alert::role::View;
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;
use tocsin_store::{AlertFilter, Among, KeptAlert};

use super::query::Parameters;
use crate::auth::User;
use crate::error::Problem;
use crate::state::AppState;

/// The list's parameters.
const PARAMETERS: [&str; 11] =
    ["severity", "type", "rule", "status", "entity", "from", "to", "q", "limit", "cursor", FORMAT];

/// The parameter that says how alerts are written; all there is for a single one.
const FORMAT: &str = "format";

/// Parameters that compare with what a masked view does not show.
const REVEALING: [&str; 2] = ["entity", "q"];

/// Statuses an alert can have.
const STATUSES: [&str; 4] = ["open", "acknowledged", "closed", "withdrawn"];

/// Alerts on a page when nothing is asked for.
const PAGE_ALERTS_DEFAULT: usize = 50;

const TIME: &str = "must be an RFC 3339 time, such as 2026-01-31T08:00:00Z";

/// A page of alerts.
///
/// # Errors
/// See [`Problem`].
pub async fn list(State(state): State<AppState>, User(caller): User, uri: Uri) -> Result<Response, Problem> {
    let view = caller.roles.view();
    let parameters = Parameters::of(&uri, &PARAMETERS)?;
    let format = Format::of(&parameters)?;
    let (filter, page) = (filter(&parameters, view)?, parameters.page(PAGE_ALERTS_DEFAULT)?);
    let found = state.list(&caller, filter, page).await?;
    let items: Vec<Value> = found.alerts.iter().map(|kept| format.write(shown(kept, view))).collect();
    let next = found.next.as_ref();
    let mut response = Json(json!({ "items": items, "next": next.map(ToString::to_string) })).into_response();
    if let Some(link) = parameters.next_link("/api/v1/alerts", next) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// One alert.
///
/// # Errors
/// See [`Problem`]; what is not there and what is another tenant's are the same.
pub async fn one(
    State(state): State<AppState>,
    User(caller): User,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let format = Format::of(&Parameters::of(&uri, &[FORMAT])?)?;
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let kept = state.find(&caller, id).await?;
    Ok(Json(format.write(shown(&kept, caller.roles.view()))))
}

/// How an alert is written.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// As the alert is.
    Native,
    /// As an OCSF Detection Finding.
    Ocsf,
}

impl Format {
    /// # Errors
    /// 400 naming `format`.
    fn of(parameters: &Parameters) -> Result<Format, Problem> {
        let known = |text: &str| match text {
            "native" => Some(Format::Native),
            "ocsf" => Some(Format::Ocsf),
            _ => None,
        };
        Ok(parameters.one(FORMAT, "must be native or ocsf", known)?.unwrap_or(Format::Native))
    }

    /// Writes what a view has left of an alert.
    fn write(self, shown: Value) -> Value {
        match self {
            Format::Native => shown,
            Format::Ocsf => ocsf::finding(&shown),
        }
    }
}

fn filter(parameters: &Parameters, view: View) -> Result<AlertFilter, Problem> {
    if view == View::Masked
        && let Some(name) = REVEALING.iter().find(|name| !parameters.all(name).is_empty())
    {
        let reason = "looks at values that are masked for you; ask for a role that sees them";
        return Err(Problem::new(StatusCode::FORBIDDEN, format!("{name}: {reason}")));
    }
    let status = |text: &str| STATUSES.contains(&text).then(|| text.to_string());
    let time = |text: &str| Timestamp::parse(text.as_bytes());
    Ok(AlertFilter {
        severities: parameters.each(
            "severity",
            "must be one of informational, low, medium, high, critical",
            severity,
        )?,
        types: parameters.all("type"),
        rules: parameters.all("rule"),
        statuses: parameters.each(
            "status",
            "must be one of open, acknowledged, closed, withdrawn",
            status,
        )?,
        entities: parameters.all("entity"),
        from: parameters.one("from", TIME, time)?,
        to: parameters.one("to", TIME, time)?,
        text: parameters.one("q", "must be a text", |text| Some(text.to_string()))?,
        among: Among::All,
    })
}

fn severity(text: &str) -> Option<Level> {
    serde_json::from_value(text.into()).ok()
}

/// An alert as a view shows it, with what people have set.
fn shown(kept: &KeptAlert, view: View) -> Value {
    let mut alert = json!(kept.stored.alert);
    for (name, set) in [("disposition", &kept.triage.disposition), ("assignee", &kept.triage.assignee)] {
        if let Some(set) = set {
            alert[name] = set.as_str().into();
        }
    }
    view.apply(&mut alert);
    alert
}
