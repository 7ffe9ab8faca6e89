//! Log sources: what each becomes, what is none, and those a house maps itself.

use std::sync::Arc;

use super::*;
use crate::test_support::show;

fn source(product: &str, category: &str, service: &str) -> LogSource {
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    LogSource {
        product: part(product),
        category: part(category),
        service: part(service),
        ..LogSource::default()
    }
}

fn gated(product: &str, category: &str, service: &str) -> String {
    match gate(&source(product, category, service), &OwnSources::default()) {
        Ok(expr) => show(&expr),
        Err(unmapped) => unmapped.0,
    }
}

#[test]
fn sources_become_conditions() {
    for (product, category, service, expect) in [
        (
            "windows",
            "process_creation",
            "",
            "(and (and Channel=[<Microsoft-Windows-Sysmon/Operational>] EventID=[<1>]))",
        ),
        ("windows", "", "security", "(and Channel=[<Security>])"),
        ("linux", "", "sshd", "(and logsource.product=[<linux>] logsource.service=[<sshd>])"),
        (
            "linux",
            "",
            "auditd",
            "(and logsource.product=[<linux>] log.syslog.appname=[<audispd>] | [<audit>] | [<auditd>])",
        ),
        ("linux", "process_creation", "", "(and Channel=[<Linux-Sysmon/Operational>] EventID=[<1>])"),
        ("aws", "", "cloudtrail", "(and logsource.product=[<aws>] logsource.service=[<cloudtrail>])"),
        ("azure", "", "signinlogs", "(and logsource.product=[<azure>] logsource.service=[<signinlogs>])"),
        ("gcp", "", "gcp.audit", "(and logsource.product=[<gcp>] logsource.service=[<gcp.audit>])"),
        ("okta", "", "okta", "(and logsource.product=[<okta>] logsource.service=[<okta>])"),
        ("github", "", "audit", "(and logsource.product=[<github>] logsource.service=[<audit>])"),
        (
            "kubernetes",
            "application",
            "audit",
            "(and logsource.product=[<kubernetes>] logsource.service=[<audit>] (and ))",
        ),
        ("fortinet", "firewall", "", "(and observer.vendor=[<Fortinet>*] event.category=[<network>])"),
        ("cisco", "", "asa", "(and observer.vendor=[<Cisco>*] observer.product=[<ASA>*])"),
        ("zeek", "", "dns", "(and _path=[<dns>])"),
        ("bitbucket", "", "audit", "(and auditType.action=exists(true))"),
        ("azure", "", "pim", "(and logsource.product=[<azure>] logsource.service=[<riskdetection>])"),
        (
            "google_workspace",
            "",
            "",
            "(and logsource.product=[<gcp>] logsource.service=[<google_workspace.admin>] | [<google_workspace.login>])",
        ),
        ("o365", "", "exchange", "(and logsource.product=[<m365>] logsource.service=[<exchange>])"),
        ("onelogin", "", "", "(and logsource.product=[<onelogin>])"),
        ("", "webserver", "", "(and event.category=[<web>] | [<api_access>])"),
        ("", "proxy", "", "(and event.category=[<web>])"),
        ("nginx", "", "", "(and event.category=[<web>] | [<api_access>])"),
        ("", "", "cloudtrail", "(and logsource.service=[<cloudtrail>])"),
        ("toaster", "", "", "no format yields events of product `toaster`"),
        ("aws", "", "cloudtrial", "no format yields events of service `cloudtrial` of product `aws`"),
        ("cisco", "", "bgp", "no format yields events of service `bgp` of product `cisco`"),
        ("windows", "toasting", "", "no Windows event id is known for category `toasting`"),
        (
            "",
            "process_creation",
            "",
            "(and (or (and (and Channel=[<Microsoft-Windows-Sysmon/Operational>] EventID=[<1>])) \
             (and Channel=[<Linux-Sysmon/Operational>] EventID=[<1>])))",
        ),
        ("", "toasting", "", "no format yields events of category `toasting`"),
    ] {
        assert_eq!(gated(product, category, service), expect, "{product}/{category}/{service}");
    }
}

#[test]
fn a_house_maps_its_own() {
    let text = "- product: Acme\n  service: vpn\n  where:\n    event.dataset: [acme.vpn, 'acme.*']\n    \
                kind: 7\n- product: acme\n  service: vpn\n  where: {a: b}\n- category: webserver\n  where: {c: d}\n";
    let (own, found) = OwnSources::read(&Arc::default(), text);
    assert_eq!(found, Vec::new());
    let shown =
        |product, category, service| gate(&source(product, category, service), &own).map(|expr| show(&expr));
    assert_eq!(
        shown("acme", "", "vpn").unwrap(),
        "(or (and event.dataset=[<acme.vpn>] | [<acme.>*] kind=[<7>]) (and a=[<b>]))"
    );
    assert_eq!(shown("", "webserver", "").unwrap(), "(and c=[<d>])");
    assert!(shown("acme", "", "").is_err(), "an entry speaks of the parts it names, all of them");
}

#[test]
fn maps_that_are_wrong() {
    for (text, expect) in [
        ("a: b\n", "1:1 wrong_type"),
        ("- x\n", "1:3 wrong_type"),
        ("- where: {a: b}\n", "1:3 empty_logsource"),
        ("- product: a\n", "1:3 missing_key"),
        ("- product: a\n  where: {}\n", "2:3 no_value"),
        ("- product: a\n  were: {a: b}\n  where: {a: b}\n", "2:3 unknown_key"),
        ("- product: a\n  where: {a: {b: c}}\n", "2:14 wrong_type"),
    ] {
        let (_, found) = OwnSources::read(&Arc::default(), text);
        let found = format!("{}:{} {}", found[0].place.line, found[0].place.column, found[0].code);
        assert_eq!(found, expect, "{text}");
    }
}

#[test]
fn a_part_is_within_the_whole() {
    let (all, service) = (source("aws", "", ""), source("aws", "", "cloudtrail"));
    assert!(is_within(&service, &all) && is_within(&all, &all));
    assert!(!is_within(&all, &service) && !is_within(&source("gcp", "", ""), &all));
}
