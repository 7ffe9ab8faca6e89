//! Schemas of JSON events, told by what they carry: each is a line in [`SCHEMAS`].
//!
//! A schema is recognised when all its marks hold. It gives the event its log source, as Sigma's
//! rules name it, and says of some values what they mean for category and outcome. Field names are
//! none of its business: those are the names as sent, and the taxonomy's.

use std::sync::LazyLock;

use tocsin_core::value::Kind;

use crate::derive::Derivation;
use crate::row::Found;

/// A condition on the value under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    path: &'static str,
    test: Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// There is a value, and it is not null.
    Present,
    Is(&'static [&'static str]),
    IsNot(&'static [&'static str]),
    EndsWith(&'static str),
    Contains(&'static str),
}

/// What an event of a schema means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Category(&'static str),
    Outcome(&'static str),
}

use Says::{Category, Outcome};

/// One way to know an event of a schema.
#[derive(Clone, Copy, Debug)]
struct Schema {
    /// The name of the schema, or of the format that is read as it.
    name: &'static str,
    /// Sigma's log source product and service.
    source: (Option<&'static str>, Option<&'static str>),
    /// What all hold of an event of this schema.
    marks: &'static [Mark],
    /// What further marks say; of each kind the first that holds counts.
    says: &'static [(Mark, Says)],
}

const fn has(path: &'static str) -> Mark {
    Mark { path, test: Test::Present }
}

const fn is(path: &'static str, values: &'static [&'static str]) -> Mark {
    Mark { path, test: Test::Is(values) }
}

const fn is_not(path: &'static str, values: &'static [&'static str]) -> Mark {
    Mark { path, test: Test::IsNot(values) }
}

const fn ends(path: &'static str, end: &'static str) -> Mark {
    Mark { path, test: Test::EndsWith(end) }
}

const fn contains(path: &'static str, part: &'static str) -> Mark {
    Mark { path, test: Test::Contains(part) }
}

/// A schema whose events name product and service.
const fn of(
    product: &'static str,
    service: &'static str,
    marks: &'static [Mark],
    says: &'static [(Mark, Says)],
) -> Schema {
    Schema { name: service, source: (Some(product), Some(service)), marks, says }
}

const FAILURE: Says = Outcome("failure");
const SUCCESS: Says = Outcome("success");

const CLOUDTRAIL: &[(Mark, Says)] = &[
    (is("eventSource", &["signin.amazonaws.com"]), Category("authentication")),
    (is_not("errorCode", &["Success"]), FAILURE),
    (has("errorMessage"), FAILURE),
    (is("responseElements.ConsoleLogin", &["Failure"]), FAILURE),
    (has("eventName"), SUCCESS),
];

const OKTA: &[(Mark, Says)] = &[
    (contains("eventType", "user.session"), Category("session")),
    (contains("eventType", "user.authentication"), Category("authentication")),
    (contains("eventtype", "user.authentication"), Category("authentication")),
    (is("outcome.result", &["FAILURE", "DENY"]), FAILURE),
    (is("outcome.result", &["SUCCESS", "ALLOW"]), SUCCESS),
];

const SIGN_IN: &[(Mark, Says)] = &[
    (has("correlationId"), Category("authentication")),
    (has("CorrelationId"), Category("authentication")),
    (is("resultType", &["0"]), SUCCESS),
    (is("ResultType", &["0"]), SUCCESS),
    (is("status.errorCode", &["0"]), SUCCESS),
    (is("properties.status.errorCode", &["0"]), SUCCESS),
    (has("resultType"), FAILURE),
    (has("ResultType"), FAILURE),
    (has("status.errorCode"), FAILURE),
    (has("properties.status.errorCode"), FAILURE),
];

const ACTIVITY: &[(Mark, Says)] = &[
    (is("resultType", &["Success", "Succeeded"]), SUCCESS),
    (is("resultType", &["Failure", "Failed"]), FAILURE),
    (is("properties.result", &["success"]), SUCCESS),
    (is("properties.result", &["failure"]), FAILURE),
];

const GCP: &[(Mark, Says)] =
    &[(is_not("protoPayload.status.code", &["0"]), FAILURE), (has("protoPayload.methodName"), SUCCESS)];

const M365: &[(Mark, Says)] = &[
    (is("Operation", &["UserLoggedIn", "UserLoginFailed"]), Category("authentication")),
    (is("Operation", &["UserLoginFailed"]), FAILURE),
    (is("ResultStatus", &["Success", "Succeeded", "True"]), SUCCESS),
    (is("ResultStatus", &["Failure", "Failed", "False"]), FAILURE),
];

/// OCSF 1.x: `status_id` 1 is success and 2 failure in every class; classes of the categories that
/// Tocsin has a word for.
const OCSF: &[(Mark, Says)] = &[
    (is("class_uid", &["3002"]), Category("authentication")),
    (is("class_uid", &["3001", "3003", "3005", "3006"]), Category("authorization")),
    (is("class_uid", &["1007"]), Category("process")),
    (is("class_uid", &["1001"]), Category("file")),
    (is("class_uid", &["6003"]), Category("api_access")),
    (is("class_uid", &["6005"]), Category("database")),
    (is("class_uid", &["4002"]), Category("web")),
    (is("category_uid", &["4"]), Category("network")),
    (is("status_id", &["1"]), SUCCESS),
    (is("status_id", &["2"]), FAILURE),
];

const SIGN_IN_LOGS: &[&str] = &[
    "SignInLogs",
    "NonInteractiveUserSignInLogs",
    "ServicePrincipalSignInLogs",
    "ManagedIdentitySignInLogs",
    "ADFSSignInLogs",
];

const ACTIVITY_LOGS: &[&str] = &[
    "Administrative",
    "ServiceHealth",
    "ResourceHealth",
    "Alert",
    "Autoscale",
    "Recommendation",
    "Security",
    "Policy",
];

/// All schemas; the first that is recognised counts.
const SCHEMAS: &[Schema] = &[
    of("aws", "cloudtrail", &[has("eventName"), ends("eventSource", ".amazonaws.com")], CLOUDTRAIL),
    of("azure", "signinlogs", &[is("category", SIGN_IN_LOGS), has("operationName")], SIGN_IN),
    of("azure", "signinlogs", &[is("Type", &["SigninLogs"]), has("TimeGenerated")], SIGN_IN),
    of("azure", "signinlogs", &[has("userPrincipalName"), has("conditionalAccessStatus")], SIGN_IN),
    of("azure", "auditlogs", &[is("category", &["AuditLogs"]), has("operationName")], ACTIVITY),
    of("azure", "auditlogs", &[has("properties.loggedByService"), has("operationName")], ACTIVITY),
    of("azure", "auditlogs", &[is("Type", &["AuditLogs"]), has("TimeGenerated")], ACTIVITY),
    of("azure", "auditlogs", &[has("activityDateTime"), has("loggedByService")], ACTIVITY),
    of("azure", "riskdetection", &[has("riskEventType"), has("riskState")], &[]),
    of(
        "azure",
        "activitylogs",
        &[is("category", ACTIVITY_LOGS), has("operationName"), has("resourceId")],
        ACTIVITY,
    ),
    of("azure", "activitylogs", &[is("Type", &["AzureActivity"]), has("TimeGenerated")], ACTIVITY),
    of("okta", "okta", &[has("published"), has("eventType"), has("actor.alternateId")], OKTA),
    of("okta", "okta", &[has("published"), has("eventtype"), has("actor.alternateId")], OKTA),
    of("okta", "okta", &[is("p_log_type", &["Okta.SystemLog"])], OKTA),
    of("github", "audit", &[contains("action", "."), has("actor"), has("org")], &[]),
    of("github", "audit", &[contains("action", "."), has("actor"), has("repo")], &[]),
    of("github", "audit", &[contains("action", "."), has("actor"), has("business")], &[]),
    of("github", "audit", &[is("p_log_type", &["GitHub.Audit"])], &[]),
    of("onelogin", "onelogin.events", &[has("event_type_id"), has("actor_user_id")], &[]),
    of("onelogin", "onelogin.events", &[has("event_type_id"), has("account_id"), has("user_id")], &[]),
    of(
        "gcp",
        "gcp.audit",
        &[contains("logName", "cloudaudit.googleapis.com"), has("protoPayload.methodName")],
        GCP,
    ),
    of("gcp", "gcp.audit", &[ends("protoPayload.@type", "google.cloud.audit.AuditLog")], GCP),
    of(
        "gcp",
        "google_workspace.admin",
        &[is("kind", &["admin#reports#activity"]), is("id.applicationName", &["admin"])],
        &[],
    ),
    of(
        "gcp",
        "google_workspace.login",
        &[is("kind", &["admin#reports#activity"]), is("id.applicationName", &["login"])],
        &[],
    ),
    of("m365", "exchange", &[is("Workload", &["Exchange"]), has("Operation"), has("CreationTime")], M365),
    of(
        "m365",
        "threat_management",
        &[is("Workload", &["SecurityComplianceCenter"]), has("Operation"), has("CreationTime")],
        M365,
    ),
    of("m365", "audit", &[has("Workload"), has("Operation"), has("CreationTime")], M365),
    of(
        "kubernetes",
        "audit",
        &[is("kind", &["Event"]), contains("apiVersion", "audit.k8s.io/"), has("verb")],
        &[],
    ),
    Schema {
        name: "ocsf",
        source: (None, None),
        marks: &[has("class_uid"), has("category_uid")],
        says: OCSF,
    },
];

/// Where recognised schemas keep the time of the event, the first present wins.
pub(crate) const TIME_NAMES: [&str; 9] = [
    "eventTime",
    "published",
    "CreationTime",
    "createdDateTime",
    "properties.createdDateTime",
    "activityDateTime",
    "TimeGenerated",
    "requestReceivedTimestamp",
    "created_at",
];

/// Names at the top of a CloudTrail record, by which it is known inside the `detail` of an
/// EventBridge event: reference of CloudTrail record contents, version 1.11.
pub(crate) const CLOUDTRAIL_NAMES: [&str; 21] = [
    "additionalEventData",
    "apiVersion",
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestParameters",
    "resources",
    "responseElements",
    "sourceIPAddress",
    "userAgent",
    "userIdentity",
];

/// The name a value goes by inside an envelope that holds one event of a schema, if it is in one.
pub(crate) fn inside_envelope(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("detail.")?;
    let first = inner.split('.').next().unwrap_or_default();
    CLOUDTRAIL_NAMES.contains(&first).then_some(inner)
}

/// A schema with its marks as bits.
struct Known {
    schema: &'static Schema,
    needs: u128,
    says: Vec<(u128, Says)>,
}

struct Table {
    marks: Vec<Mark>,
    schemas: Vec<Known>,
}

impl Table {
    fn new() -> Table {
        let mut marks: Vec<Mark> = Vec::new();
        let mut bit = |mark: &Mark| {
            let at = marks.iter().position(|known| known == mark).unwrap_or_else(|| {
                marks.push(*mark);
                marks.len() - 1
            });
            1_u128 << at
        };
        let schemas = SCHEMAS
            .iter()
            .map(|schema| Known {
                schema,
                needs: schema.marks.iter().map(&mut bit).fold(0, |bits, one| bits | one),
                says: schema.says.iter().map(|(mark, says)| (bit(mark), *says)).collect(),
            })
            .collect();
        Table { marks, schemas }
    }

    fn recognise(&self, marks: u128) -> Option<&Known> {
        self.schemas.iter().find(|known| known.needs & marks == known.needs)
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

/// The numbers of the marks on the value under a path.
#[must_use]
pub fn marks_on(path: &str) -> Vec<u8> {
    let on_path = TABLE.marks.iter().enumerate().filter(|(_, mark)| mark.path == path);
    on_path.map(|(index, _)| index as u8).collect()
}

/// The bit of a mark if it holds of a value, else 0.
#[must_use]
pub fn bit_if_held(mark: u8, found: &Found<'_>) -> u128 {
    let held = TABLE.marks.get(usize::from(mark)).is_some_and(|mark| mark.holds(found));
    u128::from(held) << mark
}

/// The marks of the first schema of this name.
#[must_use]
pub fn marks_of(name: &str) -> u128 {
    TABLE.schemas.iter().find(|known| known.schema.name == name).map_or(0, |known| known.needs)
}

/// The mark of a value being there at all, under a path that some schema asks for.
#[must_use]
pub fn mark_of_presence(path: &str) -> u128 {
    let wanted = |mark: &Mark| mark.path == path && mark.test == Test::Present;
    TABLE.marks.iter().position(wanted).map_or(0, |index| 1 << index)
}

/// Whether an event with these marks is of a known schema.
#[must_use]
pub fn is_known(marks: u128) -> bool {
    TABLE.recognise(marks).is_some()
}

/// Puts down what the schema of an event with these marks says, where it is known.
pub fn fill(marks: u128, derivation: &mut Derivation) {
    let Some(known) = TABLE.recognise(marks) else { return };
    let (product, service) = known.schema.source;
    derivation.product = derivation.product.or(product);
    derivation.service = derivation.service.or(service);
    for (_, says) in known.says.iter().filter(|(bit, _)| marks & bit != 0) {
        match says {
            Category(category) => derivation.category = derivation.category.or(Some(category)),
            Outcome(outcome) => derivation.outcome = derivation.outcome.or(Some(outcome)),
        }
    }
}

impl Mark {
    fn holds(&self, found: &Found<'_>) -> bool {
        let is_one_of = |values: &[&str]| values.iter().any(|value| value.as_bytes() == found.bytes);
        match self.test {
            Test::Present => found.is_something(),
            Test::Is(values) => found.is_something() && is_one_of(values),
            Test::IsNot(values) => found.is_something() && !is_one_of(values),
            Test::EndsWith(end) => found.is_text() && found.bytes.ends_with(end.as_bytes()),
            Test::Contains(part) => {
                found.is_text() && memchr::memmem::find(found.bytes, part.as_bytes()).is_some()
            }
        }
    }
}

impl Found<'_> {
    /// Whether there is a value at all: neither null nor an empty text or list.
    fn is_something(&self) -> bool {
        !matches!(self.kind, Kind::Null | Kind::NullInList | Kind::EmptyList) && !self.bytes.is_empty()
    }

    fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Escaped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_has_a_bit_of_its_own() {
        assert!(TABLE.marks.len() <= 128, "{} marks", TABLE.marks.len());
        assert!(TABLE.schemas.iter().all(|known| known.needs != 0));
    }

    #[test]
    fn no_schema_hides_one_behind_it() {
        for (index, known) in TABLE.schemas.iter().enumerate() {
            let first = TABLE.recognise(known.needs).map(|found| found.schema.source);
            assert_eq!(first, Some(known.schema.source), "line {index}");
        }
    }

    #[test]
    fn an_envelope_is_looked_through_for_names_of_its_schema_alone() {
        assert_eq!(inside_envelope("detail.eventName"), Some("eventName"));
        assert_eq!(inside_envelope("detail.userIdentity.arn"), Some("userIdentity.arn"));
        assert_eq!(inside_envelope("detail.user"), None);
        assert_eq!(inside_envelope("eventName"), None);
    }
}
