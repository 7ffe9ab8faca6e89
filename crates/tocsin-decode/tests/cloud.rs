//! Events of clouds as JSON: what their schema is told by, and what follows from it.

mod support;

use support::{decode, field, render};
use tocsin_core::batch::{Notes, Reason};

const AS_OF: &str = "2026-06-01T00:00:00Z";

const FIELDS: &[&str] = &[
    "cloud.account.id",
    "cloud.region",
    "cloud.service.name",
    "destination.ip",
    "destination.port",
    "eventName",
    "event.action",
    "event.category",
    "event.outcome",
    "host.name",
    "logsource.product",
    "logsource.service",
    "requestParameters.filters.values",
    "responseElements.ConsoleLogin",
    "sourceIPAddress",
    "source.ip",
    "source.port",
    "user.id",
    "user.name",
    "user_agent.original",
    "vendor_field",
];

/// One record and everything it must say: time and all fields.
fn check(format: &str, record: &str, time: &str, expect: &[&str]) {
    let batch = decode(format, AS_OF, FIELDS, &[record.as_bytes()]);
    assert_eq!(batch.quarantined, [], "{record}");
    let event = &batch.events[0];
    assert_eq!(render(&batch, event), expect, "{record}");
    assert_eq!(event.time.to_string(), time, "{record}");
    assert_eq!(event.notes, Notes::default(), "{record}");
}

const CALL: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/ann","userName":"ann"},"eventTime":"2026-01-15T08:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.9","userAgent":"aws-cli/2","errorCode":null,"requestParameters":{"filters":[{"key":"tag","values":["a"]},{"key":"vpc","values":["b","c"]}]},"recipientAccountId":"123"}"#;

const CALL_FIELDS: &[&str] = &[
    "cloud.account.id=123",
    "cloud.region=eu-west-1",
    "cloud.service.name=ec2.amazonaws.com",
    "event.action=DescribeInstances",
    "event.outcome=success",
    "eventName=DescribeInstances",
    "logsource.product=aws",
    "logsource.service=cloudtrail",
    "requestParameters.filters.values=a",
    "source.ip=203.0.113.9",
    "sourceIPAddress=203.0.113.9",
    "user.id=arn:aws:iam::1:user/ann",
    "user.name=ann",
    "user_agent.original=aws-cli/2",
];

#[test]
fn an_api_call_by_itself_and_in_an_eventbridge_event() {
    for format in ["auto", "json", "cloudtrail"] {
        check(format, CALL, "2026-01-15T08:00:00Z", CALL_FIELDS);
        let event = format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.ec2","time":"2026-01-15T08:00:07Z","region":"eu-west-1","detail":{CALL}}}"#
        );
        check(format, &event, "2026-01-15T08:00:00Z", CALL_FIELDS);
    }
}

#[test]
fn members_of_a_list_of_objects_are_values_of_one_field() {
    let batch = decode("auto", AS_OF, FIELDS, &[CALL.as_bytes()]);
    let id = batch.table.get("requestParameters.filters.values").unwrap();
    let values = batch.slots(&batch.events[0]).iter().filter(|slot| slot.field == id);
    let values: Vec<_> = values.map(|slot| batch.value(slot).as_text().unwrap().to_string()).collect();
    assert_eq!(values, ["a", "b", "c"]);
}

/// A CloudTrail record with these further members.
fn call(members: &str) -> String {
    format!(
        r#"{{"eventTime":"2026-01-15T08:00:00Z","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin",{members}}}"#
    )
}

