//! Messages of OpenSSH's server (`sshd`, since 9.8 also `sshd-session`, since 10.0 `sshd-auth`).
//!
//! One attempt to log in leaves several lines: PAM's, `Invalid user`, `Failed password`, the close
//! of the connection. Only `Failed …` and `Accepted …` carry an outcome.
//!
//! User names come from the other end and may hold spaces, ` from ` or a whole forged line; so
//! where a name precedes the address, the address is read from the right.

use super::{FAILURE, SUCCESS, Said};
use crate::text::{
    before, is_address_like, leading_digits, rsplit_at_word, rsplit_once, split_at_word, split_once,
};

/// Beginnings of messages, after `error: ` or `fatal: `, and the reader of what follows. Frequent
/// ones first; the first that fits is taken.
const MESSAGES: &[(&[u8], super::Reader)] = &[
    (b"Failed ", |rest| login(rest, FAILURE)),
    (b"Accepted ", |rest| login(rest, SUCCESS)),
    (b"Invalid user ", |rest| user_from(rest, "ssh_invalid_user")),
    (b"Connection closed by ", closed),
    (b"Connection reset by ", closed),
    (b"Received disconnect from ", received_disconnect),
    (b"Disconnected from ", closed),
    (b"Disconnecting ", closed),
    (b"maximum authentication attempts exceeded for ", |rest| {
        user_from(after_invalid_user(rest), "ssh_max_attempts")
    }),
    (b"PAM ", more_failures),
    (b"Connection from ", |rest| peer(rest, "ssh_connection")),
    (b"Did not receive identification string from ", |rest| peer(rest, "ssh_no_identification")),
    (b"Timeout before authentication for connection from ", |rest| peer(rest, "ssh_timeout")),
    (b"Timeout before authentication for ", |rest| peer(rest, "ssh_timeout")),
    (b"Unable to negotiate with ", |rest| peer(rest, "ssh_negotiation_failed")),
    (b"Bad protocol version identification ", |rest| peer_at_end(rest, "ssh_bad_protocol")),
    (b"Magic value check failed ", |rest| peer_at_end(rest, "ssh_bad_protocol")),
    (b"banner exchange: Connection from ", |rest| peer(rest, "ssh_bad_protocol")),
    (b"ssh_dispatch_run_fatal: Connection from ", dispatch_failed),
    (b"User ", not_allowed),
    (b"refused connect from ", refused),
    (b"drop connection ", dropped),
];

/// Reads a message of `sshd`.
#[must_use]
pub fn read(message: &[u8]) -> Option<Said<'_>> {
    let unprefixed = message.strip_prefix(b"error: ").or_else(|| message.strip_prefix(b"fatal: "));
    let text = unprefixed.unwrap_or(message);
    MESSAGES.iter().find_map(|(beginning, reader)| text.strip_prefix(*beginning).map(reader))?
}

/// The other end of a connection.
struct Peer<'a> {
    host: &'a [u8],
    port: &'a [u8],
}

impl<'a> Peer<'a> {
    /// Reads `host port 22…`, or `host…` as older versions wrote it.
    fn read(text: &'a [u8]) -> Option<Peer<'a>> {
        let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        let (host, rest) = text.split_at_checked(end)?;
        let host = host.strip_suffix(b":").unwrap_or(host);
        if host.is_empty() {
            return None;
        }
        let port = rest.strip_prefix(b" port ").map_or(&b""[..], |port| leading_digits(port).0);
        Some(Peer { host, port })
    }

    fn of(self, category: &'static str, action: &'static str) -> Said<'a> {
        Said { source: self.host, port: self.port, ..Said::new(category, action, None) }
    }
}

/// `password for [invalid user ]ann from 203.0.113.9 port 22 ssh2[: key]`.
fn login<'a>(rest: &'a [u8], outcome: Option<&'static str>) -> Option<Said<'a>> {
    let (method, rest) = split_once(rest, b' ')?;
    let rest = rest.strip_prefix(b"for ")?;
    let named = after_invalid_user(rest);
    // A key's description follows the address and may quote text chosen by the other end, while
    // the name of an existing account is not. For passwords the address is the last thing said.
    let trusted_name = named.len() == rest.len() && matches!(method, b"publickey" | b"hostbased");
    let split = if trusted_name { split_at_word } else { rsplit_at_word };
    let (user, rest) = split(named, b" from ")?;
    let said = Peer::read(rest)?.of("authentication", "ssh_login");
    let stated = super::Stated { outcome, ..said.stated };
    Some(Said { user, stated, ..said })
}

