//! Log sources: from `product/category/service` to the conditions an event must meet.
//!
//! A rule is only about events of its log source. Windows categories become Sysmon event ids and
//! services become channels, as in the public Sysmon and Windows pipelines of Sigma; other sources
//! rely on what the decoder recognises.

use crate::ast::{Expr, Item, LogSource, Part, Pattern, Test};

/// Sysmon event ids of a category.
const SYSMON_CATEGORIES: &[(&str, &[&str])] = &[
    ("clipboard_capture", &["24"]),
    ("create_remote_thread", &["8"]),
    ("create_stream_hash", &["15"]),
    ("dns_query", &["22"]),
    ("driver_load", &["6"]),
    ("file_block_executable", &["27"]),
    ("file_block_shredding", &["28"]),
    ("file_change", &["2"]),
    ("file_delete", &["23", "26"]),
    ("file_delete_detected", &["26"]),
    ("file_event", &["11"]),
    ("file_executable_detected", &["29"]),
    ("image_load", &["7"]),
    ("network_connection", &["3"]),
    ("pipe_created", &["17", "18"]),
    ("process_access", &["10"]),
    ("process_creation", &["1"]),
    ("process_tampering", &["25"]),
    ("process_termination", &["5"]),
    ("raw_access_thread", &["9"]),
    ("registry_add", &["12"]),
    ("registry_delete", &["12"]),
    ("registry_event", &["12", "13", "14"]),
    ("registry_rename", &["14"]),
    ("registry_set", &["13"]),
    ("sysmon_error", &["255"]),
    ("sysmon_status", &["4", "16"]),
    ("wmi_event", &["19", "20", "21"]),
];

/// Event ids of PowerShell categories, with their channels.
const POWERSHELL_CATEGORIES: &[(&str, &str, &[&str])] = &[
    ("ps_module", "4103", POWERSHELL),
    ("ps_script", "4104", POWERSHELL),
    ("ps_classic_start", "400", &["Windows PowerShell"]),
    ("ps_classic_provider_start", "600", &["Windows PowerShell"]),
    ("ps_classic_script", "800", &["Windows PowerShell"]),
];

const POWERSHELL: &[&str] = &["Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"];

