//! Windows: categories become Sysmon event ids, services become channels, as in the public Sysmon
//! and Windows pipelines of Sigma.

use super::any_of;
use crate::ast::{Expr, LogSource, Unmapped};

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

/// The conditions of a log source with `product: windows`.
pub(super) fn gate(source: &LogSource) -> Result<Expr, Unmapped> {
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
