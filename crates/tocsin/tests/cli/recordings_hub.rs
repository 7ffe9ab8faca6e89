//! The scenarios of the CrowdSec hub as rules with leaky buckets, against what CrowdSec found in the
//! hub's own tests.

#![expect(clippy::unwrap_used, reason = "a recording in an unexpected shape fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::recordings::{AFTER_ALL, addresses, base, id, objects_of, recording, scan};
use crate::support::Folder;

const CASES: &str = "crowdsec_hub/cases.jsonl.gz";

/// A scenario over lines that Tocsin reads: its test, name, selection, and the field of which only
/// new values count. Capacity and leak are those of the scenario's definition.
type Scenario = (&'static str, &'static str, &'static str, Option<&'static str>);

const SCENARIOS: &[Scenario] = &[
    (
        "CVE-2022-26134",
        "crowdsecurity/CVE-2022-26134",
        "url.path|contains: '%40java.lang.Runtime%40getRuntime%28%29.exec%28'",
        None,
    ),
    (
        "CVE-2022-41697",
        "crowdsecurity/CVE-2022-41697",
        "{url.path|contains: /ghost/api/admin/session, http.request.method: POST, http.response.status_code: 404}",
        None,
    ),
    (
        "CVE-2022-42889",
        "crowdsecurity/CVE-2022-42889",
        "url.query|contains: ['%7Burl%3AUTF-8%3A', '%7Bscript%3Ajava', '%7Bscript%3Ajs%3A', '%7Bdns%3Aaddress%7C']",
        None,
    ),
    (
        "CVE-2022-46169",
        "crowdsecurity/CVE-2022-46169-bf",
        "{url.path|contains: /remote_agent.php, http.request.method: GET, url.query|contains|all: [host_id, local_data_ids]}",
        None,
    ),
    (
        "CVE-2022-46169",
        "crowdsecurity/CVE-2022-46169-cmd",
        "{url.path|contains: /remote_agent.php, url.query|contains: action=polldata, url.query|re: '(?i)poller_id=.*(;|%3b)'}",
        None,
    ),
    (
        "CVE-2024-38475",
        "crowdsecurity/CVE-2024-38475",
        "{url.path|endswith: '%3f', http.response.status_code: [403, 404]}",
        Some("url.path"),
    ),
    (
        "f5-big-ip-cve-2020-5902",
        "crowdsecurity/f5-big-ip-cve-2020-5902",
        "url.original|re|i: '/tmui/login.jsp/(\\.\\.|%2E%2E);/tmui/[^.]+.jsp\\?(fileName|command|directoryPath|tabId)='",
        None,
    ),
    (
        "fortinet-cve-2018-13379",
        "crowdsecurity/fortinet-cve-2018-13379",
        "url.original|contains: '/remote/fgt_lang?lang=/../../../..//////////dev/cmdb/sslvpn_websession'",
        None,
    ),
    (
        "http-dos-random-uri",
        "crowdsecurity/http-dos-random-uri",
        "{http.request.method: GET, url.path|re: '^/[A-Z]{6}$'}",
        None,
    ),
    (
        "jira_cve-2021-26086",
        "crowdsecurity/jira_cve-2021-26086",
        "url.path|contains: ['/META-INF/maven/', '/WEB-INF/']",
        None,
    ),
    (
        "netgear_rce",
        "crowdsecurity/netgear_rce",
        "url.original|startswith: '/setup.cgi?next_file=netgear.cfg&todo=syscmd&cmd='",
        None,
    ),
    (
        "spring4shell_cve-2022-22965",
        "crowdsecurity/spring4shell_cve-2022-22965",
        "url.query|contains: class.module.classloader.",
        None,
    ),
    ("ssh-bf", "crowdsecurity/ssh-bf", "event.action: ssh_invalid_user", None),
    ("ssh-bf", "crowdsecurity/ssh-bf_user-enum", "event.action: ssh_invalid_user", Some("user.name")),
    (
        "ssh-generic-test",
        "crowdsecurity/ssh-generic-test",
        "user.name: crowdsec-test-NtktlJHV4TfBSK3wvlhiOBnl",
        None,
    ),
    (
        "ssh-timeout",
        "crowdsecurity/ssh-cve-2024-6387",
        "message|contains: [Timeout before authentication, ssh_dispatch_run_fatal]",
        None,
    ),
    (
        "zoneminder_cve-39290",
        "baudneo/zoneminder_cve-2022-39290",
        "{http.request.method: GET, url.original|contains: action=}",
        None,
    ),
];

