//! Clouds, services and appliances: the decoder says which product and service a record is of, in
//! the words of Sigma's taxonomy of log sources.

use super::{any_of, event_category};
use crate::ast::{Expr, LogSource, Unmapped};

/// Products with their services.
const PRODUCTS: &[(&str, &[&str])] = &[
    ("aws", &["cloudtrail", "guardduty", "route53", "securityhub", "vpcflow", "waf"]),
    (
        "azure",
        &[
            "activitylogs",
            "auditlogs",
            "azureactivity",
            "microsoft365portal",
            "pim",
            "riskdetection",
            "signinlogs",
        ],
    ),
    ("bitbucket", &["audit"]),
    ("cisco", &["aaa", "accounting", "asa", "bgp", "duo", "ldp"]),
    ("cloudflare", &["audit"]),
    ("fortigate", &["event", "traffic", "utm"]),
    ("fortinet", &["event", "traffic", "utm"]),
    ("gcp", &["audit", "gcp.audit", "google_workspace.admin"]),
    ("github", &["audit"]),
    ("gitlab", &["audit"]),
    ("google_workspace", &["admin", "google_workspace.admin", "login"]),
    ("huawei", &["bgp"]),
    ("juniper", &["bgp"]),
    ("kubernetes", &["audit"]),
    ("m365", &["audit", "exchange", "threat_detection", "threat_management"]),
    ("o365", &["audit", "exchange", "threat_detection", "threat_management"]),
    ("okta", &["okta"]),
    ("onelogin", &["onelogin.events"]),
    ("paloalto", &["globalprotect", "pan-os", "threat", "traffic"]),
    ("zeek", &["dce_rpc", "dns", "http", "kerberos", "rdp", "smb_files", "ssh", "x509"]),
];

/// The conditions of a log source of that product.
pub(super) fn gate(source: &LogSource, product: &str) -> Result<Expr, Unmapped> {
    let known = PRODUCTS.iter().find(|(name, _)| *name == product);
    let (name, services) =
        known.ok_or_else(|| Unmapped(format!("no format yields events of product `{product}`")))?;
    let mut conditions = vec![any_of("logsource.product", &[name])];
    if let Some(service) = source.service.as_deref() {
        if !services.contains(&service) {
            let reason = format!("no format yields events of service `{service}` of product `{product}`");
            return Err(Unmapped(reason));
        }
        conditions.push(any_of("logsource.service", &[service]));
    }
    if let Some(category) = source.category.as_deref() {
        conditions.push(event_category(category)?);
    }
    Ok(Expr::And(conditions))
}

/// The condition of a service named without its product.
pub(super) fn service(service: &str) -> Option<Expr> {
    let is_known = PRODUCTS.iter().any(|(_, services)| services.contains(&service));
    is_known.then(|| any_of("logsource.service", &[service]))
}
