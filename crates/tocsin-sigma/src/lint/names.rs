//! Names of fields: which are known, and which one was probably meant.

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{Body, Expr};
use crate::finding::edits;
use crate::limits::IDENTIFIER_CHARS_MAX;
use crate::ruleset::RuleSet;

/// Rules of a set that must use a name before it counts as known there.
const USERS_MIN: usize = 2;

/// Fields of Windows events that rules ask for: those of Sysmon, the security log, PowerShell and the
/// other channels rules look at.
const WINDOWS_FIELDS: &[&str] = &[
    "AccessList",
    "AccessMask",
    "AccountName",
    "Action",
    "AdditionalInfo",
    "Address",
    "AllowedToDelegateTo",
    "AppID",
    "AppName",
    "AppVersion",
    "Application",
    "ApplicationPath",
    "AttributeLDAPDisplayName",
    "AttributeValue",
    "AuditPolicyChanges",
    "AuditSourceName",
    "AuthenticationPackageName",
    "Binary",
    "CallTrace",
    "CallerProcessName",
    "CallingProcess",
    "Caption",
    "CertThumbprint",
    "Channel",
    "ClassName",
    "ClientAddress",
    "ClientProcessId",
    "CommandLine",
    "Company",
    "Computer",
    "Configuration",
    "Contents",
    "ContextInfo",
    "CreationUtcTime",
    "CurrentDirectory",
    "Data",
    "Description",
    "DestAddress",
    "DestPort",
    "Destination",
    "DestinationHostname",
    "DestinationIp",
    "DestinationIsIpv6",
    "DestinationPort",
    "Details",
    "Device",
    "DeviceDescription",
    "DeviceName",
    "DistinguishedName",
    "ErrorCode",
    "EventID",
    "EventType",
    "ExceptionCode",
    "Feature_Name",
    "FileName",
    "FileNameBuffer",
    "FileVersion",
    "FilterName",
    "FilterOrigin",
    "Flags",
    "GrandParentImage",
    "GrantedAccess",
    "HasFullTrust",
    "Hash",
    "Hashes",
    "HiveName",
    "Image",
    "ImageLoaded",
    "ImageName",
    "ImagePath",
    "ImpersonationLevel",
    "Imphash",
    "Initiated",
    "IntegrityLevel",
    "IpAddress",
    "IpPort",
    "KeyLength",
    "Keywords",
    "LayerRTID",
    "Level",
    "LocalName",
    "LogonGuid",
    "LogonId",
    "LogonProcessName",
    "LogonType",
    "Message",
    "ModifyingApplication",
    "ModuleName",
    "Name",
    "NewName",
    "NewProcessId",
    "NewProcessName",
    "NewTargetUserName",
    "NewTemplateContent",
    "NewUacValue",
    "NewValue",
    "ObjectClass",
    "ObjectDN",
    "ObjectName",
    "ObjectServer",
    "ObjectType",
    "ObjectValueName",
    "OldTargetUserName",
    "OldUacValue",
    "OldValue",
    "Operation",
    "Origin",
    "OriginalFileName",
    "PackageFullName",
    "PackagePath",
    "PackageSourceUri",
    "ParentCommandLine",
    "ParentImage",
    "ParentProcessGuid",
    "ParentProcessId",
    "ParentProcessName",
    "ParentUser",
    "Path",
    "Payload",
    "PipeName",
    "PossibleCause",
    "PreAuthType",
    "PreviousCreationUtcTime",
    "PrivilegeList",
    "ProcessGuid",
    "ProcessId",
    "ProcessName",
    "ProcessNameBuffer",
    "ProcessPath",
    "Product",
    "Properties",
    "Protocol",
    "Provider",
    "ProviderContextName",
    "Provider_Name",
    "Query",
    "QueryName",
    "QueryResults",
    "QueryStatus",
    "Reason",
    "RelativeTargetName",
    "RemoteAddress",
    "RemoteName",
    "RequestedPolicy",
    "Requirements",
    "RuleName",
    "SamAccountName",
    "ScriptBlockText",
    "SearchFilter",
    "ServerAddress",
    "ServerName",
    "Service",
    "ServiceFileName",
    "ServiceName",
    "ServicePrincipalNames",
    "ServiceStartType",
    "ServiceType",
    "ShareLocalPath",
    "ShareName",
    "SidHistory",
    "SidList",
    "Signature",
    "SignatureStatus",
    "Signed",
    "SigningUsed",
    "SourceAddress",
    "SourceCommandLine",
    "SourceFilename",
    "SourceHostname",
    "SourceImage",
    "SourceIp",
    "SourceIsIpv6",
    "SourceName",
    "SourceParentImage",
    "SourcePort",
    "SourceProcessGUID",
    "SourceProcessId",
    "SourceThreadId",
    "SourceUser",
    "StartAddress",
    "StartFunction",
    "StartModule",
    "State",
    "Status",
    "SubStatus",
    "SubcategoryGuid",
    "SubjectDomainName",
    "SubjectLogonId",
    "SubjectUserName",
    "SubjectUserSid",
    "TargetDomainName",
    "TargetFilename",
    "TargetImage",
    "TargetInfo",
    "TargetLogonId",
    "TargetName",
    "TargetObject",
    "TargetOutboundUserName",
    "TargetParentProcessId",
    "TargetProcessGUID",
    "TargetProcessId",
    "TargetServerName",
    "TargetSid",
    "TargetUser",
    "TargetUserName",
    "TargetUserSid",
    "TaskContent",
    "TaskContentNew",
    "TaskName",
    "TemplateContent",
    "TerminalSessionId",
    "ThreatName",
    "TicketEncryptionType",
    "TicketOptions",
    "Type",
    "User",
    "UserName",
    "UtcTime",
    "Value",
    "Workstation",
    "WorkstationName",
    "param1",
    "param2",
    "param3",
    "processPath",
];