#[test]
fn the_outcome_of_a_call_and_of_a_console_login() {
    for (members, outcome) in [
        (r#""responseElements":{"ConsoleLogin":"Success"}"#, "success"),
        (r#""responseElements":{"ConsoleLogin":"Failure"}"#, "failure"),
        (r#""errorMessage":"Failed authentication""#, "failure"),
        (r#""errorCode":"AccessDenied","responseElements":null"#, "failure"),
        (r#""errorCode":"Success""#, "success"),
        (r#""errorCode":null,"errorMessage":null"#, "success"),
        (r#""errorCode":"""#, "success"),
    ] {
        let batch = decode("auto", AS_OF, FIELDS, &[call(members).as_bytes()]);
        let event = &batch.events[0];
        assert_eq!(field(&batch, event, "event.outcome"), outcome, "{members}");
        assert_eq!(field(&batch, event, "event.category"), "authentication", "{members}");
    }
}

#[test]
fn a_service_in_place_of_an_address_is_no_address_and_no_surprise() {
    let batch = decode("auto", AS_OF, FIELDS, &[call(r#""sourceIPAddress":"AWS Internal""#).as_bytes()]);
    let event = &batch.events[0];
    assert_eq!(field(&batch, event, "source.ip"), "");
    assert_eq!(field(&batch, event, "sourceIPAddress"), "AWS Internal");
    assert_eq!(event.notes, Notes::default());
}

#[test]
fn a_role_goes_by_the_name_of_its_issuer() {
    let role = r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/dev/ann","sessionContext":{"sessionIssuer":{"userName":"dev"}}}"#;
    let root = r#""userIdentity":{"type":"Root","arn":"arn:aws:iam::1:root"}"#;
    for (members, name) in [(role, "dev"), (root, "arn:aws:iam::1:root")] {
        let batch = decode("auto", AS_OF, FIELDS, &[call(members).as_bytes()]);
        assert_eq!(field(&batch, &batch.events[0], "user.name"), name, "{members}");
    }
}

#[test]
fn a_named_format_takes_its_own_events_only() {
    let okta = r#"{"published":"2026-01-15T08:00:00Z","eventType":"user.session.start","actor":{"alternateId":"ann@example.com"}}"#;
    for (format, key) in [("cloudtrail", "eventName"), ("ocsf", "class_uid")] {
        let batch = decode(
            format,
            AS_OF,
            FIELDS,
            &[okta.as_bytes(), b"{", b"[1]", br#"{"class_uid":1,"class_uid":2}"#],
        );
        let refused: Vec<_> = batch.quarantined.iter().map(|q| (q.reason, q.field.as_deref())).collect();
        let expect = [
            (Reason::UnknownFormat, Some(key)),
            (Reason::Truncated, None),
            (Reason::NotAnObject, None),
            (Reason::DuplicateKey, Some("class_uid")),
        ];
        assert_eq!(refused, expect, "{format}");
    }
    // What is left of a record is of its schema all the same.
    let batch = decode("cloudtrail", AS_OF, FIELDS, &[br#"{"eventName":"x"}"#]);
    assert_eq!(field(&batch, &batch.events[0], "logsource.service"), "cloudtrail");
    let batch = decode("auto", AS_OF, FIELDS, &[br#"{"eventName":"x"}"#]);
    assert_eq!(field(&batch, &batch.events[0], "logsource.service"), "");
}

/// A record, its log source, its outcome and its time.
const RECORDS: &[(&str, &str, &str, &str)] = &[
    (
        r#"{"published":"2026-01-15T08:00:00.5Z","eventType":"user.authentication.sso","actor":{"alternateId":"a@b.c"},"outcome":{"result":"FAILURE"}}"#,
        "okta/okta",
        "failure",
        "2026-01-15T08:00:00.500Z",
    ),
    (
        r#"{"@timestamp":1768464000000,"action":"repo.destroy","actor":"ann","org":"o","created_at":1768464000000}"#,
        "github/audit",
        "",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"action":"git.clone","actor":"ann","repo":"o/r","created_at":1768464000000}"#,
        "github/audit",
        "",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"event_type_id":5,"actor_user_id":1,"created_at":"2026-01-15T08:00:00Z"}"#,
        "onelogin/onelogin.events",
        "",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"time":"2026-01-15T08:00:00.0000000Z","resourceId":"/subscriptions/1","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/DELETE","category":"Administrative","resultType":"Success"}"#,
        "azure/activitylogs",
        "success",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"time":"2026-01-15T08:00:05Z","category":"SignInLogs","operationName":"Sign-in activity","correlationId":"x","resultType":"50126","properties":{"createdDateTime":"2026-01-15T08:00:00Z"}}"#,
        "azure/signinlogs",
        "failure",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"createdDateTime":"2026-01-15T08:00:00Z","userPrincipalName":"ann@example.com","conditionalAccessStatus":"success","status":{"errorCode":0}}"#,
        "azure/signinlogs",
        "success",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"activityDateTime":"2026-01-15T08:00:00Z","activityDisplayName":"Add user","loggedByService":"Core Directory"}"#,
        "azure/auditlogs",
        "",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","timestamp":"2026-01-15T08:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"SetIamPolicy","status":{"code":7}}}"#,
        "gcp/gcp.audit",
        "failure",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"kind":"admin#reports#activity","id":{"applicationName":"admin","time":"2026-01-15T08:00:00Z"},"timestamp":"2026-01-15T08:00:00Z"}"#,
        "gcp/google_workspace.admin",
        "",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"CreationTime":"2026-01-15T08:00:00","Workload":"AzureActiveDirectory","Operation":"UserLoginFailed","ResultStatus":"Success"}"#,
        "m365/audit",
        "failure",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"CreationTime":"2026-01-15T08:00:00","Workload":"Exchange","Operation":"New-InboxRule","ResultStatus":"True"}"#,
        "m365/exchange",
        "success",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"create","requestReceivedTimestamp":"2026-01-15T08:00:00Z"}"#,
        "kubernetes/audit",
        "",
        "2026-01-15T08:00:00Z",
    ),
    // The names alone do not make a schema, and its times are none of other events.
    (
        r#"{"timestamp":"2026-01-15T08:00:00Z","created_at":"2020-01-01T00:00:00Z","action":"repo.destroy"}"#,
        "/",
        "",
        "2026-01-15T08:00:00Z",
    ),
    (
        r#"{"timestamp":"2026-01-15T08:00:00Z","eventName":"x","eventSource":"ec2.example.com"}"#,
        "/",
        "",
        "2026-01-15T08:00:00Z",
    ),
];

#[test]
fn schemas_are_told_by_what_they_carry() {
    for (record, source, outcome, time) in RECORDS {
        let batch = decode("auto", AS_OF, FIELDS, &[record.as_bytes()]);
        assert_eq!(batch.quarantined, [], "{record}");
        let event = &batch.events[0];
        let get = |name| field(&batch, event, name);
        let found = format!("{}/{}", get("logsource.product"), get("logsource.service"));
        assert_eq!((found.as_str(), get("event.outcome").as_str()), (*source, *outcome), "{record}");
        assert_eq!(event.time.to_string(), *time, "{record}");
    }
}

#[test]
fn the_same_values_under_other_schemas_are_not_mixed_up() {
    // What one event of a schema said is not remembered for another that lacks its marks.
    let records: [&[u8]; 4] = [
        br#"{"eventName":"A","eventSource":"ec2.amazonaws.com","errorCode":"x"}"#,
        br#"{"eventName":"A","eventSource":"ec2.amazonaws.com"}"#,
        br#"{"eventName":"A","eventSource":"ec2"}"#,
        br#"{"eventName":"A","eventSource":"ec2.amazonaws.com","errorCode":"x"}"#,
    ];
    let batch = decode("auto", AS_OF, FIELDS, &records);
    let outcomes: Vec<String> =
        batch.events.iter().map(|event| field(&batch, event, "event.outcome")).collect();
    assert_eq!(outcomes, ["failure", "success", "", "failure"]);
}

#[test]
fn an_ocsf_event() {
    let record = r#"{"class_uid":3002,"category_uid":3,"activity_id":1,"activity_name":"Logon","type_uid":300201,"time":1768464000000,"status_id":2,"severity_id":1,"metadata":{"version":"1.8.0"},"actor":{"user":{"name":"svc","uid":"7"}},"user":{"name":"ann"},"src_endpoint":{"ip":"203.0.113.9","port":50022},"dst_endpoint":{"ip":"2001:DB8::1","port":22},"device":{"hostname":"web-1"},"unmapped":{"vendor_field":"x","user":"nobody"}}"#;
    for format in ["auto", "ocsf"] {
        check(
            format,
            record,
            "2026-01-15T08:00:00Z",
            &[
                "destination.ip=2001:db8::1",
                "destination.port=22",
                "event.action=Logon",
                "event.category=authentication",
                "event.outcome=failure",
                "host.name=web-1",
                "source.ip=203.0.113.9",
                "source.port=50022",
                "user.id=7",
                "user.name=ann",
                "vendor_field=x",
            ],
        );
    }
    for (class, status, category, outcome) in [
        ("\"class_uid\":1007,\"category_uid\":1", "1", "process", "success"),
        ("\"class_uid\":4001,\"category_uid\":4", "2", "network", "failure"),
        ("\"class_uid\":6003,\"category_uid\":6", "99", "api_access", ""),
        ("\"class_uid\":3001,\"category_uid\":3", "0", "authorization", ""),
    ] {
        let record = format!("{{{class},\"status_id\":{status}}}");
        let batch = decode("auto", AS_OF, FIELDS, &[record.as_bytes()]);
        let get = |name| field(&batch, &batch.events[0], name);
        assert_eq!((get("event.category").as_str(), get("event.outcome").as_str()), (category, outcome));
    }
}

#[test]
fn a_large_record_is_read_and_a_larger_one_refused() {
    for (padding, events) in [((8 << 20) - 200, 1), (8 << 20, 0)] {
        let record = call(&format!("\"requestParameters\":{{\"x\":\"{}\"}}", "y".repeat(padding)));
        let batch = decode("cloudtrail", AS_OF, FIELDS, &[record.as_bytes()]);
        assert_eq!(batch.events.len(), events);
        assert!(batch.quarantined.iter().all(|refused| refused.reason == Reason::RecordTooLarge));
    }
}
