//! Refusals: one shape for all of them, `application/problem+json` as in RFC 9457.
//!
//! Whether a credential is missing, broken, expired or simply not the right one is the same answer,
//! byte for byte.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Content type of every problem.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds after which a sender who was turned away should come back.
const RETRY_AFTER_SECONDS: u32 = 1;

const UNAUTHORIZED: &str =
    r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Invalid token"}"#;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<Value>,
    retry_after: Option<u32>,
    closes: bool,
}

impl Problem {
    /// A problem of this status; `detail` says what is wrong and what to do.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { status, detail: detail.into(), errors: Vec::new(), retry_after: None, closes: false }
    }

    /// 401. Carries no reason, whatever it is.
    #[must_use]
    pub fn unauthorized() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "Invalid token")
    }

    /// 400 with what is wrong.
    #[must_use]
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 400 about one query parameter or header.
    #[must_use]
    pub fn bad_parameter(name: &str, reason: impl Into<Cow<'static, str>>) -> Problem {
        let reason = reason.into();
        let error = json!({ "field": name, "reason": reason });
        Problem::bad_request(format!("{name}: {reason}")).with_errors(vec![error])
    }

    /// 404: not there, or not there for this caller.
    #[must_use]
    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// 429: too much at once; come back shortly.
    #[must_use]
    pub fn too_busy(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).with_retry_after(RETRY_AFTER_SECONDS)
    }

    /// 503: not now; come back shortly.
    #[must_use]
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_retry_after(RETRY_AFTER_SECONDS)
    }

    /// With what is wrong in each part of the input: `{line?, field?, reason}`.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Value>) -> Problem {
        self.errors = errors;
        self
    }

    /// With a `Retry-After` of so many seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after = Some(seconds);
        self
    }

    /// The connection ends with this answer: what the peer still sends is not read.
    #[must_use]
    pub fn closing(mut self) -> Problem {
        self.closes = true;
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn body(&self) -> Body {
        if self.status == StatusCode::UNAUTHORIZED {
            return Body::from(UNAUTHORIZED);
        }
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail,
        });
        if !self.errors.is_empty() {
            body["errors"] = self.errors.clone().into();
        }
        Body::from(body.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