/// The names of fields that rules may use without a word.
#[derive(Clone, Debug, Default)]
pub struct FieldNames {
    /// What formats fill.
    known: BTreeSet<String>,
    /// How many rules use a name.
    used: BTreeMap<String, usize>,
}

impl FieldNames {
    /// The names that formats fill.
    pub fn new<'n>(known: impl IntoIterator<Item = &'n str>) -> FieldNames {
        FieldNames { known: known.into_iter().map(str::to_owned).collect(), used: BTreeMap::new() }
    }

    /// The same with what the conditions of a set use: a name that another rule uses too is none that
    /// was mistyped.
    #[must_use]
    pub fn used_in(mut self, rules: &RuleSet) -> FieldNames {
        for rule in &rules.rules {
            let Body::Detection(detection) = &rule.document.body else { continue };
            let mut fields = BTreeSet::new();
            gather(&detection.condition, &mut fields);
            for field in fields {
                *self.used.entry(field.to_owned()).or_default() += 1;
            }
        }
        self
    }

    /// Whether a format fills the field, or another rule uses it.
    #[must_use]
    pub fn is_known(&self, name: &str) -> bool {
        self.known.contains(name) || self.used.get(name).is_some_and(|users| *users >= USERS_MIN)
    }

    /// Whether it is a field of Windows events.
    #[must_use]
    pub fn is_of_windows(name: &str) -> bool {
        WINDOWS_FIELDS.contains(&name)
    }

    /// The known name that differs least, if it differs in no more than a slip of the pen would.
    #[must_use]
    pub fn nearest(&self, name: &str, windows: bool) -> Option<&str> {
        let length = name.chars().count();
        if !(4..=IDENTIFIER_CHARS_MAX).contains(&length) {
            return None;
        }
        let allowed = if length < 8 { 1 } else { 2 };
        let of_windows = WINDOWS_FIELDS.iter().copied().filter(|_| windows);
        self.known
            .iter()
            .map(String::as_str)
            .chain(of_windows)
            .filter(|known| known.chars().count().abs_diff(length) <= allowed && known.len() > 3)
            .map(|known| (edits(name, known), known))
            .filter(|(count, _)| *count <= allowed)
            .min()
            .map(|(_, known)| known)
    }
}

/// The fields of a condition. Its depth is bounded where it is read.
fn gather<'e>(expr: &'e Expr, fields: &mut BTreeSet<&'e str>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| gather(part, fields)),
        Expr::Not(inner) | Expr::Named(_, inner) => gather(inner, fields),
        Expr::Item(item) => fields.extend(item.field.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_has_a_neighbour() {
        let names = FieldNames::new(["source.ip", "event.outcome", "c-ip"]);
        for (name, windows, expect) in [
            ("source.ipp", false, Some("source.ip")),
            ("event.outcom", false, Some("event.outcome")),
            ("Imagee", true, Some("Image")),
            ("commandline", true, Some("CommandLine")),
            ("Imagee", false, None),
            ("zz", true, None),
            ("something.else", true, None),
        ] {
            assert_eq!(names.nearest(name, windows), expect, "{name}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_holds_each_name_once() {
        assert!(WINDOWS_FIELDS.is_sorted(), "sort it");
        assert_eq!(WINDOWS_FIELDS.iter().collect::<BTreeSet<_>>().len(), WINDOWS_FIELDS.len());
    }
}