/// `ann from 203.0.113.9 port 22…`, where nothing after the address can hold ` from `.
fn user_from<'a>(rest: &'a [u8], action: &'static str) -> Option<Said<'a>> {
    let (user, rest) = rsplit_at_word(rest, b" from ")?;
    Some(Said { user, ..Peer::read(rest)?.of("authentication", action) })
}

fn after_invalid_user(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"invalid user ").unwrap_or(text)
}

/// `[authenticating user ann ]203.0.113.9 port 22[: reason][ [preauth]]`: the end of a connection.
fn closed(rest: &[u8]) -> Option<Said<'_>> {
    let (text, action) = split_preauth(rest);
    let Some((head, tail)) = rsplit_at_word(text, b" port ") else {
        // Older versions name no port and no user.
        let host = before(text, b' ');
        return is_address_like(host).then(|| Said { source: host, ..Said::new("network", action, None) });
    };
    let (port, rest) = leading_digits(tail);
    if !matches!(rest, b"" | [b':', ..]) {
        return None;
    }
    let (named, host) = rsplit_once(head, b' ').unwrap_or((b"", head));
    let user = match named {
        b"" => named,
        _ => [&b"authenticating user "[..], b"invalid user ", b"user "]
            .iter()
            .find_map(|prefix| named.strip_prefix(*prefix))?,
    };
    Some(Said { user, source: host, port, ..Said::new("network", action, None) })
}

/// `203.0.113.9 port 22:11: reason [preauth]`; the reason is chosen by the other end.
fn received_disconnect(rest: &[u8]) -> Option<Said<'_>> {
    let (text, action) = split_preauth(rest);
    Some(Peer::read(text)?.of("network", action))
}

/// The text without its mark for connections that never logged in, and the action it makes.
fn split_preauth(text: &[u8]) -> (&[u8], &'static str) {
    let text = text.trim_ascii_end();
    match text.strip_suffix(b" [preauth]") {
        Some(text) => (text, "ssh_preauth_close"),
        None => (text, "ssh_disconnect"),
    }
}

/// `203.0.113.9 port 22…`.
fn peer<'a>(rest: &'a [u8], action: &'static str) -> Option<Said<'a>> {
    Some(Peer::read(rest)?.of("network", action))
}

/// `'text' from 203.0.113.9 port 22`; the text is chosen by the other end.
fn peer_at_end<'a>(rest: &'a [u8], action: &'static str) -> Option<Said<'a>> {
    let (_, rest) = rsplit_at_word(rest, b" from ")?;
    Some(Peer::read(rest)?.of("network", action))
}

/// `[authenticating user ann ]203.0.113.9 port 22: reason`.
fn dispatch_failed(rest: &[u8]) -> Option<Said<'_>> {
    let said = closed(rest)?;
    let stated = super::Stated { action: Some("ssh_bad_protocol"), ..said.stated };
    Some(Said { stated, ..said })
}

/// `5 more authentication failures; … rhost=203.0.113.9  user=ann`: a summary, no attempt.
fn more_failures(rest: &[u8]) -> Option<Said<'_>> {
    let (count, text) = leading_digits(rest);
    let known = !count.is_empty() && text.starts_with(b" more authentication failure");
    known.then(|| super::pam::authentication_failure(text))
}

/// `ann from 203.0.113.9 not allowed because …`.
fn not_allowed(rest: &[u8]) -> Option<Said<'_>> {
    let (head, _) = rsplit_at_word(rest, b" not allowed because ")?;
    let (user, host) = rsplit_at_word(head, b" from ").unwrap_or((head, b""));
    Some(Said { user, source: host, ..Said::new("authentication", "ssh_user_not_allowed", None) })
}

/// `client.example.net (203.0.113.9)`, by TCP wrappers.
fn refused(rest: &[u8]) -> Option<Said<'_>> {
    let (_, host) = rsplit_once(rest.trim_ascii_end().strip_suffix(b")")?, b'(')?;
    Some(Said { source: host, ..Said::new("network", "ssh_refused", None) })
}