/// Scenarios of the same tests that are no bucket over one event's fields, and why.
const NOT_BUCKETS: &[(&str, &str)] = &[
    ("crowdsecurity/ssh-time-based-bf", "asks for the median of the intervals"),
    ("crowdsecurity/ssh-time-based-bf_user-enum", "asks for the median of the intervals"),
    ("crowdsecurity/impossible-travel", "asks for places"),
    ("crowdsecurity/endlessh-bf", "endlessh is a program whose messages are not read"),
    ("crowdsecurity/http-cve-probing", "asks a list that is not part of the recording"),
    ("crowdsecurity/http-bad-user-agent", "asks a list that is not part of the recording"),
    ("crowdsecurity/http-path-traversal-probing", "asks a list that is not part of the recording"),
];

/// A bucket over the matches of a base rule, of this scenario's capacity and leak. A trigger
/// overflows with its first event.
fn bucket(name: &str, of: &str, scenario: &Value, distinct: Option<&str>, group: &str) -> String {
    let is_trigger = scenario["type"] == "trigger";
    let capacity = if is_trigger { 0 } else { scenario["capacity"].as_u64().unwrap() };
    let leak = if is_trigger { "1s" } else { scenario["leakspeed"].as_str().unwrap() };
    let field = distinct.map(|field| format!(", field: {field}")).unwrap_or_default();
    format!(
        "---\ntitle: {name}\nid: '{}'\ncorrelation:\n  type: leaky_bucket\n  rules: ['{of}']\n  \
         group-by: ['{group}']\n  timespan: 1d\n  leak: {leak}\n  condition: {{gt: {capacity}{field}}}\n\
         level: high\n",
        id(name)
    )
}

