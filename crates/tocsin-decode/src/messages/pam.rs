//! Messages of the pluggable authentication modules, logged under the name of any program.
//!
//! They carry no outcome: the program that asked PAM logs the result of the attempt itself, and
//! an attempt must not count twice.

use super::Said;
use crate::text::{before, split_at_word};

/// Reads `pam_module(service:type): text`.
#[must_use]
pub fn read(message: &[u8]) -> Option<Said<'_>> {
    let (_, text) = split_at_word(message, b"): ")?;
    if text.starts_with(b"authentication failure;") {
        return Some(authentication_failure(text));
    }
    if let Some(user) = text.strip_prefix(b"session opened for user ") {
        let user = before(before(user, b' '), b'(');
        return Some(Said { user, ..Said::new("session", "session_opened", None) });
    }
    if let Some(user) = text.strip_prefix(b"session closed for user ") {
        return Some(Said { user: user.trim_ascii(), ..Said::new("session", "session_closed", None) });
    }
    let user = text.strip_prefix(b"password changed for ")?.trim_ascii();
    Some(Said { user, ..Said::new("authorization", "password_changed", None) })
}

/// Reads the `name=value` pairs of a failure. `user=` is the last of them and may hold spaces.
pub(super) fn authentication_failure(text: &[u8]) -> Said<'_> {
    let source = split_at_word(text, b" rhost=").map_or(&b""[..], |(_, rest)| before(rest, b' '));
    let user = split_at_word(text, b" user=").map_or(&b""[..], |(_, rest)| rest.trim_ascii());
    Said { user, source, ..Said::new("authentication", "pam_authentication_failure", None) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::render;

    #[test]
    fn failures_sessions_and_passwords() {
        for (message, expect) in [
            (
                "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=root",
                "authentication/pam_authentication_failure/- user=root source=203.0.113.9",
            ),
            (
                "pam_unix(sudo:auth): authentication failure; logname=ann uid=1000 euid=0 tty=/dev/pts/0 ruser=ann rhost=  user=ann",
                "authentication/pam_authentication_failure/- user=ann",
            ),
            (
                "pam_unix(sshd:session): session opened for user ann(uid=1000) by (uid=0)",
                "session/session_opened/- user=ann",
            ),
            (
                "pam_unix(cron:session): session opened for user root by (uid=0)",
                "session/session_opened/- user=root",
            ),
            ("pam_unix(sudo:session): session closed for user root", "session/session_closed/- user=root"),
            (
                "pam_unix(chpasswd:chauthtok): password changed for bob",
                "authorization/password_changed/- user=bob",
            ),
            ("pam_unix(sshd:auth): check pass; user unknown", "syslog"),
            ("pam_", "syslog"),
        ] {
            assert_eq!(render("anything", message), expect, "{message}");
        }
    }
}