/// `#5 from [203.0.113.9]:40000 on [198.51.100.1]:22 past MaxStartups`.
fn dropped(rest: &[u8]) -> Option<Said<'_>> {
    let (_, rest) = split_at_word(rest, b" from [")?;
    let (host, rest) = split_at_word(rest, b"]:")?;
    let (port, _) = leading_digits(rest);
    Some(Said { source: host, port, ..Said::new("network", "ssh_dropped", None) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::render;

    fn check(cases: &[(&str, &str)]) {
        for (message, expect) in cases {
            assert_eq!(render("sshd", message), *expect, "{message}");
        }
    }

    #[test]
    fn logins() {
        check(&[
            (
                "Failed password for root from 203.0.113.9 port 4242 ssh2",
                "authentication/ssh_login/failure user=root source=203.0.113.9 port=4242",
            ),
            (
                "Failed none for invalid user admin from 2001:db8::9 port 4242 ssh2",
                "authentication/ssh_login/failure user=admin source=2001:db8::9 port=4242",
            ),
            (
                "Failed keyboard-interactive/pam for root from 203.0.113.9 port 4242 ssh2",
                "authentication/ssh_login/failure user=root source=203.0.113.9 port=4242",
            ),
            (
                "error: Failed password for root from 203.0.113.9 port 4242",
                "authentication/ssh_login/failure user=root source=203.0.113.9 port=4242",
            ),
            (
                "Accepted publickey for ann from 203.0.113.9 port 4242 ssh2: RSA SHA256:abc",
                "authentication/ssh_login/success user=ann source=203.0.113.9 port=4242",
            ),
            (
                "Accepted password for ann from client.example.net port 4242 ssh2",
                "authentication/ssh_login/success user=ann source=client.example.net port=4242",
            ),
            ("Failed to release session: interrupted", "sshd"),
            ("Failed password for root", "sshd"),
            ("Failed password for root from ", "sshd"),
        ]);
    }

    #[test]
    fn names_chosen_by_the_other_end() {
        check(&[
            (
                "Failed password for invalid user  from 203.0.113.9 port 5",
                "authentication/ssh_login/failure source=203.0.113.9 port=5",
            ),
            (
                "Failed password for invalid user a from b from 203.0.113.9 port 5 ssh2",
                "authentication/ssh_login/failure user=a from b source=203.0.113.9 port=5",
            ),
            (
                "Failed none for invalid user x from 198.51.100.1 port 1 ssh2 from 203.0.113.9 port 5 ssh2",
                "authentication/ssh_login/failure user=x from 198.51.100.1 port 1 ssh2 source=203.0.113.9 port=5",
            ),
            (
                "Failed publickey for ann from 203.0.113.9 port 5 ssh2: RSA-CERT SHA256:a ID x from 198.51.100.1 port 1 ssh2 (serial 0)",
                "authentication/ssh_login/failure user=ann source=203.0.113.9 port=5",
            ),
            (
                "Connection closed by invalid user x 198.51.100.1 port 1 [preauth] 203.0.113.9 port 5 [preauth]",
                "network/ssh_preauth_close/- user=x 198.51.100.1 port 1 [preauth] source=203.0.113.9 port=5",
            ),
            (
                "Received disconnect from 203.0.113.9 port 5:11: from 198.51.100.1 port 1 [preauth]",
                "network/ssh_preauth_close/- source=203.0.113.9 port=5",
            ),
            (
                "Bad protocol version identification 'x' from 198.51.100.1 port 1' from 203.0.113.9 port 5",
                "network/ssh_bad_protocol/- source=203.0.113.9 port=5",
            ),
        ]);
    }

    #[test]
    fn attempts_told_by_another_line_carry_no_outcome() {
        check(&[
            (
                "Invalid user admin from 203.0.113.9 port 5",
                "authentication/ssh_invalid_user/- user=admin source=203.0.113.9 port=5",
            ),
            ("Invalid user  from 203.0.113.9", "authentication/ssh_invalid_user/- source=203.0.113.9"),
            (
                "error: maximum authentication attempts exceeded for invalid user a b from 203.0.113.9 port 5 ssh2 [preauth]",
                "authentication/ssh_max_attempts/- user=a b source=203.0.113.9 port=5",
            ),
            (
                "maximum authentication attempts exceeded for root from 203.0.113.9 port 5 ssh2 [preauth]",
                "authentication/ssh_max_attempts/- user=root source=203.0.113.9 port=5",
            ),
            (
                "PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=root",
                "authentication/pam_authentication_failure/- user=root source=203.0.113.9",
            ),
            ("PAM service(sshd) ignoring max retries; 6 > 3", "sshd"),
            (
                "User root from 203.0.113.9 not allowed because not listed in AllowUsers",
                "authentication/ssh_user_not_allowed/- user=root source=203.0.113.9",
            ),
            (
                "User ann not allowed because account is locked",
                "authentication/ssh_user_not_allowed/- user=ann",
            ),
            ("User child is on pid 29582", "sshd"),
            ("input_userauth_request: invalid user admin [preauth]", "sshd"),
        ]);
    }

    #[test]
    fn ends_of_connections() {
        let close = "network/ssh_preauth_close/- user=root source=203.0.113.9 port=5";
        let plain = "network/ssh_disconnect/- source=203.0.113.9 port=5";
        check(&[
            ("Connection closed by authenticating user root 203.0.113.9 port 5 [preauth]", close),
            ("Connection reset by invalid user root 203.0.113.9 port 5 [preauth]", close),
            ("Disconnected from authenticating user root 203.0.113.9 port 5 [preauth]", close),
            (
                "Disconnecting authenticating user root 203.0.113.9 port 5: Too many authentication failures [preauth]",
                close,
            ),
            ("Connection closed by 203.0.113.9 port 5", plain),
            ("Disconnected from 203.0.113.9 port 5", plain),
            ("Received disconnect from 203.0.113.9 port 5:11: disconnected by user", plain),
            (
                "Disconnected from user root 203.0.113.9 port 5",
                "network/ssh_disconnect/- user=root source=203.0.113.9 port=5",
            ),
            (
                "Connection closed by invalid user  203.0.113.9 port 5 [preauth]",
                "network/ssh_preauth_close/- source=203.0.113.9 port=5",
            ),
            ("Connection closed by 203.0.113.9 [preauth]", "network/ssh_preauth_close/- source=203.0.113.9"),
            (
                "Received disconnect from 203.0.113.9: 11: Bye Bye [preauth]",
                "network/ssh_preauth_close/- source=203.0.113.9",
            ),
            ("Disconnected from some user root 203.0.113.9 port 5 [preauth]", "sshd"),
            ("Disconnecting: Too many authentication failures [preauth]", "sshd"),
        ]);
    }

    #[test]
    fn connections_that_never_log_in() {
        let said = |action: &str| format!("network/{action}/- source=203.0.113.9 port=5");
        for (message, action) in [
            ("Connection from 203.0.113.9 port 5 on 198.51.100.1 port 22", "ssh_connection"),
            ("Did not receive identification string from 203.0.113.9 port 5", "ssh_no_identification"),
            ("fatal: Timeout before authentication for 203.0.113.9 port 5", "ssh_timeout"),
            (
                "fatal: Unable to negotiate with 203.0.113.9 port 5: no matching cipher found. [preauth]",
                "ssh_negotiation_failed",
            ),
            (
                "Bad protocol version identification 'GET / HTTP/1.1' from 203.0.113.9 port 5",
                "ssh_bad_protocol",
            ),
            ("banner exchange: Connection from 203.0.113.9 port 5: invalid format", "ssh_bad_protocol"),
            (
                "Magic value check failed (42) on obfuscated handshake from 203.0.113.9 port 5",
                "ssh_bad_protocol",
            ),
            (
                "ssh_dispatch_run_fatal: Connection from 203.0.113.9 port 5: message authentication code incorrect [preauth]",
                "ssh_bad_protocol",
            ),
            ("drop connection #5 from [203.0.113.9]:5 on [198.51.100.1]:22 past MaxStartups", "ssh_dropped"),
        ] {
            assert_eq!(render("sshd", message), said(action), "{message}");
        }
        check(&[
            (
                "Timeout before authentication for connection from 203.0.113.9 to 198.51.100.1, pid = 7",
                "network/ssh_timeout/- source=203.0.113.9",
            ),
            (
                "refused connect from host.example.net (203.0.113.9)",
                "network/ssh_refused/- source=203.0.113.9",
            ),
            (
                "Did not receive identification string from 203.0.113.9",
                "network/ssh_no_identification/- source=203.0.113.9",
            ),
        ]);
    }
}