#[test]
fn attackers_of_the_hub_are_found() {
    let Some(cases) = recording(CASES) else { return };
    let mut seen = BTreeSet::new();
    for case in objects_of(&cases) {
        let test = case["test"].as_str().unwrap();
        let kind = case["log_type"].as_str().unwrap();
        if !(matches!(kind, "nginx" | "apache2") || (kind == "syslog" && test.contains("ssh"))) {
            continue;
        }
        let lines: Vec<&str> =
            case["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let folder = Folder::new().with("case.log", lines.join("\n"));
        let log = folder.path().join("case.log");
        for (name, sources) in sources_of(&case) {
            if NOT_BUCKETS.iter().any(|(scenario, _)| *scenario == name) {
                continue;
            }
            let scenario = SCENARIOS.iter().find(|(of, scenario, ..)| (*of, *scenario) == (test, name));
            let Some((_, _, selection, distinct)) = scenario else {
                panic!("{test}: {name} is not in the table")
            };
            let selection = match selection.strip_prefix('{') {
                Some(_) => format!("  s: {selection}\n  condition: s\n"),
                None => format!("  s:\n    {selection}\n  condition: s\n"),
            };
            let logsource =
                if kind == "syslog" { "product: linux, service: sshd" } else { "category: webserver" };
            let defined = &case["scenario_rules"][name];
            let rules =
                base("one", logsource, &selection) + &bucket("many", "one", defined, *distinct, "source.ip");
            let got = scan(&[log.to_str().unwrap()], &rules, AFTER_ALL, "--json");
            assert_eq!(addresses(&got, "many"), sources, "{test}: {name}");
            seen.insert((test.to_string(), name.to_string()));
        }
    }
    assert_eq!(seen.len(), SCENARIOS.len(), "{seen:?}");
}

/// The sources of each scenario that overflowed in a test.
fn sources_of(case: &Value) -> BTreeMap<&str, BTreeSet<String>> {
    let mut sources: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for overflow in case["expected_overflows"].as_array().unwrap() {
        let of = overflow["sources"].as_array().unwrap().iter();
        let of = of.map(|source| source.as_str().unwrap().to_string());
        sources.entry(overflow["scenario"].as_str().unwrap()).or_default().extend(of);
    }
    sources
}

/// Every overflow of a bucket comes with the events that were in it: they overflow a bucket of the
/// same capacity and leak at the last of them, and without it they do not.
#[test]
fn buckets_overflow_with_the_event_that_crowdsec_names() {
    let Some(cases) = recording(CASES) else { return };
    let (mut agreed, mut not_compared) = (0, BTreeMap::new());
    for case in objects_of(&cases) {
        for overflow in case["expected_overflows"].as_array().unwrap() {
            let scenario = &case["scenario_rules"][overflow["scenario"].as_str().unwrap_or_default()];
            if scenario["type"] != "leaky" {
                continue;
            }
            let events = match comparable(overflow, scenario) {
                Ok(events) => events,
                Err(reason) => {
                    *not_compared.entry(reason).or_insert(0) += 1;
                    continue;
                }
            };
            let last = events.last().unwrap()["timestamp"].as_str().unwrap();
            let [at] = overflows(&events, scenario).try_into().unwrap_or_else(|_| panic!("{overflow}"));
            assert_eq!(at, last, "{overflow}");
            let but_last = overflows(&events[..events.len() - 1], scenario);
            assert_eq!(but_last, Vec::<String>::new(), "{overflow}");
            agreed += 1;
        }
    }
    assert_eq!(agreed, 45);
    assert_eq!(not_compared, BTreeMap::from([(NOT_WHOLE, 14), (LAST_ONLY, 3), (OF_ANOTHER, 3)]));
}

/// The field a scenario's expression names, under the name the events have it.
fn field_of(expression: &Value) -> Option<String> {
    let name = expression.as_str()?.rsplit('.').next()?;
    Some(if name == "request" { "http_path" } else { name }.to_string())
}

/// Why an overflow cannot be judged by the events that come with it.
const NOT_WHOLE: &str = "the test does not say the time, key or value of every event";
const LAST_ONLY: &str = "the test gives the last events of a bucket that leaked in between";
const OF_ANOTHER: &str =
    "the definition recorded is that of another scenario of the same name, too large for the events";

/// The events of an overflow by their times, where it can be judged by them.
fn comparable(overflow: &Value, scenario: &Value) -> Result<Vec<Value>, &'static str> {
    let mut events = overflow["events"].as_array().unwrap().clone();
    let fields = [field_of(&scenario["groupby"]), field_of(&scenario["distinct"])];
    let needed: Vec<String> = fields.into_iter().flatten().chain(["timestamp".to_string()]).collect();
    if !events.iter().all(|event| needed.iter().all(|name| event[name].is_string())) {
        return Err(NOT_WHOLE);
    }
    if overflow["events_count"].as_u64() != Some(events.len() as u64) {
        return Err(LAST_ONLY);
    }
    if events.len() as u64 <= scenario["capacity"].as_u64().unwrap() {
        return Err(OF_ANOTHER);
    }
    events.sort_by(|one, other| one["timestamp"].as_str().cmp(&other["timestamp"].as_str()));
    Ok(events)
}

/// The times, as sent, of the events with which these overflow a bucket of this scenario.
fn overflows(events: &[Value], scenario: &Value) -> Vec<String> {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let folder = Folder::new().with("events.jsonl", lines.join("\n"));
    let any = base("one", "category: application", "  s:\n    timestamp|exists: true\n  condition: s\n");
    let group = field_of(&scenario["groupby"]).unwrap();
    let distinct = field_of(&scenario["distinct"]);
    let rules = any + &bucket("many", "one", scenario, distinct.as_deref(), &group);
    let path = folder.path().join("events.jsonl");
    let got = scan(&[path.to_str().unwrap()], &rules, AFTER_ALL, "--json");
    got.objects().iter().map(|alert| alert["event"]["timestamp"].as_str().unwrap().to_string()).collect()
}
