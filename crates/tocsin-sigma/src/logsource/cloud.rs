//! Clouds, services and appliances: the decoder says which product and service a record is of, in
//! the words of Sigma's taxonomy of log sources; CEF says whose appliance it is; some are told by a
//! field that only they have.

use super::{any_of, any_pattern, event_category};
use crate::ast::{Expr, Item, LogSource, Pattern, Test, Unmapped};

/// A product the decoder recognises.
struct Product {
    /// As rules write it.
    name: &'static str,
    /// As the decoder says it.
    said: &'static str,
    /// Services as rules write them, with what the decoder says of such records.
    services: &'static [(&'static str, &'static [&'static str])],
    /// Whether these services are only a part of what the decoder says of the product.
    part: bool,
}

const fn of(name: &'static str, services: &'static [(&'static str, &'static [&'static str])]) -> Product {
    Product { name, said: name, services, part: false }
}

const M365: &[(&str, &[&str])] = &[
    ("audit", &["audit", "exchange", "threat_management"]),
    ("exchange", &["exchange"]),
    ("threat_detection", &["threat_management"]),
    ("threat_management", &["threat_management"]),
];

const WORKSPACE: &[(&str, &[&str])] = &[
    ("admin", &["google_workspace.admin"]),
    ("google_workspace.admin", &["google_workspace.admin"]),
    ("google_workspace.login", &["google_workspace.login"]),
    ("login", &["google_workspace.login"]),
];

const PRODUCTS: &[Product] = &[
    of("aws", &[("cloudtrail", &["cloudtrail"])]),
    of(
        "azure",
        &[
            ("activitylogs", &["activitylogs"]),
            ("auditlogs", &["auditlogs"]),
            ("azureactivity", &["activitylogs"]),
            ("pim", &["riskdetection"]),
            ("riskdetection", &["riskdetection"]),
            ("signinlogs", &["signinlogs"]),
        ],
    ),
    of(
        "gcp",
        &[
            ("audit", &["gcp.audit"]),
            ("gcp.audit", &["gcp.audit"]),
            ("google_workspace.admin", &["google_workspace.admin"]),
            ("google_workspace.login", &["google_workspace.login"]),
        ],
    ),
    of("github", &[("audit", &["audit"])]),
    Product { name: "google_workspace", said: "gcp", services: WORKSPACE, part: true },
    of("kubernetes", &[("audit", &["audit"])]),
    of("m365", M365),
    Product { name: "o365", said: "m365", services: M365, part: false },
    of("okta", &[("okta", &["okta"])]),
    of("onelogin", &[("onelogin.events", &["onelogin.events"])]),
];

/// A product, how its maker's name begins, and services with how the appliance's name begins.
type Vendor = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Makers of appliances that log in CEF.
const VENDORS: &[Vendor] = &[
    ("checkpoint", "Check Point", &[]),
    ("cisco", "Cisco", &[("asa", "ASA")]),
    ("f5", "F5", &[]),
    ("fortigate", "Fortinet", &[]),
    ("fortinet", "Fortinet", &[("fortigate", "Fortigate")]),
    ("huawei", "Huawei", &[]),
    ("juniper", "Juniper", &[]),
    ("paloalto", "Palo Alto", &[("pan-os", "PAN-OS")]),
];

/// Field in which Zeek says which of its logs a record is of, and those logs.
const ZEEK: (&str, &[&str]) = (
    "_path",
    &[
        "conn",
        "dce_rpc",
        "dns",
        "files",
        "http",
        "kerberos",
        "notice",
        "rdp",
        "smb_files",
        "ssh",
        "ssl",
        "x509",
    ],
);

/// The conditions of a log source of that product.
pub(super) fn gate(source: &LogSource, product: &str) -> Result<Expr, Unmapped> {
    let mut conditions = match product {
        "bitbucket" => bitbucket(source)?,
        "zeek" => zeek(source)?,
        _ => match PRODUCTS.iter().find(|known| known.name == product) {
            Some(known) => recognised(source, known)?,
            None => of_vendor(source, product)?,
        },
    };
    if let Some(category) = source.category.as_deref() {
        conditions.push(event_category(category)?);
    }
    Ok(Expr::And(conditions))
}

fn recognised(source: &LogSource, product: &Product) -> Result<Vec<Expr>, Unmapped> {
    let mut conditions = vec![any_of("logsource.product", &[product.said])];
    match source.service.as_deref() {
        Some(service) => {
            let known = product.services.iter().find(|(name, _)| *name == service);
            let (_, said) = known.ok_or_else(|| unknown_service(product.name, service))?;
            conditions.push(any_of("logsource.service", said));
        }
        None if product.part => {
            let mut said: Vec<&str> = product.services.iter().flat_map(|(_, said)| *said).copied().collect();
            said.sort_unstable();
            said.dedup();
            conditions.push(any_of("logsource.service", &said));
        }
        None => {}
    }
    Ok(conditions)
}

fn of_vendor(source: &LogSource, product: &str) -> Result<Vec<Expr>, Unmapped> {
    let known = VENDORS.iter().find(|(name, ..)| *name == product);
    let (_, vendor, services) =
        known.ok_or_else(|| Unmapped(format!("no format yields events of product `{product}`")))?;
    let mut conditions = vec![begins("observer.vendor", vendor)];
    if let Some(service) = source.service.as_deref() {
        let known = services.iter().find(|(name, _)| *name == service);
        let (_, appliance) = known.ok_or_else(|| unknown_service(product, service))?;
        conditions.push(begins("observer.product", appliance));
    }
    Ok(conditions)
}

fn zeek(source: &LogSource) -> Result<Vec<Expr>, Unmapped> {
    let (field, logs) = ZEEK;
    match source.service.as_deref() {
        None => Ok(vec![any_of(field, logs)]),
        Some(service) if logs.contains(&service) => Ok(vec![any_of(field, &[service])]),
        Some(service) => Err(unknown_service("zeek", service)),
    }
}

fn bitbucket(source: &LogSource) -> Result<Vec<Expr>, Unmapped> {
    match source.service.as_deref() {
        None | Some("audit") => Ok(vec![Expr::Item(Item {
            field: Some("auditType.action".to_string()),
            written: "auditType.action (log source)".to_string(),
            tests: vec![Test::Exists(true)],
            all: false,
            place: Default::default(),
        })]),
        Some(service) => Err(unknown_service("bitbucket", service)),
    }
}

/// The condition of a service named without its product.
pub(super) fn service(service: &str) -> Option<Expr> {
    let mut services = PRODUCTS.iter().flat_map(|product| product.services);
    services.find(|(name, _)| *name == service).map(|(_, said)| any_of("logsource.service", said))
}

fn begins(field: &str, start: &str) -> Expr {
    let mut pattern = Pattern::literal(start);
    pattern.open_end();
    any_pattern(field, std::iter::once(pattern))
}

fn unknown_service(product: &str, service: &str) -> Unmapped {
    Unmapped(format!("no format yields events of service `{service}` of product `{product}`"))
}