/// Channels of Windows services.
const WINDOWS_SERVICES: &[(&str, &[&str])] = &[
    ("application", &["Application"]),
    (
        "applocker",
        &[
            "Microsoft-Windows-AppLocker/MSI and Script",
            "Microsoft-Windows-AppLocker/EXE and DLL",
            "Microsoft-Windows-AppLocker/Packaged app-Deployment",
            "Microsoft-Windows-AppLocker/Packaged app-Execution",
        ],
    ),
    ("appmodel-runtime", &["Microsoft-Windows-AppModel-Runtime/Admin"]),
    ("appxdeployment-server", &["Microsoft-Windows-AppXDeploymentServer/Operational"]),
    ("appxpackaging-om", &["Microsoft-Windows-AppxPackaging/Operational"]),
    ("bitlocker", &["Microsoft-Windows-BitLocker/BitLocker Management"]),
    ("bits-client", &["Microsoft-Windows-Bits-Client/Operational"]),
    ("capi2", &["Microsoft-Windows-CAPI2/Operational"]),
    (
        "certificateservicesclient-lifecycle-system",
        &["Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"],
    ),
    ("codeintegrity-operational", &["Microsoft-Windows-CodeIntegrity/Operational"]),
    ("dhcp", &["Microsoft-Windows-DHCP-Server/Operational"]),
    ("diagnosis-scripted", &["Microsoft-Windows-Diagnosis-Scripted/Operational"]),
    ("dns-client", &["Microsoft-Windows-DNS Client Events/Operational"]),
    ("dns-server", &["DNS Server"]),
    ("dns-server-analytic", &["Microsoft-Windows-DNS-Server/Analytical"]),
    ("driver-framework", &["Microsoft-Windows-DriverFrameworks-UserMode/Operational"]),
    ("firewall-as", &["Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"]),
    ("hyper-v-worker", &["Microsoft-Windows-Hyper-V-Worker"]),
    ("iis-configuration", &["Microsoft-IIS-Configuration/Operational"]),
    ("kernel-event-tracing", &["Microsoft-Windows-Kernel-EventTracing"]),
    (
        "kernel-shimengine",
        &[
            "Microsoft-Windows-Kernel-ShimEngine/Operational",
            "Microsoft-Windows-Kernel-ShimEngine/Diagnostic",
        ],
    ),
    ("ldap", &["Microsoft-Windows-LDAP-Client/Debug"]),
    ("ldap_debug", &["Microsoft-Windows-LDAP-Client/Debug"]),
    ("lsa-server", &["Microsoft-Windows-LSA/Operational"]),
    ("microsoft-servicebus-client", &["Microsoft-ServiceBus-Client"]),
    ("msexchange-management", &["MSExchange Management"]),
    ("ntfs", &["Microsoft-Windows-Ntfs/Operational"]),
    ("ntlm", &["Microsoft-Windows-NTLM/Operational"]),
    ("openssh", &["OpenSSH/Operational"]),
    ("powershell", POWERSHELL),
    ("powershell-classic", &["Windows PowerShell"]),
    ("printservice-admin", &["Microsoft-Windows-PrintService/Admin"]),
    ("printservice-operational", &["Microsoft-Windows-PrintService/Operational"]),
    ("security", &["Security"]),
    (
        "security-mitigations",
        &[
            "Microsoft-Windows-Security-Mitigations/Kernel Mode",
            "Microsoft-Windows-Security-Mitigations/User Mode",
        ],
    ),
    ("sense", &["Microsoft-Windows-SENSE/Operational"]),
    ("servicebus-client", &["Microsoft-ServiceBus-Client/Admin", "Microsoft-ServiceBus-Client/Operational"]),
    ("shell-core", &["Microsoft-Windows-Shell-Core/Operational"]),
    ("smbclient-connectivity", &["Microsoft-Windows-SmbClient/Connectivity"]),
    ("smbclient-security", &["Microsoft-Windows-SmbClient/Security"]),
    ("smbserver-connectivity", &["Microsoft-Windows-SMBServer/Connectivity"]),
    ("sysmon", &["Microsoft-Windows-Sysmon/Operational"]),
    ("system", &["System"]),
    ("taskscheduler", &["Microsoft-Windows-TaskScheduler/Operational"]),
    (
        "terminalservices-localsessionmanager",
        &["Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"],
    ),
    ("vhdmp", &["Microsoft-Windows-VHDMP/Operational"]),
    ("windefend", &["Microsoft-Windows-Windows Defender/Operational"]),
    ("wmi", &["Microsoft-Windows-WMI-Activity/Operational"]),
];

/// Services of Linux syslog that the decoder recognises, and the services they are called by.
const LINUX_SERVICES: &[(&str, &[&str])] = &[
    ("auth", &["sshd", "sudo", "su", "syslog"]),
    ("cron", &["cron"]),
    ("sshd", &["sshd"]),
    ("su", &["su"]),
    ("sudo", &["sudo"]),
    ("syslog", &["sshd", "sudo", "su", "cron", "syslog"]),
];

/// Products whose services the decoder recognises by what their events carry.
const CLOUDS: &[&str] = &["aws", "azure", "gcp", "github", "kubernetes", "m365", "okta", "onelogin"];

/// Categories that are event categories of the taxonomy, and the values they take.
const CATEGORIES: &[(&str, &[&str])] = &[
    ("api_access", &["api_access"]),
    ("application", &[]),
    ("authentication", &["authentication"]),
    ("authorization", &["authorization"]),
    ("config_change", &["config_change"]),
    ("data_access", &["data_access"]),
    ("database", &["database"]),
    ("file", &["file"]),
    ("network", &["network"]),
    ("process", &["process"]),
    ("session", &["session"]),
    ("web", &["web"]),
    ("webserver", &["web", "api_access"]),
];

/// A log source no event can be of, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped(pub String);

