//! What follows the question mark: only what is known, each as it must be, and the address of the
//! next page.

use axum::extract::Query;
use axum::http::{HeaderValue, Uri};

use crate::error::Problem;
use crate::limits::{PAGE_ALERTS_MAX, PARAMETER_BYTES_MAX};
use tocsin_store::{Cursor, Page};

/// The parameters of a request.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of an address, all of them known.
    ///
    /// # Errors
    /// 400 naming the one that is not, or is too long.
    pub fn of(uri: &Uri, known: &[&str]) -> Result<Parameters, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("the query cannot be read; encode it as a form is"))?;
        for (name, value) in &pairs {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(64).collect();
                let reason = format!("is not a parameter here; there are {}", known.join(", "));
                return Err(Problem::bad_parameter(&shown, reason));
            }
            if value.len() > PARAMETER_BYTES_MAX {
                let reason = format!("is longer than {PARAMETER_BYTES_MAX} bytes");
                return Err(Problem::bad_parameter(name, reason));
            }
        }
        Ok(Parameters(pairs))
    }

    /// All values of a parameter.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(named, _)| named == name).map(|(_, value)| value.clone()).collect()
    }

    /// All values of a parameter, each read.
    ///
    /// # Errors
    /// 400 naming it, with what it must be.
    pub fn each<T>(
        &self,
        name: &str,
        must_be: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        let values = self.0.iter().filter(|(named, _)| named == name);
        values.map(|(_, value)| read(value).ok_or_else(|| Problem::bad_parameter(name, must_be))).collect()
    }

    /// The one value of a parameter, read.
    ///
    /// # Errors
    /// 400 naming it, with what it must be, or because it is there twice.
    pub fn one<T>(
        &self,
        name: &str,
        must_be: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let mut values = self.each(name, must_be, read)?;
        if values.len() > 1 {
            return Err(Problem::bad_parameter(name, "is there twice"));
        }
        Ok(values.pop())
    }

    /// The page that is asked for.
    ///
    /// # Errors
    /// 400 naming `limit` or `cursor`.
    pub fn page(&self, limit_default: usize) -> Result<Page, Problem> {
        let in_bounds = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|limit| digits && (1..=PAGE_ALERTS_MAX).contains(limit))
        };
        let limit = self.one("limit", "must be a number from 1 to 1000", in_bounds)?;
        let after = self.one("cursor", "must be `next` of the page before, as it is", |text| {
            text.parse::<Cursor>().ok()
        })?;
        Ok(Page { after, limit: limit.unwrap_or(limit_default) })
    }

    /// The `Link` to the page after this one.
    pub fn next_link(&self, path: &str, next: Option<&Cursor>) -> Option<HeaderValue> {
        let mut link = format!("<{path}?");
        for (name, value) in self.0.iter().filter(|(name, _)| name != "cursor") {
            link.extend([name.as_str(), "=", &encoded(value), "&"]);
        }
        link.extend(["cursor=", &encoded(&next?.to_string()), ">; rel=\"next\""]);
        HeaderValue::from_str(&link).ok()
    }
}

/// A value as it may stand in a query.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