/// The conditions an event must meet to be of a log source; true for an empty one.
///
/// # Errors
/// [`Unmapped`] when no format Tocsin reads yields such events.
pub fn gate(source: &LogSource) -> Result<Expr, Unmapped> {
    match source.product.as_deref() {
        Some("windows") => windows(source),
        Some("linux") => linux(source),
        Some("apache" | "nginx") | None => generic(source),
        Some(product) if CLOUDS.contains(&product) => Ok(cloud(source, product)),
        Some(other) => Err(Unmapped(format!("no format yields events of product `{other}`"))),
    }
}

fn windows(source: &LogSource) -> Result<Expr, Unmapped> {
    let mut conditions = Vec::new();
    if let Some(category) = source.category.as_deref() {
        conditions.push(windows_category(category)?);
    }
    if let Some(service) = source.service.as_deref() {
        let found = WINDOWS_SERVICES.iter().find(|(name, _)| *name == service);
        let (_, channels) =
            found.ok_or_else(|| Unmapped(format!("no Windows channel is known for service `{service}`")))?;
        conditions.push(any_of("Channel", channels));
    }
    if conditions.is_empty() {
        conditions.push(any_of("logsource.product", &["windows"]));
    }
    Ok(Expr::And(conditions))
}

fn windows_category(category: &str) -> Result<Expr, Unmapped> {
    if let Some((_, id, channels)) = POWERSHELL_CATEGORIES.iter().find(|(name, ..)| *name == category) {
        return Ok(Expr::And(vec![any_of("Channel", channels), any_of("EventID", &[id])]));
    }
    let found = SYSMON_CATEGORIES.iter().find(|(name, _)| *name == category);
    let (_, ids) =
        found.ok_or_else(|| Unmapped(format!("no Windows event id is known for category `{category}`")))?;
    let channel = any_of("Channel", &["Microsoft-Windows-Sysmon/Operational"]);
    Ok(Expr::And(vec![channel, any_of("EventID", ids)]))
}

fn linux(source: &LogSource) -> Result<Expr, Unmapped> {
    let mut conditions = vec![any_of("logsource.product", &["linux"])];
    if let Some(service) = source.service.as_deref() {
        let found = LINUX_SERVICES.iter().find(|(name, _)| *name == service);
        let (_, services) =
            found.ok_or_else(|| Unmapped(format!("no format yields events of Linux service `{service}`")))?;
        conditions.push(any_of("logsource.service", services));
    }
    if let Some(category) = source.category.as_deref() {
        conditions.push(event_category(category)?);
    }
    Ok(Expr::And(conditions))
}

fn cloud(source: &LogSource, product: &str) -> Expr {
    let mut conditions = vec![any_of("logsource.product", &[product])];
    conditions.extend(source.service.as_deref().map(|service| any_of("logsource.service", &[service])));
    Expr::And(conditions)
}

fn generic(source: &LogSource) -> Result<Expr, Unmapped> {
    let mut conditions = Vec::new();
    if let Some(category) = source.category.as_deref() {
        conditions.push(event_category(category)?);
    } else if source.product.is_some() {
        conditions.push(event_category("webserver")?);
    }
    let web = matches!(source.service.as_deref(), Some("apache" | "nginx" | "access"));
    match source.service.as_deref() {
        Some(service) if !web => {
            let (_, services) = LINUX_SERVICES
                .iter()
                .find(|(name, _)| *name == service)
                .ok_or_else(|| Unmapped(format!("no format yields events of service `{service}`")))?;
            conditions.push(any_of("logsource.service", services));
        }
        _ => {}
    }
    Ok(Expr::And(conditions))
}

fn event_category(category: &str) -> Result<Expr, Unmapped> {
    let found = CATEGORIES.iter().find(|(name, _)| *name == category);
    let (_, values) =
        found.ok_or_else(|| Unmapped(format!("no format yields events of category `{category}`")))?;
    Ok(if values.is_empty() { Expr::And(Vec::new()) } else { any_of("event.category", values) })
}

fn any_of(field: &str, values: &[&str]) -> Expr {
    let pattern = |value: &&str| {
        Test::Pattern(Pattern { parts: vec![Part::Literal((*value).to_string())], cased: false })
    };
    Expr::Item(Item {
        field: Some(field.to_string()),
        written: format!("{field} (log source)"),
        tests: values.iter().map(pattern).collect(),
        all: false,
        place: Default::default(),
    })
}
